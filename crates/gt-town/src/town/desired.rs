//! The state of the town that a person asked for: up, down or draining, and which rigs are paused.

use gt_ledger::{Tx, View};
use gt_model::condition::ConditionKind;
use gt_model::id::RigName;
use gt_world::{ENDED_BY_REQUEST, Exit};

use crate::town::error::{Error, Result};
use crate::town::person;
use crate::town::{Caller, Town};

/// Ledger setting that says whether the town should be up.
pub(crate) const DESIRED_KEY: &str = "desired";

/// Ledger setting with the build of gt that last ran `gt up`. A deacon of another build exits.
pub(crate) const BUILD_KEY: &str = "build";

/// Reason recorded for a session that `gt down` ended. It does not count as a failure.
pub(crate) const DOWN_REASON: &str = "the town went down";

/// Value of [`DESIRED_KEY`]: the town should be down.
pub(crate) const DOWN: &str = "down";

/// Value of [`DESIRED_KEY`]: the town is going down. Sessions end at their next step and no new ones start.
pub(crate) const DRAINING: &str = "draining";

/// Whether the town should be up.
pub(crate) fn is_wanted_up(town: &Town) -> Result<bool> {
    Ok(town.ledger.read(|view| view.meta(DESIRED_KEY).map_err(Error::from))?.as_deref() == Some("up"))
}

pub(crate) fn set_desired(town: &Town, caller: &Caller, state: &str) -> Result<()> {
    person::require(caller, &format!("takes the town {state}"))?;
    town.ledger.write(&caller.name(), state, |tx| desire(tx, state))
}

/// Sets the desired state inside an operation. The caller has made sure that a person wants it.
fn desire(tx: &Tx<'_>, state: &str) -> Result<()> {
    if tx.meta(DESIRED_KEY)?.as_deref() != Some(state) {
        tx.set_meta(DESIRED_KEY, state)?;
        tx.event(&format!("town-{state}"), "town", None, None, None)?;
    }
    Ok(())
}

/// Takes the town down for a molecule, which only a person can pour. The deacon ends; sessions go on until `gt down` ends them.
pub(crate) fn end_deacon(town: &Town, caller: &Caller) -> Result<()> {
    town.ledger.write(&caller.name(), "end deacon", |tx| desire(tx, DOWN))?;
    town.wake();
    Ok(())
}

/// Returns the build of gt that last ran `gt up`. The running deacon has the same build, because any other deacon exits.
pub fn build(town: &Town) -> Result<Option<String>> {
    town.ledger.read(|view| view.meta(BUILD_KEY).map_err(Error::from))
}

/// Stops starting new work in a rig or in the whole town. Work in progress continues. Returns false if it was already paused.
pub fn pause(town: &Town, caller: &Caller, rig: Option<&RigName>) -> Result<bool> {
    let text = "no new work starts until gt resume";
    town.ledger.write(&caller.name(), "pause", |tx| {
        Ok(tx.raise(ConditionKind::Paused, rig.map_or(TOWN, RigName::as_str), text)?)
    })
}

/// Resumes starting new work. Returns false if it was not paused.
pub fn resume(town: &Town, caller: &Caller, rig: Option<&RigName>) -> Result<bool> {
    let resumed: Result<bool> = town
        .ledger
        .write(&caller.name(), "resume", |tx| Ok(tx.clear(ConditionKind::Paused, rig.map_or(TOWN, RigName::as_str))?));
    town.wake();
    resumed
}

const TOWN: &str = "<town>";

/// Whether starting new work is paused in a rig.
pub(crate) fn is_paused(view: &View<'_>, rig: Option<&RigName>) -> Result<bool> {
    let of_rig = rig.map(|rig| view.condition(ConditionKind::Paused, rig.as_str())).transpose()?.flatten();
    Ok(of_rig.is_some() || view.condition(ConditionKind::Paused, TOWN)?.is_some())
}

/// Whether the town is down or going down. No session starts in that state.
pub(crate) fn is_going_down(view: &View<'_>) -> Result<bool> {
    Ok(matches!(view.meta(DESIRED_KEY)?.as_deref(), Some(DRAINING | DOWN)))
}

/// Converts a session's exit for the record. A session that ended because the town went down does not count as a failure.
pub(crate) fn as_counted(view: &View<'_>, exit: Exit) -> Result<Exit> {
    let taken_down = is_going_down(view)? && exit.reason == ENDED_BY_REQUEST;
    Ok(if taken_down { Exit { reason: DOWN_REASON.to_owned(), ..exit } } else { exit })
}
