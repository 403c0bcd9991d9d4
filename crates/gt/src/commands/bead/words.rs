//! Messages of bead verbs; under the name `bd` in its own words, since scripts look for them.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use gt_model::bead::Bead;
use gt_town::Error;

use crate::console::{Console, printable};
use crate::error::CliError;

/// Change that a verb made to a bead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Created it.
    Make,
    /// Changed its fields.
    Change,
    /// Claimed it.
    Claim,
    /// Closed it.
    Close,
    /// Reopened it.
    Reopen,
    /// Deferred it.
    Defer,
    /// Ended its deferral.
    Undefer,
}

impl Act {
    /// Returns the line that tells a person about it.
    pub fn line(self, bead: &Bead, console: &Console<'_>) -> String {
        let (id, title) = (printable(bead.id.as_str()), printable(&bead.title));
        if !console.is_bd() {
            return format!("{id} {}: {title}", self.own_word());
        }
        match self {
            Self::Make => {
                let status = printable(bead.status.as_str());
                format!("✓ Created issue: {id} — {title}\n  Priority: P{}\n  Status: {status}", bead.priority)
            }
            Self::Change => format!("✓ Updated issue: {id} — {title}"),
            Self::Claim => format!("✓ Claimed issue: {id} — {title}"),
            Self::Close => {
                let reason =
                    bead.close_reason.as_deref().map_or_else(String::new, |why| format!(": {}", printable(why)));
                format!("✓ Closed {id} — {title}{reason}")
            }
            Self::Reopen => format!("↻ Reopened {id} — {title}"),
            Self::Defer => format!("* Deferred {id} — {title}"),
            Self::Undefer => format!("* Undeferred {id} — {title}"),
        }
    }

    fn own_word(self) -> &'static str {
        match self {
            Self::Make => "created",
            Self::Change => "changed",
            Self::Claim => "claimed",
            Self::Close => "closed",
            Self::Reopen => "open again",
            Self::Defer => "deferred",
            Self::Undefer => "no longer deferred",
        }
    }
}

/// Prints `as_bd` under the name `bd`, else `own`.
pub fn say(console: &mut Console<'_>, own: &str, as_bd: &str) -> Result<(), CliError> {
    let line = if console.is_bd() { as_bd } else { own };
    console.say(line)
}

/// Rewords a failure as `bd` would: beads are issues there, and suggested commands begin with `bd`.
pub fn failure(error: CliError) -> CliError {
    let typed = |hint: String| hint.replace("gt bead ", "bd ");
    match error {
        CliError::Engine(Error::UnknownBead(id)) => CliError::Failed {
            what: format!("no issue found matching `{id}`"),
            hint: "bd list shows all beads".to_owned(),
        },
        CliError::Engine(Error::Refused { what, hint }) => Error::Refused { what, hint: typed(hint) }.into(),
        CliError::Engine(Error::Usage { what, hint }) => Error::Usage { what, hint: typed(hint) }.into(),
        CliError::Usage { what, hint } => CliError::Usage { what, hint: typed(hint) },
        CliError::Failed { what, hint } => CliError::Failed { what, hint: typed(hint) },
        other => other,
    }
}

/// Messages of `bd` for a verb with too few arguments, by verb.
const TOO_FEW: &[(&str, &str)] = &[
    ("show", "at least one issue ID is required"),
    ("view", "at least one issue ID is required"),
    ("close", "no issue ID provided"),
    ("done", "no issue ID provided"),
    ("update", "no issue ID provided"),
    ("reopen", "no issue ID provided"),
    ("delete", "no issue IDs provided"),
    ("search", "search query is required"),
];

/// Returns `bd`'s own message for a command line that its grammar refuses, where it has one.
pub fn too_few(args: &[OsString], error: &clap::Error) -> Option<CliError> {
    if error.kind() != ErrorKind::MissingRequiredArgument {
        return None;
    }
    let verb = args.get(1)?.to_str()?;
    let (_, what) = TOO_FEW.iter().find(|(name, _)| *name == verb)?;
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => format!("bd help {verb}"),
    };
    Some(CliError::Usage { what: (*what).to_owned(), hint: usage })
}
