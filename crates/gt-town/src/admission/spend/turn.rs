//! Limits on turns of the mayor and crew, which have no attempt to park. A turn that uses too much ends after its current tool,
//! and none starts while the daily limit is reached.

use std::time::Duration;

use gt_ledger::{Agent, Incarnation, Tx, View};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::moment::{MarkKind, Marks};
use jiff::{SignedDuration, Timestamp};

use super::{is_over, is_reached};
use crate::admission::usage::Meters;
use crate::agents::marks;
use crate::agents::wanted;
use crate::mail::post;
use crate::town::Town;
use crate::town::error::{Error, Result};
use crate::town::observed::Observed;
use crate::town::settings::TownSettings;

/// Ledger setting with the time when a person last allowed spending to continue. Turns are counted from then on.
const RESUMED_KEY: &str = "turns-resumed";

/// Observed time that a turn has to end by itself. If it still asks its model after that, its session ends.
const GRACE: Duration = Duration::from_secs(30);

/// Returns the reason why a turn of this agent must end and no other may start; `None` for workers, whose attempts are parked
/// instead.
pub(crate) fn must_end(view: &View<'_>, address: &Address) -> Result<Option<&'static str>> {
    if !is_standing(address) {
        return Ok(None);
    }
    if is_reached(view)? {
        return Ok(Some(
            "the day's cap on spending is reached: this turn ends here. Only a person can lift it: gt resume --spend",
        ));
    }
    let took_too_much = view.condition(ConditionKind::TurnSpend, &address.to_string())?.is_some();
    Ok(took_too_much.then_some(
        "this turn used more than one turn may (attempt_usd, attempt_tokens in town.toml): it ends here. Only a person \
         can lift it: gt resume --spend",
    ))
}

fn is_standing(address: &Address) -> bool {
    matches!(address, Address::Mayor | Address::Crew(..))
}

/// Records turns over their limit, and ends sessions whose turns continue anyway.
pub(super) fn patrol(town: &Town, settings: &TownSettings, meters: &mut Meters, observed: &mut Observed) -> Result<()> {
    for agent in town.ledger.read(|view| view.agents().map_err(Error::from))? {
        let live = town.ledger.read(|view| view.live_incarnations_of_agent(&agent.address).map_err(Error::from))?;
        for incarnation in live {
            note(town, settings, &agent, &incarnation, meters)?;
            end_unless_it_does(town, &agent, &incarnation, meters, observed)?;
        }
    }
    Ok(())
}

fn note(town: &Town, settings: &TownSettings, agent: &Agent, incarnation: &Incarnation, meters: &Meters) -> Result<()> {
    let caps = (settings.spend.attempt_tokens, settings.spend.attempt_usd);
    if caps.0 == 0 && caps.1 <= 0.0 {
        return Ok(());
    }
    let since = turn_began(town, incarnation)?;
    let cost = meters.cost_from(&incarnation.id, since, &settings.prices.over(&town.outside.prices));
    let subject = agent.address.to_string();
    let known = town.ledger.read(|view| view.condition(ConditionKind::TurnSpend, &subject).map_err(Error::from))?;
    if known.is_some() || !is_over(caps, &cost, None) {
        return Ok(());
    }
    let text = format!(
        "a turn of {subject} used more than one turn may: {}; it ends after its current tool, and mail does not wake \
         {subject}",
        cost.words()
    );
    town.ledger.write(&Address::Deacon.to_string(), "spend", |tx| {
        if tx.raise(ConditionKind::TurnSpend, &subject, &text)? {
            post::send(tx, Address::Deacon, vec![Address::Overseer], "A turn used more than one turn may", &text)?;
        }
        Ok(())
    })
}

/// Returns the start of the current turn, which is the end of the previous one according to the marks of the client's hooks.
fn turn_began(town: &Town, incarnation: &Incarnation) -> Result<Timestamp> {
    let ended = last_end(&marks::marks(town, &incarnation.id)?).map(|at_us| wall_time(town, at_us));
    let resumed = town.ledger.read(|view| view.meta_time(RESUMED_KEY).map_err(Error::from))?;
    Ok([ended, resumed].into_iter().flatten().fold(incarnation.opened_at, Timestamp::max))
}

/// Returns the end of the last turn (see `Mark::at_us`). A turn that was made to continue has not ended.
fn last_end(marks: &Marks) -> Option<u64> {
    let ends = [MarkKind::Stop, MarkKind::StopFailure].into_iter().filter_map(|kind| marks.get(kind));
    ends.filter(|mark| !mark.blocked).map(|mark| mark.at_us).max()
}

fn wall_time(town: &Town, at_us: u64) -> Timestamp {
    let clock = town.world().clock();
    let ago = clock.monotonic().saturating_sub(Duration::from_micros(at_us));
    let ago = SignedDuration::try_from(ago).unwrap_or_default();
    clock.now().checked_sub(ago).unwrap_or(Timestamp::MIN)
}

/// Ends the session of an agent that still asks its model although its turn should have ended. Its client ignored the request to
/// end the turn, or has no hooks that could tell it.
fn end_unless_it_does(
    town: &Town,
    agent: &Agent,
    incarnation: &Incarnation,
    meters: &mut Meters,
    observed: &mut Observed,
) -> Result<()> {
    if town.ledger.read(|view| must_end(view, &agent.address))?.is_none() {
        meters.forget_cap(&incarnation.id);
        return Ok(());
    }
    let age = observed.age(&format!("over-cap-{}", incarnation.id));
    let goes_on = meters.asks_on_over_cap(&incarnation.id);
    if age < GRACE || !goes_on || wanted::ends_already(town, Some(incarnation))? {
        return Ok(());
    }
    town.ledger.write(&Address::Deacon.to_string(), "spend", |tx| {
        tx.event("turn-over-cap", &agent.address.to_string(), None, None, None)?;
        wanted::decide_ends(tx, agent).map(|_| ())
    })
}

/// Lets turns continue for a person and counts them from now on. Returns false if none was over its limit.
pub(super) fn resume(tx: &Tx<'_>, now: Timestamp) -> Result<bool> {
    let over: Vec<_> =
        tx.conditions()?.into_iter().filter(|condition| condition.kind == ConditionKind::TurnSpend).collect();
    for condition in &over {
        tx.clear(ConditionKind::TurnSpend, &condition.subject)?;
    }
    if !over.is_empty() {
        tx.set_meta(RESUMED_KEY, &now.to_string())?;
    }
    Ok(!over.is_empty())
}
