//! Effects that a person or an agent requests and waits for.

use std::time::Duration;

use gt_model::effect::Effect;
use gt_model::id::Sha;

use super::run_one;
use crate::town::error::{Error, Result};
use crate::town::{Caller, Rig, Town};

/// Time that a verb inside a session waits for an effect that only the deacon may run.
const EFFECT_DEADLINE: Duration = Duration::from_secs(60);

/// Fetches a rig's remote and returns the trunk's commit. Inside a session, the deacon does the fetch.
pub fn fetch(town: &Town, caller: &Caller, rig: &Rig) -> Result<Sha> {
    let effect = Effect::Fetch { rig: rig.name().clone() };
    let id = town.ledger.write(&caller.name(), "rig fetch", |tx| {
        tx.decide(&effect, Some(rig.name()), None, Duration::ZERO).map_err(Error::from)
    })?;
    if caller.incarnation.is_some() {
        town.wake();
        wait_for_effect(town, id)?;
    } else {
        run_one(town, id)?;
    }
    let refs = town.ledger.read(|view| view.remote_refs(rig.name()).map_err(Error::from))?;
    refs.get(&rig.row.trunk).cloned().ok_or_else(|| Error::NeedsPerson {
        what: format!("the remote {} has no branch {}", rig.row.remote, rig.row.trunk),
        hint: "check the remote; the trunk's name is set when the rig is added".to_owned(),
    })
}

/// Waits, for a limited time, until the deacon has run an effect.
fn wait_for_effect(town: &Town, id: i64) -> Result<()> {
    let clock = town.world().clock();
    let start = clock.monotonic();
    loop {
        let Some(row) = town.ledger.read(|view| view.open_effect(id).map_err(Error::from))? else { return Ok(()) };
        let hint = "gt status says whether the deacon runs; gt up starts it".to_owned();
        if row.gave_up {
            let why = row.last_error.unwrap_or_default();
            return Err(Error::TimedOut { what: format!("{} failed: {why}", row.effect.kind()), hint });
        }
        if clock.monotonic() - start > EFFECT_DEADLINE {
            let why = row.last_error.map(|e| format!(": {e}")).unwrap_or_default();
            return Err(Error::TimedOut { what: format!("{} did not finish in time{why}", row.effect.kind()), hint });
        }
        clock.pause(Duration::from_millis(20));
    }
}
