//! What a person wants of the town: up, down or on its way down, and which rigs are paused.

use gt_ledger::View;
use gt_model::condition::ConditionKind;
use gt_model::id::RigName;
use gt_world::{ENDED_BY_REQUEST, Exit};

use crate::town::error::{Error, Result};
use crate::town::person;
use crate::town::{Caller, Town};

/// Whether the town is meant to be up; a setting of the ledger's.
pub(crate) const DESIRED_KEY: &str = "desired";

/// The build of gt that `gt up` was last said with; a setting of the ledger's. A deacon of another build ends.
pub(crate) const BUILD_KEY: &str = "build";

/// Why a session ended that `gt down` ended: it counts against nobody.
pub(crate) const DOWN_REASON: &str = "the town went down";

/// The town is meant to be down.
pub(crate) const DOWN: &str = "down";

/// The town is on its way down: sessions end at their next step, and no new ones are started.
pub(crate) const DRAINING: &str = "draining";

/// Whether the town is meant to be up.
pub(crate) fn is_wanted_up(town: &Town) -> Result<bool> {
    Ok(town.ledger.read(|view| view.meta(DESIRED_KEY).map_err(Error::from))?.as_deref() == Some("up"))
}

pub(crate) fn set_desired(town: &Town, caller: &Caller, state: &str) -> Result<()> {
    person::require(caller, &format!("takes the town {state}"))?;
    town.ledger.write(&caller.name(), state, |tx| {
        if tx.meta(DESIRED_KEY)?.as_deref() != Some(state) {
            tx.set_meta(DESIRED_KEY, state)?;
            tx.event(&format!("town-{state}"), "town", None, None, None)?;
        }
        Ok(())
    })
}

/// Which build of gt the running deacon is of: the one that `gt up` was last said with, since one of another build ends.
pub fn build(town: &Town) -> Result<Option<String>> {
    town.ledger.read(|view| view.meta(BUILD_KEY).map_err(Error::from))
}

/// Says that nothing new is begun: in a rig, or in the whole town. What is begun goes on.
pub fn pause(town: &Town, caller: &Caller, rig: Option<&RigName>) -> Result<bool> {
    let text = "nothing new is begun until gt resume";
    town.ledger.write(&caller.name(), "pause", |tx| {
        Ok(tx.raise(ConditionKind::Paused, rig.map_or(TOWN, RigName::as_str), text)?)
    })
}

/// Takes a pause back.
pub fn resume(town: &Town, caller: &Caller, rig: Option<&RigName>) -> Result<bool> {
    let resumed: Result<bool> = town
        .ledger
        .write(&caller.name(), "resume", |tx| Ok(tx.clear(ConditionKind::Paused, rig.map_or(TOWN, RigName::as_str))?));
    town.wake();
    resumed
}

const TOWN: &str = "<town>";

/// Whether nothing new is begun in a rig.
pub(crate) fn is_paused(view: &View<'_>, rig: Option<&RigName>) -> Result<bool> {
    let of_rig = rig.map(|rig| view.condition(ConditionKind::Paused, rig.as_str())).transpose()?.flatten();
    Ok(of_rig.is_some() || view.condition(ConditionKind::Paused, TOWN)?.is_some())
}

/// Whether the town is down or on its way there: no session is started then.
pub(crate) fn is_going_down(view: &View<'_>) -> Result<bool> {
    Ok(matches!(view.meta(DESIRED_KEY)?.as_deref(), Some(DRAINING | DOWN)))
}

/// A session's end as it is recorded: what was ended while the town goes down did not die of its work.
pub(crate) fn as_counted(view: &View<'_>, exit: Exit) -> Result<Exit> {
    let taken_down = is_going_down(view)? && exit.reason == ENDED_BY_REQUEST;
    Ok(if taken_down { Exit { reason: DOWN_REASON.to_owned(), ..exit } } else { exit })
}
