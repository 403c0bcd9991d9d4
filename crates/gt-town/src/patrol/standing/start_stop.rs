//! Starts and stops standing agents for a person.

use std::time::Duration;

use gt_ledger::AgentChoice;
use gt_model::address::Address;
use gt_model::condition::ConditionKind;

use super::{AgentStatus, record_ends, status};
use crate::admission::hooks_off;
use crate::agents::readiness::{self};
use crate::agents::seat;
use crate::agents::sessions;
use crate::agents::wanted;
use crate::agents::{self, Wish, launch};
use crate::effects;
use crate::town::error::{Error, Result};
use crate::town::person;
use crate::town::{Caller, Town};
use crate::walls::worker_env;

/// Time that a person's verb waits for a session to start.
const START_DEADLINE: Duration = Duration::from_secs(15);

/// Starts an agent, or changes how it should run. The deacon keeps it running until it is stopped. If a deacon runs, waits until
/// the session exists.
pub fn start(town: &Town, caller: &Caller, address: &Address, choice: &AgentChoice) -> Result<AgentStatus> {
    person::require(caller, "starts the mayor and crew")?;
    check_kind(town, address, choice)?;
    town.ledger.write(&caller.name(), "agent start", |tx| {
        let agent = match address {
            Address::Mayor => tx.add_agent(address)?,
            _ => wanted::require(tx, address)?,
        };
        // An agent that already runs continues unchanged.
        if !wanted::is_live(tx, &agent)? {
            tx.want_agent(&agent, choice)?;
        }
        for kind in [ConditionKind::GivenUp, ConditionKind::StartFails] {
            tx.clear(kind, &address.to_string())?;
        }
        if address == &Address::Mayor {
            crate::rigs::reading::decide_all(tx)?;
        }
        Ok::<_, Error>(())
    })?;
    town.wake();
    wait_for_start(town, address)?;
    status(town, address)
}

/// Checks now that the choice is usable, because the person would not see a later error.
pub(crate) fn check_kind(town: &Town, address: &Address, choice: &AgentChoice) -> Result<()> {
    let rig = address.rig().map(|rig| town.rig(rig.as_str())).transpose()?;
    let known = town.ledger.read(|view| view.agent(address).map_err(Error::from))?;
    let said = choice.kind.clone().or(known.and_then(|agent| agent.kind));
    let kind = seat::kind_of(town, rig.as_ref(), said.as_deref())?;
    let preset = town.agent(&kind)?;
    let env = worker_env::environment(town, rig.as_ref(), Some(&preset), None);
    // If no runtime is available, the start reports it.
    let Ok(runtime) = sessions::choose(town, rig.as_ref(), Some(&preset), choice.runtime, &env) else { return Ok(()) };
    let mode = rig.as_ref().map_or_else(|| launch::mayors_mode(&town.settings.mayor), |rig| rig.settings.trust);
    agents::admit(town, &Wish { kind: &kind, preset: &preset, mode, runtime, rig: rig.as_ref() })
}

fn wait_for_start(town: &Town, address: &Address) -> Result<()> {
    let clock = town.world().clock();
    let start = clock.monotonic();
    while town.deacon_runs()? && clock.monotonic() - start < START_DEADLINE && !has_begun(town, address)? {
        clock.pause(Duration::from_millis(20));
    }
    Ok(())
}

/// Whether an agent has reported its first moment, if its client reports moments, or is known to have failed.
fn has_begun(town: &Town, address: &Address) -> Result<bool> {
    let (agent, newest, fails) = town.ledger.read(|view| {
        let agent = wanted::require(view, address)?;
        let fails = view.condition(ConditionKind::StartFails, &address.to_string())?.is_some()
            || hooks_off::held_agent(town, view, &agent)?.is_some();
        Ok::<_, Error>((agent, view.newest_incarnation_of_agent(address)?, fails))
    })?;
    let Some(newest) = newest else { return Ok(fails) };
    let tells = town.agent(&wanted::wanted_kind(town, &agent)?)?.client.is_some();
    let begun = newest.started_at.is_some() && (!tells || readiness::has_started(town, &newest.id));
    Ok(fails || begun || newest.ended_at.is_some())
}

/// Stops an agent until a person starts it. Its session has ended when this returns.
pub fn stop(town: &Town, caller: &Caller, address: &Address) -> Result<AgentStatus> {
    person::require(caller, "stops the mayor and crew")?;
    let ends = town.ledger.write(&caller.name(), "agent stop", |tx| {
        let agent = wanted::require(tx, address)?;
        tx.stop_agent(&agent)?;
        for kind in [ConditionKind::GivenUp, ConditionKind::StartFails] {
            tx.clear(kind, &address.to_string())?;
        }
        wanted::decide_ends(tx, &agent)
    })?;
    for effect in ends {
        effects::run_one(town, effect)?;
    }
    let agent = town.ledger.read(|view| wanted::require(view, address))?;
    record_ends(town, &caller.name(), &agent)?;
    town.wake();
    status(town, address)
}
