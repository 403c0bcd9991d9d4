//! Clients: the programs that run agents' models, as far as an adapter knows their hooks and their records.
//!
//! One folder per client has everything pure that knows it: what its hooks say and how they are answered, how usage is read
//! from its record, which of its files are whose, its rules of permission. `gt-town/src/agents/clients` has what acts: a
//! client's settings, its login, its stream. `docs/design/clients.md` says what a new client takes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::moment::{Answer, Heard, Moment, MomentError};
use crate::usage::Told;

pub mod claude;
mod echo;
mod state;

pub use state::{State, Steered, states};

/// A client with an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Client {
    /// Claude Code.
    Claude,
    /// The client of tests; always the last.
    Echo,
}

const _: () = assert!(Client::ALL.len() == Client::Echo as usize + 1, "a client is missing in Client::ALL");

impl Client {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Claude, Self::Echo];

    /// The words of those that a person may set in a preset.
    pub const OFFERED: &'static [&'static str] = &[Self::Claude.as_str()];

    /// That of sessions that were recorded before records named it.
    pub const OF_OLD: Self = Self::Claude;

    /// The word in presets and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Echo => "echo",
        }
    }

    /// Back from the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|client| client.as_str() == word)
    }

    /// The name that its maker gave it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Claude => claude::TITLE,
            Self::Echo => echo::TITLE,
        }
    }

    /// Reads what the client said at a moment.
    ///
    /// # Errors
    ///
    /// The input is not what this client says then.
    pub fn hear(self, moment: Moment, input: &[u8]) -> Result<Heard, MomentError> {
        match self {
            Self::Claude => Ok(claude::hear(moment, input)?),
            Self::Echo => Ok(echo::hear(moment, input)?),
        }
    }

    /// An answer as this client wants it on standard output; `None`: nothing is to be said.
    pub fn render(self, heard: &Heard, answer: &Answer) -> Option<String> {
        match self {
            Self::Claude => claude::render(heard, answer),
            Self::Echo => echo::render(answer),
        }
    }

    /// Reads a line of the record that the client keeps of a session. `None` where it tells of no usage.
    pub fn recorded(self, line: &[u8]) -> Option<Told> {
        match self {
            Self::Claude => claude::recorded(line),
            Self::Echo => echo::recorded(line),
        }
    }

    /// Reads a line of what the client prints without a terminal. `None` where it tells of no usage.
    pub fn printed(self, line: &[u8]) -> Option<Told> {
        match self {
            Self::Claude => claude::printed(line),
            Self::Echo => None,
        }
    }

    /// The id of the answer, where a line of an agent's own record tells of one that uses a tool. Answers of its own
    /// subagents are not.
    pub fn tool_use(self, line: &[u8]) -> Option<String> {
        match self {
            Self::Claude => claude::tool_use(line),
            Self::Echo => None,
        }
    }

    /// Where the records of a session's subagents are: files of one ending in a folder. `None`: they are in its own record.
    pub fn subagents(self, record: &Path) -> Option<(PathBuf, &'static str)> {
        match self {
            Self::Claude => Some(claude::subagents(record)),
            Self::Echo => None,
        }
    }

    /// Returns the client's files below the user's home.
    pub fn state(self) -> &'static State {
        match self {
            Self::Claude => &claude::STATE,
            Self::Echo => &echo::STATE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for client in Client::ALL {
            assert_eq!(Client::parse(client.as_str()), Some(client));
            assert_eq!(serde_json::to_value(client).unwrap(), client.as_str());
        }
        assert_eq!(Client::parse("codex"), None);
        assert!(Client::OFFERED.iter().all(|word| Client::parse(word).is_some()));
    }
}
