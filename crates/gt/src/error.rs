//! What a verb can fail with, and the exit code that says so.

use gt_town::Kind;

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The engine says no.
    #[error(transparent)]
    Engine(#[from] gt_town::Error),
    /// It was asked for wrongly.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What is right.
        hint: String,
    },
    /// It was tried and failed.
    #[error("{what}")]
    Failed {
        /// What failed.
        what: String,
        /// What to do next.
        hint: String,
    },
    /// Whoever reads our output has gone: nothing is wrong.
    #[error("the reader of the output has gone")]
    Closed,
    /// Output can't be written, or input read.
    #[error("input or output failed: {0}")]
    Io(std::io::Error),
}

impl From<gt_ledger::LedgerError> for CliError {
    fn from(error: gt_ledger::LedgerError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<clap::Error> for CliError {
    /// Clap's text begins with what is wrong; tips and usage follow.
    fn from(error: clap::Error) -> Self {
        let text = error.render().to_string();
        let paragraphs: Vec<String> =
            text.split("\n\n").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let (what, rest) = paragraphs.split_first().map_or((text.as_str(), &[][..]), |(what, rest)| (what, rest));
        Self::Usage { what: what.trim_start_matches("error: ").to_owned(), hint: rest.join("; ") }
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Io(error) }
    }
}

/// Result of a verb: its exit code.
pub type CliResult = Result<u8, CliError>;

/// Exit codes, as `gt help exit-codes` says them.
pub const EXIT_CODES: &[(u8, &str)] = &[
    (0, "done"),
    (1, "it was tried and failed"),
    (2, "it was asked for wrongly"),
    (3, "what was named is not there"),
    (4, "refused by the state of things: blocked, claimed, closed, held"),
    (5, "a person has to do something first"),
    (70, "gt itself is at fault: please report it, with what `gt doctor` says"),
];

impl CliError {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::Usage { .. } => 2,
            Self::Failed { .. } | Self::Io(_) => 1,
            Self::Engine(error) => match error.kind() {
                Kind::Failed => 1,
                Kind::Usage => 2,
                Kind::NotFound => 3,
                Kind::Refused => 4,
                Kind::NeedsPerson => 5,
            },
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Engine(error) => error.hint(),
            Self::Usage { hint, .. } | Self::Failed { hint, .. } => Some(hint.clone()),
            Self::Closed | Self::Io(_) => None,
        }
    }
}
