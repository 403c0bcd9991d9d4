//! Records the result of an effect and decides the next effects in one transaction.

use std::time::Duration;

use gt_ledger::{Attempt, EffectRow, IncarnationProcess, Tx};
use gt_model::effect::Effect;
use gt_model::id::{AttemptId, IncarnationId};
use gt_world::SessionState;

use super::perform::{Outcome, SNAPSHOT_FAILED};
use super::wait::slot_holders;
use crate::agents::wanted;
use crate::rigs::refs;
use crate::rigs::remote::{self};
use crate::town::error::{Error, Result};
use crate::work::decided;

/// Records the result of an effect and decides the effects that follow.
pub(super) fn conclude(tx: &Tx<'_>, row: &EffectRow, outcome: Outcome, slots: u32) -> Result<()> {
    match (&row.effect, outcome) {
        (_, Outcome::Fetched { fetched, base }) => {
            remote::note(tx, &fetched)?;
            if let Some((attempt, trunk)) = base.map(|base| *base) {
                // The fetch of another rig may have taken the last slot meanwhile.
                if slot_holders(tx, attempt.id)?.len() >= slots as usize {
                    tx.decide(&row.effect, row.rig.as_ref(), row.bead.as_ref(), Duration::ZERO)?;
                    return Ok(());
                }
                tx.set_base(&attempt, &trunk)?;
                let next = Effect::AddWorktree { attempt: attempt.id };
                tx.decide(&next, Some(&attempt.rig), Some(&attempt.bead), Duration::ZERO)?;
            }
        }
        (Effect::AddWorktree { attempt }, Outcome::Added { to_set_up: true }) => {
            let set_up = Effect::SetUp { attempt: *attempt };
            tx.decide(&set_up, row.rig.as_ref(), row.bead.as_ref(), Duration::ZERO)?;
        }
        (Effect::AddWorktree { attempt }, Outcome::Added { to_set_up: false })
        | (Effect::SetUp { attempt }, Outcome::Done) => {
            let attempt = require_attempt(tx, *attempt)?;
            if attempt.is_hooked() {
                decided::begin_incarnation(tx, &attempt)?;
            }
        }
        (Effect::StartSession { incarnation }, Outcome::Started(state, uncounted)) => {
            started(tx, incarnation, &state)?;
            if let Some(kind) = uncounted {
                tx.set_uncounted(incarnation, &kind)?;
            }
        }
        (Effect::ArchiveCrew { crew }, Outcome::Done) => {
            if let Some(agent) = tx.agent(crew)? {
                tx.remove_agent(&agent)?;
                wanted::forget(tx, crew)?;
            }
        }
        (Effect::Snapshot { attempt }, Outcome::Snapshot(commit)) => tx.set_snapshot(*attempt, &commit)?,
        (Effect::ArchiveWorktree { attempt }, Outcome::Archived { snapshot, foreign }) => {
            let attempt = require_attempt(tx, *attempt)?;
            match snapshot {
                Ok(Some(snapshot)) => tx.set_snapshot(attempt.id, &snapshot)?,
                Ok(None) => {}
                Err(why) => {
                    let why = Some(serde_json::Value::from(why));
                    tx.event(SNAPSHOT_FAILED, &attempt.branch, Some(&attempt.bead), None, why.as_ref())?;
                }
            }
            tx.set_archived(attempt.id)?;
            tx.event("worktree-archived", &attempt.branch, Some(&attempt.bead), None, None)?;
            refs::report(tx, &attempt.rig, &foreign)?;
            // The fetch also compares the remote.
            tx.decide(&Effect::Fetch { rig: attempt.rig.clone() }, Some(&attempt.rig), None, Duration::ZERO)?;
        }
        _ => {}
    }
    Ok(())
}

fn require_attempt(tx: &Tx<'_>, id: AttemptId) -> Result<Attempt> {
    tx.attempt(id)?.ok_or_else(|| Error::Unknown { what: "attempt", name: id.to_string() })
}

fn started(tx: &Tx<'_>, id: &IncarnationId, state: &SessionState) -> Result<()> {
    let Some(incarnation) = tx.incarnation(id)? else { return Ok(()) };
    if let SessionState::Running { shim, agent } = state {
        tx.record_start(id, &IncarnationProcess { shim: shim.clone(), agent: agent.clone() })?;
    }
    match tx.attempt_of(&incarnation)? {
        Some(attempt) if attempt.is_hooked() => decided::begin_bead(tx, &attempt),
        _ => Ok(()),
    }
}
