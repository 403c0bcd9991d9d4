//! Moments: what an agent's client reports through its hooks, and how gt answers.
//!
//! A client calls `gt` at a few fixed moments. The client's adapter ([`crate::clients`]) parses what it passes into our own
//! types ([`Heard`]), this module decides on an answer ([`at_stop`]), and the adapter formats it. Each moment leaves a
//! [`Mark`]; all marks together show the stage that the agent is at ([`Marks::stage`]).

use std::path::PathBuf;

use crate::guard::ToolCall;

mod limit;
mod mail;
mod marks;
mod stop;

pub use limit::{reset_at, reset_time};
pub use mail::{Injected, Post, injection};
pub use marks::{Mark, MarkKind, Marks, Stage};
pub use stop::{Blocks, StopAnswer, StopFacts, at_stop};

/// Maximum size of a client's input in bytes. The input contains tools' answers, of which gt keeps nothing.
pub const INPUT_LIMIT_BYTES: u64 = 32 * 1024 * 1024;

/// How many bytes of a client's text gt keeps: what it asks for, why it failed.
pub const KEPT_TEXT_BYTES: usize = 400;

/// The one line that wakes an idle agent. It contains no text from other agents or people.
pub const NUDGE_LINE: &str = "Gas Town: look at your hook and your mail now (gt prime), and run what is there.";

/// Moment at which a client calls gt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// A session begins, continues, or was compacted.
    Start,
    /// A prompt goes to the model.
    Prompt,
    /// A tool is about to be used.
    BeforeTool,
    /// The client is about to ask a person whether the agent may use a tool.
    Permission,
    /// A tool was used, or failed.
    AfterTool,
    /// The agent wants to end its turn.
    Stop,
    /// The turn ended because of an error of the model's service.
    StopFailure,
    /// Its context is about to be compacted.
    Compact,
    /// The session ends.
    End,
    /// The client wants something from a person, or is idle.
    Notification,
}

impl Moment {
    /// All moments.
    pub const ALL: [Self; 10] = [
        Self::Start,
        Self::Prompt,
        Self::BeforeTool,
        Self::Permission,
        Self::AfterTool,
        Self::Stop,
        Self::StopFailure,
        Self::Compact,
        Self::End,
        Self::Notification,
    ];

    /// Returns its word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Prompt => "prompt",
            Self::BeforeTool => "before-tool",
            Self::Permission => "permission",
            Self::AfterTool => "after-tool",
            Self::Stop => "stop",
            Self::StopFailure => "stop-failure",
            Self::Compact => "compact",
            Self::End => "end",
            Self::Notification => "notification",
        }
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|moment| moment.as_str() == word)
    }
}

/// Why gt can't use a client's input.
#[derive(Debug, thiserror::Error)]
pub enum MomentError {
    /// The input is not what this client passes at this moment.
    #[error("the client's input can't be read: {0}")]
    Input(#[from] serde_json::Error),
}

/// How a client treats a tool use that no rule mentions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asking {
    /// It asks a person if its own rules say so.
    #[default]
    ByRules,
    /// It never asks.
    Never,
    /// It makes a plan, and may not change anything yet.
    Planning,
}

/// Report of a client at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// The client's own name for the moment. The answer must repeat it.
    pub event_name: String,
    /// The client's session, if it names one.
    pub session: Option<Session>,
    /// Whether this is about a subagent, which gets no mail and is not counted.
    pub subagent: bool,
    /// How the client treats tool uses at that time.
    pub asking: Asking,
    /// Working folder of the client at that time.
    pub cwd: Option<PathBuf>,
    /// Content of the report.
    pub event: Event,
}

/// A session of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Path of its transcript.
    pub transcript: Option<String>,
}

/// How a session starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// New.
    Fresh,
    /// Continues another session, so its history is not its own.
    Continued,
    /// Continues with a summary, because its context was compacted.
    Compacted,
}

/// Content of a moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A session starts.
    Start(Source),
    /// A prompt goes to the model.
    Prompt {
        /// Whether the prompt is [`NUDGE_LINE`].
        nudge: bool,
    },
    /// A tool is about to be used.
    BeforeTool(ToolCall),
    /// The client is about to ask a person whether the agent may use this tool.
    Permission(ToolCall),
    /// A tool was used.
    AfterTool,
    /// The agent wants to end its turn.
    Stop {
        /// Number of the agent's own tasks that still run, and of the wake-ups that it has ordered.
        background: usize,
    },
    /// The turn ended with an error.
    StopFailure {
        /// Kind of error.
        failure: Failure,
        /// Client's description of the error.
        text: String,
    },
    /// Its context is about to be compacted.
    Compact,
    /// The session ends.
    End {
        /// Reason that the client gives.
        reason: String,
    },
    /// The client notifies a person.
    Notice {
        /// Subject of the notice.
        notice: Notice,
        /// Text of the notice.
        text: String,
    },
}

/// Kind of error that ended a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The account has reached a limit. The agent continues by itself later.
    Limit,
    /// The account can't be used: a person must log in, pay or verify it.
    Login,
    /// The model's service did not answer, or its answer could not be understood. The agent continues by itself later.
    Outage,
    /// Any other error: a request was wrong.
    Other,
}

/// Subject of a client's notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The client asks for permission to do something.
    Permission,
    /// The client waits for a prompt.
    Idle,
    /// Any other subject.
    Other,
}

/// Answer to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// No answer.
    Nothing,
    /// Text to add to the agent's context.
    Context(String),
    /// Refuse the tool, for this reason.
    Deny(String),
    /// Allow the tool without asking a person, for this reason.
    Allow(String),
    /// Ask a person, even if the client's rules don't require it.
    Ask(String),
    /// Continue the turn, for this reason. For a prompt: don't accept it.
    Block(String),
    /// End the turn here, for this reason, and refuse a tool that is about to begin.
    Halt(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for moment in Moment::ALL {
            assert_eq!(Moment::parse(moment.as_str()), Some(moment));
        }
        assert_eq!(Moment::parse("tool"), None);
    }
}
