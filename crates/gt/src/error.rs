//! Errors of verbs, and their exit codes.

use gt_town::Kind;

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The engine refused or failed.
    #[error(transparent)]
    Engine(#[from] gt_town::Error),
    /// The call was wrong.
    #[error("{what}")]
    Usage {
        /// Mistake in the call.
        what: String,
        /// Example of a correct call.
        hint: String,
    },
    /// The verb tried and failed.
    #[error("{what}")]
    Failed {
        /// Operation that failed, and the cause.
        what: String,
        /// Next action for the user.
        hint: String,
    },
    /// The reader of our output has closed it, which is no fault.
    #[error("the reader of the output has closed it")]
    Closed,
    /// Writing output or reading input failed.
    #[error("input or output failed: {0}")]
    Io(std::io::Error),
}

impl From<gt_ledger::LedgerError> for CliError {
    fn from(error: gt_ledger::LedgerError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<clap::Error> for CliError {
    /// Splits clap's text: its first paragraph says what is wrong, the tips and usage after it become the hint.
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

/// Exit codes, as `gt help exit-codes` lists them.
pub const EXIT_CODES: &[(u8, &str)] = &[
    (0, "success"),
    (1, "the verb tried, and failed"),
    (2, "wrong call: an unknown verb, or invalid arguments"),
    (3, "the named thing does not exist"),
    (4, "refused by the current state: blocked, claimed, closed, held"),
    (5, "a person must act first"),
    (70, "a fault of gt itself: please report it, with the output of `gt doctor`"),
];

impl CliError {
    /// Returns an error for a wrong call.
    pub fn usage(what: &str, hint: &str) -> Self {
        Self::Usage { what: what.to_owned(), hint: hint.to_owned() }
    }

    /// Returns the exit code.
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

    /// Returns what to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Engine(error) => error.hint(),
            Self::Usage { hint, .. } | Self::Failed { hint, .. } => Some(hint.clone()),
            Self::Closed | Self::Io(_) => None,
        }
    }
}
