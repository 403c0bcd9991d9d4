//! Standing agents: which ones a person wants to run, of which kind, and how their sessions begin and end.

use std::time::Duration;

use gt_ledger::{Agent, Incarnation, Tx, View};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::effect::Effect;

use crate::agents::seat;
use crate::town::Town;
use crate::town::error::{Error, Result};

pub(crate) fn is_live(view: &View<'_>, agent: &Agent) -> Result<bool> {
    Ok(agent.is_wanted() && !view.live_incarnations_of_agent(&agent.address)?.is_empty())
}

/// Decides the end of each session of an agent that is not over. Returns all such effects.
pub(crate) fn decide_ends(tx: &Tx<'_>, agent: &Agent) -> Result<Vec<i64>> {
    let live = tx.live_incarnations_of_agent(&agent.address)?.into_iter();
    let decide = |incarnation: Incarnation| {
        let effect = Effect::EndSession { incarnation: incarnation.id };
        Ok(tx.decide_once(&effect, agent.rig(), None, Duration::ZERO)?)
    };
    live.map(decide).collect()
}

/// Returns the agent at an address. Fails if the ledger does not know it.
pub fn require(view: &View<'_>, address: &Address) -> Result<Agent> {
    let known = view.agent(address)?.filter(|agent| agent.removed_at.is_none());
    known.ok_or_else(|| match address {
        Address::Crew(rig, name) => {
            Error::refused(format!("{rig} has no crew member {name}"), format!("gt crew add {rig} {name}"))
        }
        _ => Error::refused("there is no mayor yet", "gt mayor start"),
    })
}

/// Restarts agents that failed to start and have ended, after a person has said that the cause is fixed. Returns their number.
pub(crate) fn retry(tx: &Tx<'_>) -> Result<usize> {
    let mut count = 0;
    for agent in tx.agents()?.iter().filter(|agent| agent.is_wanted()) {
        let address = agent.address.to_string();
        let fails = tx.condition(ConditionKind::StartFails, &address)?.is_some();
        // An agent that runs and asks goes on by itself once it is answered.
        if fails && tx.live_incarnations_of_agent(&agent.address)?.is_empty() {
            begin(tx, agent)?;
            tx.clear(ConditionKind::StartFails, &address)?;
            count += 1;
        }
    }
    Ok(count)
}

/// Clears the conditions of an agent that no longer exists.
pub fn forget(tx: &Tx<'_>, address: &Address) -> Result<()> {
    for kind in [
        ConditionKind::GivenUp,
        ConditionKind::StartFails,
        ConditionKind::Unheard,
        ConditionKind::Unknown,
        ConditionKind::Patrol,
        ConditionKind::Asks,
    ] {
        tx.clear(kind, &address.to_string())?;
    }
    forget_denied(tx, address)
}

/// Clears what an agent was denied, since its session is over.
fn forget_denied(tx: &Tx<'_>, address: &Address) -> Result<()> {
    let address = address.to_string();
    let conditions = tx.conditions()?;
    for condition in conditions.iter().filter(|c| c.kind == ConditionKind::Denied && c.is_of(&address)) {
        tx.clear(condition.kind, &condition.subject)?;
    }
    Ok(())
}

/// Returns the kind that an agent starts as.
pub(crate) fn wanted_kind(town: &Town, agent: &Agent) -> Result<String> {
    let rig = agent.rig().map(|rig| town.rig(rig.as_str())).transpose()?;
    seat::kind_of(town, rig.as_ref(), agent.kind.as_deref())
}

pub(crate) fn ends_already(town: &Town, newest: Option<&Incarnation>) -> Result<bool> {
    let Some(newest) = newest else { return Ok(true) };
    let effect = Effect::EndSession { incarnation: newest.id.clone() };
    town.ledger.read(|view| Ok(view.decided(&effect)?.is_some()))
}

/// Opens the next incarnation of an agent and decides its start, unless one is live.
pub(crate) fn begin(tx: &Tx<'_>, agent: &Agent) -> Result<()> {
    if !tx.live_incarnations_of_agent(&agent.address)?.is_empty() {
        return Ok(());
    }
    let incarnation = tx.open_agent_incarnation(agent)?;
    tx.decide(&Effect::StartSession { incarnation }, agent.rig(), None, Duration::ZERO)?;
    Ok(())
}
