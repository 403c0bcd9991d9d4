//! Whether an agent's client runs our hooks. Without hooks there is no guard, no mail and no stop.
//!
//! An administrator's settings can turn hooks off. Then the town starts no session of that kind of agent, and ends those that
//! run, until the settings change. Other faults that silence hooks show in the client's own record: it lists tools that were
//! used, while no hook was called before them.

use std::fmt;
use std::path::PathBuf;

use gt_model::id::IncarnationId;

use super::clients;
use crate::town::Town;
use crate::town::error::Result;
use crate::town::settings::AgentPreset;
use crate::walls::worker_env;

/// Reaction that records an incarnation whose hooks stopped answering.
pub(crate) const UNHEARD: &str = "hooks-unheard";

/// Recorded reason for the end of an incarnation. An end with this reason does not count as the agent's failure.
pub(crate) const TURNED_OFF: &str = "its client's hooks were turned off";

/// Effect of an administrator's settings on our hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hooks {
    /// The settings do not turn hooks off.
    On,
    /// The settings turn hooks off.
    Off {
        /// Setting that turns them off.
        key: &'static str,
        /// File that has this setting.
        file: PathBuf,
    },
    /// A file of these settings can't be read.
    Unknown {
        /// File that can't be read.
        file: PathBuf,
        /// Reason why it can't be read.
        why: String,
    },
}

impl fmt::Display for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On => write!(f, "no settings of an administrator turn them off"),
            Self::Off { key, file } => {
                write!(f, "`{key}` in {} turns Gas Town's hooks off: guard, mail and stop", file.display())
            }
            Self::Unknown { file, why } => write!(f, "{} can't be read: {why}", file.display()),
        }
    }
}

impl Hooks {
    /// Whether hooks are known to be off.
    pub fn are_off(&self) -> bool {
        matches!(self, Self::Off { .. })
    }
}

/// Reads what an administrator's settings say about the hooks of a kind of agent.
pub fn of(town: &Town, preset: &AgentPreset) -> Hooks {
    match preset.client {
        Some(client) => clients::hooks(client, town, preset, &worker_env::environment(town, None, Some(preset), None)),
        None => Hooks::On,
    }
}

/// Whether no agent of this kind may start, because its client would not run our hooks.
pub(crate) fn forbid_start(town: &Town, preset: &AgentPreset) -> bool {
    preset.needs_hooks() && of(town, preset).are_off()
}

/// Whether an incarnation was ended because its hooks did not answer.
pub(crate) fn was_unheard(town: &Town, incarnation: &IncarnationId) -> Result<bool> {
    town.ledger.read(|view| Ok(view.reactions(incarnation)?.has(UNHEARD)))
}
