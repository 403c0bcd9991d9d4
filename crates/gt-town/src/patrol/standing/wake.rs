//! Wakes a running standing agent that has mail it was not told of, by typing one fixed line at its prompt. A busy agent hears of
//! mail through its client's moments. If an agent can't be woken, this raises a condition.

use std::time::Duration;

use gt_ledger::{Agent, Incarnation};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::moment::{Mark, NUDGE_LINE, Stage};
use gt_model::patrol::NUDGE_TRIES;

use super::{is_parked, unheard};
use crate::admission::limits::{self, Met};
use crate::admission::outage;
use crate::agents::log_in;
use crate::agents::marks;
use crate::agents::wanted;
use crate::moments::asking;
use crate::town::Town;
use crate::town::desired;
use crate::town::error::{Error, Result};
use crate::town::observed::Observed;

/// Observed time between two tries to wake an agent for the same mail.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Observed time after which a person hears of undelivered mail for an agent that can't be woken.
const UNHEARD_LIMIT: Duration = Duration::from_mins(1);

/// Wakes a running agent if it has mail or its account limit is over, or records why it can't. Starts no turn while the town
/// drains.
pub fn wake(town: &Town, agent: &Agent, newest: &Incarnation, observed: &mut Observed) -> Result<()> {
    if town.ledger.read(desired::is_going_down)? {
        return Ok(());
    }
    let stage = asking::stage(town, &newest.id, &marks::marks(town, &newest.id)?)?;
    if let Stage::Limited(mark) | Stage::LoggedOut(mark) = &stage {
        return at_limit(town, agent, newest, &stage, &limits::fact(mark), observed);
    }
    if let Stage::Outage(mark) = &stage {
        return try_again(town, agent, newest, (&stage, mark), observed);
    }
    let mail = town.ledger.read(|view| unheard(view, &agent.address))?;
    let Some(first) = mail.first() else { return note(town, agent, None) };
    let about = format!("mail:{}", first.id);
    match stage {
        Stage::Ready | Stage::AtPrompt(_) | Stage::Background(_) if is_parked(town, agent)? => note(town, agent, None),
        Stage::Ready | Stage::AtPrompt(_) | Stage::Background(_) => say(town, agent, newest, &about, observed),
        Stage::Working | Stage::InTool(_) | Stage::Ended | Stage::Outage(_) => note(town, agent, None),
        Stage::Asking(mark) => {
            let asks = mark.text.unwrap_or_default();
            waits(town, agent, &about, &format!("it asks: {asks}"), observed)
        }
        Stage::Silent | Stage::Limited(_) | Stage::LoggedOut(_) => {
            waits(town, agent, &about, "its client does not report what it does", observed)
        }
    }
}

/// Parks the kind of an agent that met a limit, and wakes the agent when the limit is over. Its turn was interrupted, and what it
/// was told in that turn is told to no other.
fn at_limit(
    town: &Town,
    agent: &Agent,
    newest: &Incarnation,
    stage: &Stage,
    fact: &str,
    observed: &mut Observed,
) -> Result<()> {
    let is_known = town.ledger.read(|view| Ok::<_, Error>(view.reactions(&newest.id)?.has(fact)))?;
    if !is_known {
        return met(town, agent, newest, stage);
    }
    if is_parked(town, agent)? {
        return note(town, agent, None);
    }
    say(town, agent, newest, &format!("over:{fact}"), observed)
}

/// Parks the kind of an agent for an obstacle that it met.
fn met(town: &Town, agent: &Agent, newest: &Incarnation, stage: &Stage) -> Result<()> {
    let (kind, whom) = (wanted::wanted_kind(town, agent)?, agent.address.to_string());
    let met = Met { incarnation: &newest.id, kind: &kind, whom: &whom, stage, log_in: &log_in(town, &kind) };
    town.ledger.write(&Address::Deacon.to_string(), "wake agent", |tx| limits::note(tx, &met, None))
}

/// Lets an agent that stopped because its API did not answer continue when it is its turn to try.
fn try_again(
    town: &Town,
    agent: &Agent,
    newest: &Incarnation,
    (stage, mark): (&Stage, &Mark),
    observed: &mut Observed,
) -> Result<()> {
    let (kind, whom) = (wanted::wanted_kind(town, agent)?, agent.address.to_string());
    let (known, held) = town.ledger.read(|view| {
        let known = view.reactions(&newest.id)?.has(&limits::fact(mark));
        Ok::<_, Error>((known, outage::holds(view, &kind, Some(&whom))?))
    })?;
    if !known {
        return met(town, agent, newest, stage);
    }
    if held {
        return Ok(());
    }
    let fact = format!("again:{}:", mark.at_us);
    if type_line(town, agent, newest, &fact, observed)? {
        return Ok(());
    }
    note(town, agent, Some(&format!("{whom} did not continue after its API answered again; gt session attach {whom}")))
}

/// Wakes an agent, and records if that fails.
fn say(town: &Town, agent: &Agent, newest: &Incarnation, about: &str, observed: &mut Observed) -> Result<()> {
    if type_line(town, agent, newest, &format!("{about}:"), observed)? {
        return Ok(());
    }
    waits(town, agent, about, "it does not answer", observed)
}

/// Types the fixed line. Records it first, so that a deacon that is killed does not type forever. Returns false if it was typed
/// in vain often enough.
fn type_line(town: &Town, agent: &Agent, newest: &Incarnation, fact: &str, observed: &mut Observed) -> Result<bool> {
    let reactions = town.ledger.read(|view| view.reactions(&newest.id).map_err(Error::from))?;
    let tries = u32::try_from(reactions.starting(fact).count()).unwrap_or(u32::MAX);
    let since = observed.age(&format!("woken-{}-{fact}{tries}", newest.id));
    if tries > 0 && since < TRY_AGAIN_AFTER {
        return Ok(true);
    }
    if tries >= NUDGE_TRIES {
        return Ok(false);
    }
    let actor = Address::Deacon.to_string();
    let news = town.ledger.write(&actor, "wake agent", |tx| {
        let news = tx.react(&newest.id, &format!("{fact}{tries}"))?;
        if news {
            tx.event("agent-woken", &agent.address.to_string(), None, None, None)?;
        }
        Ok::<_, Error>(news)
    })?;
    if news {
        town.world().sessions().say(&town.layout.session(&newest.id), NUDGE_LINE)?;
    }
    Ok(true)
}

fn waits(town: &Town, agent: &Agent, about: &str, why: &str, observed: &mut Observed) -> Result<()> {
    if observed.age(&format!("unheard-{}-{about}", agent.address)) < UNHEARD_LIMIT {
        return Ok(());
    }
    let text = format!("mail waits for {}: {why}; gt session attach {}", agent.address, agent.address);
    note(town, agent, Some(&text))
}

/// Raises the condition with this text, or clears it if there is none.
pub fn note(town: &Town, agent: &Agent, text: Option<&str>) -> Result<()> {
    let (address, actor) = (agent.address.to_string(), Address::Deacon.to_string());
    let known = town.ledger.read(|view| view.condition(ConditionKind::Unheard, &address).map_err(Error::from))?;
    if known.is_some() == text.is_some() {
        return Ok(());
    }
    town.ledger.write(&actor, "wake agent", |tx| {
        match text {
            Some(text) => tx.raise(ConditionKind::Unheard, &address, text)?,
            None => tx.clear(ConditionKind::Unheard, &address)?,
        };
        Ok(())
    })
}
