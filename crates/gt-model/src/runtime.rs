//! What sessions run in.

use serde::{Deserialize, Serialize};

/// What sessions are to run in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuntimeChoice {
    /// A terminal of the town's own tmux, if the workers' PATH has one that will do; else without a terminal.
    #[default]
    Auto,
    /// A terminal of the town's own tmux.
    Tmux,
    /// Without a terminal.
    Headless,
}

impl RuntimeChoice {
    const ALL: [Self; 3] = [Self::Auto, Self::Tmux, Self::Headless];

    /// The word in settings and in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Tmux => "tmux",
            Self::Headless => "headless",
        }
    }

    /// Back from the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == word)
    }
}
