//! Moments: what an agent's client says of itself through its hooks, and what it is answered.
//!
//! A client calls `gt` at a few fixed moments. What it hands over is read into our own types here ([`Heard`]), what to
//! answer is decided ([`at_stop`]), and the answer is written as that client wants it ([`Client::render`]). What a moment
//! tells of the agent is kept as a [`Mark`], and all marks together say where the agent stands ([`Marks::stage`]).

use std::path::PathBuf;

use serde_json::json;

use crate::guard::ToolCall;

mod claude;
mod limit;
mod mail;
mod marks;
mod stop;

pub use limit::{reset_at, reset_time};
pub use mail::{Injected, Post, injection};
pub use marks::{Mark, Marks, Stage};
pub use stop::{Blocks, StopAnswer, StopFacts, at_stop};

/// Bytes that a client's input may have. Answers of tools are in it; nothing of them is kept.
pub const INPUT_LIMIT_BYTES: u64 = 32 * 1024 * 1024;

/// Bytes of a text from a client that are kept: what it asks for, why it failed.
pub const KEPT_TEXT_BYTES: usize = 400;

/// The one line that wakes an idle agent. It carries nothing of anybody's.
pub const NUDGE_LINE: &str = "Gas Town: look at your hook and your mail now (gt prime), and run what is there.";

/// When a client calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// A session begins, goes on, or was compacted.
    Start,
    /// A prompt goes to the model.
    Prompt,
    /// A tool is about to be used.
    BeforeTool,
    /// It would ask a person whether it may use a tool.
    Permission,
    /// A tool was used, or failed.
    AfterTool,
    /// The agent wants to end its turn.
    Stop,
    /// Its turn ended with an error of the model's service.
    StopFailure,
    /// Its context is about to be compacted.
    Compact,
    /// The session ends.
    End,
    /// The client wants something of a person, or is idle.
    Notification,
}

impl Moment {
    /// All of them.
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

    /// The word on the command line, and the name of its mark.
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

    /// Back from the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|moment| moment.as_str() == word)
    }
}

/// A client whose hooks we understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Claude Code.
    Claude,
}

/// Why what a client said can't be used.
#[derive(Debug, thiserror::Error)]
pub enum MomentError {
    /// It is not what this client says at this moment.
    #[error("the client's input can't be read: {0}")]
    Input(#[from] serde_json::Error),
}

impl Client {
    /// The word in presets and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claude => "claude",
        }
    }

    /// Back from the word.
    pub fn parse(word: &str) -> Option<Self> {
        (word == Self::Claude.as_str()).then_some(Self::Claude)
    }

    /// Reads what the client said at a moment.
    pub fn hear(self, moment: Moment, input: &[u8]) -> Result<Heard, MomentError> {
        match self {
            Self::Claude => Ok(claude::hear(moment, input)?),
        }
    }

    /// An answer as this client wants it on standard output; `None`: nothing is to be said.
    pub fn render(self, heard: &Heard, answer: &Answer) -> Option<String> {
        let event = heard.event_name.as_str();
        match answer {
            Answer::Nothing => None,
            Answer::Context(text) => {
                Some(json!({ "hookSpecificOutput": { "hookEventName": event, "additionalContext": text } }).to_string())
            }
            Answer::Deny(reason) if matches!(heard.event, Event::Permission(_)) => Some(
                json!({ "hookSpecificOutput": {
                    "hookEventName": event,
                    "decision": { "behavior": "deny", "message": reason },
                } })
                .to_string(),
            ),
            Answer::Allow(_) if matches!(heard.event, Event::Permission(_)) => Some(
                json!({ "hookSpecificOutput": { "hookEventName": event, "decision": { "behavior": "allow" } } })
                    .to_string(),
            ),
            Answer::Allow(reason) => Some(decision(event, "allow", reason)),
            Answer::Ask(reason) => Some(decision(event, "ask", reason)),
            Answer::Deny(reason) => Some(decision(event, "deny", reason)),
            Answer::Block(reason) => Some(json!({ "decision": "block", "reason": reason }).to_string()),
            // A tool that was not begun yet is refused as well: which of the two a version obeys does not matter then.
            Answer::Halt(reason) if matches!(heard.event, Event::BeforeTool(_)) => Some(
                json!({ "continue": false, "stopReason": reason, "hookSpecificOutput": {
                    "hookEventName": event,
                    "permissionDecision": "deny",
                    "permissionDecisionReason": reason,
                } })
                .to_string(),
            ),
            Answer::Halt(reason) => Some(json!({ "continue": false, "stopReason": reason }).to_string()),
        }
    }
}

fn decision(event: &str, decision: &str, reason: &str) -> String {
    json!({ "hookSpecificOutput": {
        "hookEventName": event,
        "permissionDecision": decision,
        "permissionDecisionReason": reason,
    } })
    .to_string()
}

/// How a client takes a use of a tool that nothing is said of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asking {
    /// It asks where its rules want it.
    #[default]
    ByRules,
    /// It asks for nothing.
    Never,
    /// It plans: it may change nothing yet.
    Planning,
}

/// What a client said at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// The client's own name for the moment, which its answer must repeat.
    pub event_name: String,
    /// The client's session, where it says which.
    pub session: Option<Session>,
    /// Whether this is about an agent of the agent's own: such a one gets no mail and counts for nothing.
    pub subagent: bool,
    /// How the client takes uses of tools at that time.
    pub asking: Asking,
    /// The client's working folder at that time.
    pub cwd: Option<PathBuf>,
    /// What it is about.
    pub event: Event,
}

/// A client's own session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Where its transcript is.
    pub transcript: Option<String>,
}

/// Why a session starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Afresh.
    Fresh,
    /// Another one is gone on with: what it has behind it is not its own.
    Continued,
    /// Its context was compacted: it goes on with a summary.
    Compacted,
}

/// What a moment is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A session starts.
    Start(Source),
    /// A prompt goes to the model.
    Prompt {
        /// Whether it is [`NUDGE_LINE`].
        nudge: bool,
    },
    /// A tool is about to be used.
    BeforeTool(ToolCall),
    /// A person would be asked whether it may use this tool.
    Permission(ToolCall),
    /// A tool was used.
    AfterTool,
    /// The agent wants to end its turn.
    Stop {
        /// Tasks of its own that still run, and wake-ups that it has ordered.
        background: usize,
    },
    /// Its turn ended with an error.
    StopFailure {
        /// What kind.
        failure: Failure,
        /// What the client says of it.
        text: String,
    },
    /// Its context is about to be compacted.
    Compact,
    /// The session ends.
    End {
        /// Why.
        reason: String,
    },
    /// The client says something to a person.
    Notice {
        /// What about.
        notice: Notice,
        /// Its words.
        text: String,
    },
}

/// What kind of error ended a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A limit of the account's: it goes on by itself later.
    Limit,
    /// The account can't be used: a person must log in, pay, or verify.
    Login,
    /// The model's service did not answer, or not so that it could be understood: it goes on by itself later.
    Outage,
    /// Anything else: a request was wrong.
    Other,
}

/// What a client's notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It asks whether it may do something.
    Permission,
    /// It waits for a prompt.
    Idle,
    /// Anything else.
    Other,
}

/// What a client is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Nothing,
    /// Text that the agent is to know.
    Context(String),
    /// The tool is refused, for this reason.
    Deny(String),
    /// The tool is granted, for this reason: no person is asked.
    Allow(String),
    /// A person is to be asked, whatever the client's rules say.
    Ask(String),
    /// The turn goes on, for this reason. A prompt is not taken, for this reason.
    Block(String),
    /// The turn ends here, for this reason; a tool that was about to begin is refused.
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
        assert_eq!(Client::parse("claude"), Some(Client::Claude));
        assert_eq!(Client::parse("codex"), None);
    }

    #[test]
    fn answers_are_written_as_the_client_wants_them() {
        let heard = |name: &str| Heard {
            event_name: name.to_owned(),
            session: None,
            subagent: false,
            asking: Asking::ByRules,
            cwd: None,
            event: Event::AfterTool,
        };
        let check = |name: &str, answer: Answer, expected: Option<&str>| {
            assert_eq!(Client::Claude.render(&heard(name), &answer).as_deref(), expected);
        };
        check("PostToolUse", Answer::Nothing, None);
        check(
            "PostToolUseFailure",
            Answer::Context("a \"b\"\n".to_owned()),
            Some(r#"{"hookSpecificOutput":{"hookEventName":"PostToolUseFailure","additionalContext":"a \"b\"\n"}}"#),
        );
        check(
            "PreToolUse",
            Answer::Deny("no".to_owned()),
            Some(
                r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"no"}}"#,
            ),
        );
        check(
            "PreToolUse",
            Answer::Allow("yes".to_owned()),
            Some(
                r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"allow","permissionDecisionReason":"yes"}}"#,
            ),
        );
        let asked = Heard {
            event: Event::Permission(ToolCall { tool: "Bash".to_owned(), input: json!({}) }),
            ..heard("PermissionRequest")
        };
        assert_eq!(
            Client::Claude.render(&asked, &Answer::Deny("no".to_owned())).as_deref(),
            Some(
                r#"{"hookSpecificOutput":{"hookEventName":"PermissionRequest","decision":{"behavior":"deny","message":"no"}}}"#
            )
        );
        check("Stop", Answer::Block("go on".to_owned()), Some(r#"{"decision":"block","reason":"go on"}"#));
    }
}
