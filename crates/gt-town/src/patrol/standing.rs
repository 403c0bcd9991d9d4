//! Standing agents: the mayor and crew members. A person starts and stops them. In between, the deacon keeps them running within
//! limits. An agent that ended by itself sleeps until it gets mail.

use std::time::Duration;

use gt_ledger::{Agent, Incarnation, Mail, Tx, View};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::moment::Stage;
use gt_model::patrol::Process;
use gt_model::protocol::{Message, MessageError};
use gt_model::standing::{self, Limit, Standing, StandingFacts};
use gt_model::start::Start;
use gt_world::{Exit, SessionState};

use crate::admission::limits::{self, Met};
use crate::admission::outage;
use crate::admission::spend;
use crate::admission::usage;
use crate::agents::log_in;
use crate::agents::marks;
use crate::agents::readiness::{self, Failing};
use crate::agents::wanted;
use crate::moments::asking::{self};
use crate::town::Town;
use crate::town::desired::{self, DOWN_REASON};
use crate::town::error::{Error, Result};
use crate::town::observed::Observed;
use crate::work::causes;

mod start_stop;
mod status;
mod wake;

pub(crate) use start_stop::check_kind;
pub use start_stop::{start, stop};
pub(crate) use status::all_in;
pub use status::{AgentDoing, AgentStatus, all, status};

/// Time that an agent's state may be unknown before a person is told.
const UNKNOWN_LIMIT: Duration = Duration::from_mins(1);

/// Number of newest incarnations that are examined for their outcome. More are never needed to see that too many in a row failed.
const LOOKED_AT: u32 = 64;

/// Patrols one agent: brings it into the state that a person last asked for.
pub fn patrol(town: &Town, agent: &Agent, observed: &mut Observed) -> Result<()> {
    record_ends(town, &Address::Deacon.to_string(), agent)?;
    let found = look(town, agent, observed)?;
    let verdict = standing::standing(&found.facts, &town.settings.patrol_limits());
    note_unknown(town, agent, &verdict, observed)?;
    note_start(town, agent, &found, &verdict)?;
    note_question(town, agent, &found)?;
    act(town, agent, &found, &verdict)?;
    match (&found.newest, &verdict) {
        (Some(newest), Standing::Up | Standing::Settled) => wake::wake(town, agent, newest, observed),
        _ => wake::note(town, agent, None),
    }
}

/// Records the ends of an agent's sessions that are over or will never start.
fn record_ends(town: &Town, actor: &str, agent: &Agent) -> Result<()> {
    let live = town.ledger.read(|view| view.live_incarnations_of_agent(&agent.address).map_err(Error::from))?;
    for incarnation in live {
        let exit = match town.world().sessions().state(&town.layout.session(&incarnation.id))? {
            SessionState::Ended(exit) => exit,
            SessionState::NotStarted if !agent.is_wanted() => {
                Exit { code: None, signal: None, reason: "never started".to_owned() }
            }
            _ => continue,
        };
        let used = usage::at_end(town, &incarnation);
        let unanswered = outage::is_unanswered(town, &incarnation.id)?;
        let cause = causes::of(town, None, &incarnation, &exit);
        town.ledger.write(actor, "record end", |tx| {
            tx.record_end(&incarnation, None, &desired::as_counted(tx, exit)?)?;
            tx.set_cause(&incarnation.id, &cause)?;
            if unanswered {
                tx.spare(&incarnation.id, outage::UNANSWERED)?;
            }
            usage::record_at_end(tx, &incarnation, &used)
        })?;
    }
    Ok(())
}

/// Facts about an agent.
struct Found {
    facts: StandingFacts,
    /// Its newest incarnation, even if it does not count.
    newest: Option<Incarnation>,
    /// Stage of that incarnation, by its hooks or by its screen at the start.
    stage: Stage,
}

fn look(town: &Town, agent: &Agent, observed: &mut Observed) -> Result<Found> {
    let (newest, counted) = town.ledger.read(|view| {
        let counted = view.newest_incarnations_of_agent(&agent.address, agent.counted_from, LOOKED_AT)?;
        Ok::<_, Error>((view.newest_incarnation_of_agent(&agent.address)?, counted))
    })?;
    let facts = StandingFacts {
        wanted: agent.is_wanted(),
        process: None,
        start: Start::Made,
        limit: Limit::None,
        is_parked: false,
        ended_well: false,
        has_mail: false,
        deaths: 0,
        ended_for: Duration::ZERO,
        running_for: Duration::ZERO,
        has_past: counted.len() > 1,
    };
    let mut found = Found { facts, newest, stage: Stage::Silent };
    let kind = if agent.is_wanted() { wanted::wanted_kind(town, agent).ok() } else { None };
    if let Some(kind) = &kind {
        found.facts.is_parked = town.ledger.read(|view| is_held_back(view, agent, kind))?;
    }
    // A running incarnation that is not wanted does not count, but must still be seen.
    let counts = |newest: &&Incarnation| !counted.is_empty() || newest.ended_at.is_none();
    if let Some(newest) = found.newest.as_ref().filter(counts) {
        (found.facts, found.stage) = look_at(town, agent, kind.as_deref(), newest, &counted, found.facts, observed)?;
    }
    Ok(found)
}

/// Returns the facts about an agent with this incarnation, including its stage.
fn look_at(
    town: &Town,
    agent: &Agent,
    kind: Option<&str>,
    newest: &Incarnation,
    counted: &[Incarnation],
    mut facts: StandingFacts,
    observed: &mut Observed,
) -> Result<(StandingFacts, Stage)> {
    let process = process(town, newest)?;
    let mut stage = asking::stage(town, &newest.id, &marks::marks(town, &newest.id)?)?;
    if let Some(kind) = kind {
        let counted: Vec<&Incarnation> = counted.iter().collect();
        let looked = readiness::look(town, kind, &counted, &process, observed)?;
        facts.start = looked.start;
        // Reports of its hooks are more reliable.
        stage = looked.told.filter(|_| stage.told().is_none()).unwrap_or(stage);
    }
    facts.process = Some(process);
    facts.ended_well = ended_well(newest);
    town.ledger.read(|view| {
        facts.limit = match stage.told() {
            None => Limit::None,
            Some(mark) if view.reactions(&newest.id)?.has(&limits::fact(mark)) => Limit::Known,
            Some(_) => Limit::New,
        };
        facts.has_mail = newest.ended_at.is_some() && !unheard(view, &agent.address)?.is_empty();
        facts.deaths = deaths(view, counted)?;
        Ok::<_, Error>(())
    })?;
    if newest.ended_at.is_some() {
        let ended_for = observed.age(&format!("ended-{}", newest.id));
        facts.ended_for = if observed.is_impatient() { Duration::MAX } else { ended_for };
    } else {
        facts.running_for = observed.age(&format!("running-{}", newest.id));
    }
    Ok((facts, stage))
}

fn process(town: &Town, newest: &Incarnation) -> Result<Process> {
    if newest.ended_at.is_some() {
        return Ok(Process::Gone);
    }
    Ok(match town.world().sessions().state(&town.layout.session(&newest.id))? {
        SessionState::NotStarted => Process::NotStarted,
        SessionState::Running { .. } => Process::Running,
        // The next patrol records its end before anything depends on it.
        SessionState::Ended(_) => Process::Unknown("it has just ended".to_owned()),
        SessionState::Unknown(why) => Process::Unknown(why),
    })
}

fn was_taken_down(exit: &Exit) -> bool {
    exit.reason == DOWN_REASON
}

/// Whether an incarnation ended by itself and successfully.
fn ended_well(incarnation: &Incarnation) -> bool {
    incarnation.exit.as_ref().is_some_and(|exit| exit.code == Some(0) && !was_taken_down(exit))
}

/// Returns the number of consecutive incarnations that failed to do their work. One that ended well after being told of mail
/// succeeded.
fn deaths(view: &View<'_>, counted: &[Incarnation]) -> Result<u32> {
    let mut deaths = 0;
    for incarnation in counted.iter().rev() {
        let Some(exit) = incarnation.exit.as_ref().filter(|exit| !was_taken_down(exit)) else { continue };
        if view.reactions(&incarnation.id)?.spared().is_some() {
            continue;
        }
        if exit.code == Some(0) && view.mails_delivered_to(&incarnation.id)? > 0 {
            break;
        }
        deaths += 1;
    }
    Ok(deaths)
}

/// Returns mail that an agent has not been told of and must wake for, oldest first.
fn unheard(view: &View<'_>, address: &Address) -> Result<Vec<Mail>> {
    let mut mail = view.inbox(address, true)?;
    mail.retain(|mail| mail.delivery.delivered_at.is_none() && wakes(mail));
    Ok(mail)
}

/// Whether a mail wakes an agent. Ordinary mail does, and so do those notices that ask for an answer.
fn wakes(mail: &Mail) -> bool {
    match Message::parse(&mail.subject, &mail.body) {
        Ok(message) => message.wakes(),
        Err(MessageError::NotProtocol | MessageError::Missing { .. }) => true,
    }
}

/// Tells a person if the state stays unknown. Does nothing else about it.
fn note_unknown(town: &Town, agent: &Agent, verdict: &Standing, observed: &mut Observed) -> Result<()> {
    let (address, deacon) = (agent.address.to_string(), Address::Deacon.to_string());
    let known = town.ledger.read(|view| view.condition(ConditionKind::Unknown, &address).map_err(Error::from))?;
    match (verdict, known) {
        (Standing::Unknown(why), None) if observed.age(&format!("unknown-{address}")) >= UNKNOWN_LIMIT => {
            let text = format!("the state of {address} is unknown: {why}");
            town.ledger.write(&deacon, "unknown", |tx| {
                tx.raise(ConditionKind::Unknown, &address, &text).map_err(Error::from)
            })?;
        }
        (Standing::Unknown(_), _) | (_, None) => {}
        (_, Some(_)) => {
            town.ledger
                .write(&deacon, "unknown", |tx| tx.clear(ConditionKind::Unknown, &address).map_err(Error::from))?;
        }
    }
    Ok(())
}

/// Maintains the condition of an agent that asks a person: raises it once for each question and clears it afterwards.
fn note_question(town: &Town, agent: &Agent, found: &Found) -> Result<()> {
    let address = agent.address.to_string();
    let asks = match (&found.stage, &found.facts.process) {
        (Stage::Asking(mark), Some(Process::Running)) => Some(asking::text(&address, mark)),
        _ => None,
    };
    let known = town.ledger.read(|view| view.condition(ConditionKind::Asks, &address).map_err(Error::from))?;
    if known.as_ref().map(|known| &known.text) == asks.as_ref() {
        return Ok(());
    }
    keep(town, agent, |tx, _| {
        tx.clear(ConditionKind::Asks, &address)?;
        if let Some(text) = &asks {
            tx.raise(ConditionKind::Asks, &address, text)?;
        }
        Ok(())
    })
}

/// Maintains the condition of an agent that does not start: raises it once and clears it afterwards.
fn note_start(town: &Town, agent: &Agent, found: &Found, verdict: &Standing) -> Result<()> {
    let address = agent.address.to_string();
    let known = town.ledger.read(|view| view.condition(ConditionKind::StartFails, &address).map_err(Error::from))?;
    match (verdict, known) {
        // An agent that is starting, or whose state is unknown, gives no new information.
        (Standing::Starting | Standing::Unknown(_), _) | (Standing::NotReady(_), Some(_)) => Ok(()),
        (Standing::NotReady(failure), None) => {
            let incarnation = found.newest.as_ref().map(|newest| &newest.id);
            let kind = wanted::wanted_kind(town, agent)?;
            let failing = Failing { kind: &kind, address: &agent.address, incarnation, failure: *failure };
            let text = failing.text(town)?;
            keep(town, agent, |tx, agent| {
                // A person may have restarted it since it was examined.
                let newest = tx.newest_incarnation_of_agent(&agent.address)?;
                if agent.is_wanted() && newest.map(|newest| newest.id).as_ref() == incarnation {
                    tx.raise(ConditionKind::StartFails, &address, &text)?;
                }
                Ok(())
            })
        }
        (_, Some(_)) => keep(town, agent, |tx, _| Ok(tx.clear(ConditionKind::StartFails, &address).map(|_| ())?)),
        (_, None) => Ok(()),
    }
}

/// Applies a change for the current agent, because a person may have started or stopped it meanwhile.
fn keep(town: &Town, agent: &Agent, change: impl FnOnce(&Tx<'_>, &Agent) -> Result<()>) -> Result<()> {
    town.ledger.write(&Address::Deacon.to_string(), "keep agent", |tx| match tx.agent(&agent.address)? {
        Some(agent) => change(tx, &agent),
        None => Ok(()),
    })
}

fn act(town: &Town, agent: &Agent, found: &Found, verdict: &Standing) -> Result<()> {
    let newest = found.newest.as_ref();
    match verdict {
        Standing::Due => {
            // Report this for the agent itself at once, not for one of its starts.
            wanted::wanted_kind(town, agent)?;
            keep(town, agent, |tx, agent| if agent.is_wanted() { wanted::begin(tx, agent) } else { Ok(()) })
        }
        Standing::Limited if found.facts.limit == Limit::New => {
            let Some(newest) = newest else { return Ok(()) };
            let (kind, whom) = (wanted::wanted_kind(town, agent)?, agent.address.to_string());
            let log_in = log_in(town, &kind);
            let met = Met { incarnation: &newest.id, kind: &kind, whom: &whom, stage: &found.stage, log_in: &log_in };
            keep(town, agent, |tx, _| limits::note(tx, &met, None))
        }
        Standing::Resumed if !wanted::ends_already(town, newest)? => {
            keep(town, agent, |tx, agent| wanted::decide_ends(tx, agent).map(|_| ()))
        }
        Standing::Stopping if !wanted::ends_already(town, newest)? => {
            keep(town, agent, |tx, agent| match agent.is_wanted() {
                true => Ok(()),
                false => wanted::decide_ends(tx, agent).map(|_| ()),
            })
        }
        Standing::Settled => keep(town, agent, |tx, agent| match newest {
            Some(newest) => Ok(tx.settle_agent(agent, newest.number)?),
            None => Ok(()),
        }),
        Standing::GivenUp => keep(town, agent, |tx, agent| give_up(tx, agent, newest)),
        Standing::Stopped
        | Standing::Stopping
        | Standing::Starting
        | Standing::NotReady(_)
        | Standing::Limited
        | Standing::Resumed
        | Standing::Up
        | Standing::Asleep
        | Standing::BackingOff
        | Standing::Unknown(_) => Ok(()),
    }
}

/// Whether an agent's kind is parked and the agent is not the one that tries it.
fn is_parked(town: &Town, agent: &Agent) -> Result<bool> {
    let kind = wanted::wanted_kind(town, agent)?;
    town.ledger.read(|view| is_held_back(view, agent, &kind))
}

/// Whether an agent may not start a turn, because of an account limit, an outage, or a spending limit.
fn is_held_back(view: &View<'_>, agent: &Agent, kind: &str) -> Result<bool> {
    let is_parked = limits::is_parked_but_for(view, kind, Some(&agent.address.to_string()))?;
    Ok(is_parked || spend::must_end(view, &agent.address)?.is_some())
}

/// Gives an agent up. It does not start again until a person says so.
fn give_up(tx: &Tx<'_>, agent: &Agent, newest: Option<&Incarnation>) -> Result<()> {
    tx.stop_agent(agent)?;
    let exit = newest.and_then(|newest| newest.exit.as_ref()).map(|exit| exit.reason.as_str());
    let last = newest.and_then(|newest| newest.cause.as_deref()).or(exit).unwrap_or_default();
    let again = match &agent.address {
        Address::Crew(rig, name) => format!("gt crew start {rig} {name}"),
        _ => "gt mayor start".to_owned(),
    };
    let address = agent.address.to_string();
    let session = newest.map_or("", |newest| newest.id.as_str());
    let text = format!(
        "{address} ended too often and is stopped; the last time: {last}. gt peek {session} shows why, {again} starts it"
    );
    tx.raise(ConditionKind::GivenUp, &address, &text)?;
    Ok(())
}
