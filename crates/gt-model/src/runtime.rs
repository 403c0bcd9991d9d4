//! Runtimes for agents' sessions.

use serde::{Deserialize, Serialize};

/// Runtime that a person chose for sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuntimeChoice {
    /// A terminal of the town's own tmux, if the workers' PATH has a suitable one; otherwise no terminal.
    #[default]
    Auto,
    /// A terminal of the town's own tmux.
    Tmux,
    /// No terminal.
    Headless,
}

impl RuntimeChoice {
    const ALL: [Self; 3] = [Self::Auto, Self::Tmux, Self::Headless];

    /// Returns the word that settings and the ledger use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Tmux => "tmux",
            Self::Headless => "headless",
        }
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == word)
    }
}
