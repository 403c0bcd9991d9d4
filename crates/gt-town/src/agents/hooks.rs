//! Whether an agent's client runs our hooks. Without them there is no guard, no mail and no stop.
//!
//! An administrator's settings can turn them off: then no session of that kind of agent is started, and those that run are
//! ended, until the settings say otherwise. Whatever else keeps hooks from answering is seen in the client's own record: it
//! tells of tools that were used, and no hook called before them.

use gt_model::condition::ConditionKind;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use gt_model::effect::Effect;
use gt_model::id::IncarnationId;

use super::{claude, kinds, readiness};
use crate::error::{Error, Result};
use crate::ledger::{Agent, Holder, Incarnation, Tx, View};
use crate::settings::{AgentPreset, ClientKind};
use crate::standing;
use crate::town::Town;
use crate::usage::Meters;
use crate::worker_env;

/// Reaction that records an incarnation whose hooks stopped answering.
pub(crate) const UNHEARD: &str = "hooks-unheard";

/// Reason why the end of an incarnation counts against nobody.
pub(crate) const TURNED_OFF: &str = "its client's hooks were turned off";

/// Actor of what is done here, for the audit.
const DEACON: &str = "deacon/";

/// What an administrator's settings say of our hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hooks {
    /// Nothing against them.
    On,
    /// They do not run.
    Off {
        /// The setting that says so.
        key: &'static str,
        /// Where it is.
        file: PathBuf,
    },
    /// A file of these settings can't be read.
    Unknown {
        /// Which.
        file: PathBuf,
        /// Why not.
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
    /// Whether they are known not to run.
    pub fn are_off(&self) -> bool {
        matches!(self, Self::Off { .. })
    }
}

/// Reads what an administrator's settings say of the hooks of a kind of agent.
pub fn of(town: &Town, preset: &AgentPreset) -> Hooks {
    match preset.client {
        Some(ClientKind::Claude) => {
            claude::hooks(town, preset, &worker_env::environment(town, None, Some(preset), None))
        }
        None => Hooks::On,
    }
}

/// Whether no agent of this kind may be started, because its client would not run our hooks.
pub(crate) fn forbid_start(town: &Town, preset: &AgentPreset) -> bool {
    preset.needs_hooks() && of(town, preset).are_off()
}

/// The condition's text, where hooks of a kind are off.
pub(crate) fn held(view: &View<'_>, kind: &str) -> Result<Option<String>> {
    Ok(view.condition(ConditionKind::HooksOff, kind)?.map(|condition| condition.text))
}

/// Ends sessions whose client does not run our hooks, and keeps the condition of each kind of agent whose hooks are off.
pub(crate) fn patrol(town: &Town, meters: &mut Meters) -> Result<()> {
    let live = town.ledger.read(|view| view.live_incarnations().map_err(Error::from))?;
    let live: Vec<(Incarnation, String)> = live
        .into_iter()
        .filter_map(|incarnation| Some((readiness::kind_of(town, &incarnation.id).transpose()?, incarnation)))
        .map(|(kind, incarnation)| kind.map(|kind| (incarnation, kind)))
        .collect::<Result<_>>()?;
    let mut kinds = kinds::in_use(town, &[ConditionKind::HooksOff])?;
    kinds.extend(live.iter().map(|(_, kind)| kind.clone()));
    for kind in kinds {
        let off = town.agent(&kind).ok().filter(AgentPreset::needs_hooks).map(|preset| of(town, &preset));
        let sessions = live.iter().filter(|(_, of)| *of == kind).map(|(incarnation, _)| incarnation);
        note_off(town, &kind, off.filter(Hooks::are_off).as_ref(), sessions)?;
    }
    live.iter().try_for_each(|(incarnation, kind)| note_unheard(town, incarnation, kind, meters))
}

fn note_off<'a>(
    town: &Town,
    kind: &str,
    off: Option<&Hooks>,
    sessions: impl Iterator<Item = &'a Incarnation>,
) -> Result<()> {
    let known = town.ledger.read(|view| held(view, kind))?;
    let text = off.map(|off| text(kind, off));
    let sessions: Vec<&Incarnation> = sessions.filter(|incarnation| incarnation.started_at.is_some()).collect();
    if known == text && (off.is_none() || sessions.is_empty()) {
        return Ok(());
    }
    town.ledger.write(DEACON, "hooks", |tx| {
        if known != text {
            tx.clear(ConditionKind::HooksOff, kind)?;
        }
        let Some(text) = &text else { return Ok(()) };
        tx.raise(ConditionKind::HooksOff, kind, text)?;
        for incarnation in sessions {
            if end(tx, incarnation, "hooks-off")? {
                tx.spare(&incarnation.id, TURNED_OFF)?;
            }
        }
        Ok(())
    })
}

fn text(kind: &str, off: &Hooks) -> String {
    format!(
        "{kind}: {off}. No session of it is started, and those that ran were ended. It goes on by itself when that setting \
         is gone, or by `allow_without_hooks = true` in [agents.{kind}] of town.toml: then its agents run without a guard"
    )
}

/// Ends a session that uses tools of which its hooks tell nothing.
fn note_unheard(town: &Town, incarnation: &Incarnation, kind: &str, meters: &mut Meters) -> Result<()> {
    let needs_hooks = town.agent(kind).is_ok_and(|preset| preset.needs_hooks());
    if !needs_hooks || !meters.goes_on_unheard(&incarnation.id) {
        return Ok(());
    }
    town.ledger.write(DEACON, "hooks", |tx| {
        if tx.react(&incarnation.id, UNHEARD)? {
            end(tx, incarnation, UNHEARD)?;
        }
        Ok(())
    })
}

/// Decides the end of a session; false where that was done before.
fn end(tx: &Tx<'_>, incarnation: &Incarnation, event: &str) -> Result<bool> {
    let effect = Effect::EndSession { incarnation: incarnation.id.clone() };
    let is_over = tx.incarnation(&incarnation.id)?.is_none_or(|now| now.ended_at.is_some());
    if is_over || tx.open_effects()?.iter().any(|row| row.effect == effect) {
        return Ok(false);
    }
    let (rig, bead) = match &incarnation.holder {
        Holder::Attempt(id) => tx.attempt(*id)?.map(|attempt| (attempt.rig, attempt.bead)).unzip(),
        Holder::Agent(address) => (address.rig().cloned(), None),
    };
    tx.event(event, incarnation.id.as_str(), bead.as_ref(), None, None)?;
    tx.decide(&effect, rig.as_ref(), bead.as_ref(), Duration::ZERO)?;
    Ok(true)
}

/// Whether an incarnation was ended because its hooks did not answer.
pub(crate) fn was_unheard(town: &Town, incarnation: &IncarnationId) -> Result<bool> {
    town.ledger.read(|view| Ok(view.reactions(incarnation)?.has(UNHEARD)))
}

/// Whether a standing agent is held back because the hooks of its kind are off, with the condition's text.
pub(crate) fn held_agent(town: &Town, view: &View<'_>, agent: &Agent) -> Result<Option<String>> {
    standing::wanted_kind(town, agent).map_or(Ok(None), |kind| held(view, &kind))
}
