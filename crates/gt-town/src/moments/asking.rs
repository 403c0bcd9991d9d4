//! Agents' questions to a person: how to find one on an agent's terminal, and how a person answers it from elsewhere.

use std::time::Duration;

use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::id::IncarnationId;
use gt_model::moment::{Mark, MarkKind, Marks, Stage};
use gt_model::patrol::NUDGE_TRIES;
use gt_model::question::{self, Key, Reply, Step};
use gt_model::start::Shown;
use gt_world::Said;
use serde::Serialize;

use crate::agents::marks;
use crate::agents::sessions::{self, Session};
use crate::moments::allow::{self, Whom};
use crate::moments::nudge;
use crate::town::error::{Error, Result};
use crate::town::person;
use crate::town::{Caller, Town};

/// Time that a client has to draw a question after it announced it.
const DRAWN_WITHIN: Duration = Duration::from_secs(3);

/// Maximum number of keys for one answer.
const MAX_KEYS: usize = 16;

/// Time that a client has to react to one key.
const KEY_LIMIT: Duration = Duration::from_secs(3);

/// Time between two looks at its screen.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Message to an agent after a No. Its client tells it nothing and returns to its prompt.
pub(crate) const NO_LINE: &str = "Gas Town: a person saw your request and said no. Work without it, or ask by mail (gt \
                                  mail send overseer) and say why you need it. Then continue your work: gt hook.";

/// A person's answer to an agent's question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Allow it this once.
    Yes,
    /// Deny it.
    No,
    /// Allow it this once, and from now on without asking.
    Always,
}

/// Result of answering a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answered {
    /// Address of the agent that asked.
    pub address: String,
    /// The agent's question.
    pub asked: String,
    /// Pattern that is allowed from now on, if any.
    pub allowed: Option<String>,
}

/// Returns an agent's stage from its marks. Where the marks say that it asks, the terminal decides: an answer that a person
/// gives there leaves no mark. After a yes the tool runs; after a no the agent is at its prompt.
pub(crate) fn stage(town: &Town, id: &IncarnationId, marks: &Marks) -> Result<Stage> {
    let stage = marks.stage();
    let Stage::Asking(mark) = &stage else { return Ok(stage) };
    let Some(screen) = town.world().sessions().screen(&town.layout.session(id), 0)? else { return Ok(stage) };
    let age = town.world().clock().monotonic().saturating_sub(Duration::from_micros(mark.at_us));
    if question::is_asked(&screen) || age < DRAWN_WITHIN {
        return Ok(stage);
    }
    let presets = town.settings.agents.values().chain(town.outside.presets.values());
    let mut words = presets.filter_map(|preset| preset.shows.get(&Shown::Interrupted)).flatten();
    let is_interrupted = words.any(|words| screen.contains(words.as_str()));
    Ok(if is_interrupted { Stage::AtPrompt(mark.clone()) } else { Stage::InTool(mark.clone()) })
}

/// Describes an agent's question for its condition.
pub(crate) fn text(address: &str, mark: &Mark) -> String {
    format!("{address} asks: {}", mark.text.as_deref().unwrap_or("the question is in its terminal"))
}

/// Answers the question on an agent's terminal.
pub fn answer(town: &Town, caller: &Caller, name: &str, answer: Answer) -> Result<Answered> {
    person::require_or(caller, "answers what an agent asks a person", "gt mail send overseer")?;
    let session = sessions::find(town, name)?;
    let marks = marks::marks(town, &session.id)?;
    let mark = match marks.stage() {
        Stage::Asking(mark) => Some(mark),
        _ => None,
    };
    let allow = mark.as_ref().and_then(|mark| mark.allow.clone());
    if answer == Answer::Always && allow.is_none() {
        return Err(Error::refused(
            format!("what {} asks can't be allowed permanently", session.address),
            format!("gt agent answer {} yes allows it this once", session.address),
        ));
    }
    let asked = mark.and_then(|mark| mark.text).unwrap_or_default();
    press(town, &session, if answer == Answer::No { Reply::No } else { Reply::Yes })?;
    let allowed = match (answer, allow) {
        (Answer::Always, Some(pattern)) => Some(allow_always(town, caller, &session, &pattern)?),
        _ => None,
    };
    if answer == Answer::No {
        tell_no(town, &session)?;
    }
    town.ledger.write(&caller.name(), "agent answer", |tx| {
        let word = match answer {
            Answer::Yes => "yes",
            Answer::No => "no",
            Answer::Always => "always",
        };
        let facts = serde_json::json!({ "asked": asked, "answer": word });
        tx.event("answered", &session.address, None, None, Some(&facts))?;
        for kind in [ConditionKind::Asks, ConditionKind::StartFails] {
            tx.clear(kind, &session.address)?;
        }
        Ok::<_, Error>(())
    })?;
    town.wake();
    Ok(Answered { address: session.address, asked, allowed })
}

/// Tells an agent about a No, and waits until it has heard. An agent that had not begun ends at a No, so it is not told.
fn tell_no(town: &Town, session: &Session) -> Result<()> {
    for _ in 0..NUDGE_TRIES {
        let marks = marks::marks(town, &session.id)?;
        if marks.get(MarkKind::Prompt).is_none() {
            return Ok(());
        }
        let said = town.world().sessions().say(&town.layout.session(&session.id), NO_LINE)?;
        if said == Said::NoWay || nudge::has_heard(town, session, &marks)? {
            return Ok(());
        }
    }
    Ok(())
}

fn allow_always(town: &Town, caller: &Caller, session: &Session, pattern: &str) -> Result<String> {
    let address = Address::parse(&session.address)
        .map_err(|_| Error::Unknown { what: "address", name: session.address.clone() })?;
    match address.rig() {
        Some(rig) => allow::add(town, caller, Whom::Rig(&town.rig(rig.as_str())?), pattern),
        None => allow::add(town, caller, Whom::Mayor, pattern),
    }
}

/// Presses one key after another until the question is answered.
fn press(town: &Town, session: &Session, reply: Reply) -> Result<()> {
    let (sessions, dir) = (town.world().sessions(), town.layout.session(&session.id));
    let attach = format!("gt session attach {}", session.address);
    is_drawn(town, session)?;
    for _ in 0..MAX_KEYS {
        let Some(screen) = sessions.screen(&dir, 0)? else {
            let hint = format!(
                "gt status shows under \"needs you\" what it was denied, and the command that allows it; gt peek {}",
                session.address
            );
            return Err(Error::refused(format!("{} has no terminal to ask in", session.address), hint));
        };
        let (key, last) = match question::next(&screen, reply) {
            Step::Press { key, last } => (key, last),
            Step::Other | Step::Nothing if shows_login(town, &screen) => {
                let what = format!("{} asks for a login, which only a person can do", session.address);
                return Err(Error::refused(what, format!("{attach}, and log in there")));
            }
            Step::Other if reply == Reply::No => (Key::Escape, true),
            Step::Other => {
                let what = format!("the question of {} has no yes-or-no answer", session.address);
                return Err(Error::refused(what, format!("{attach}; or gt agent answer {} no", session.address)));
            }
            Step::Nothing => return Err(Error::refused(format!("{} asks nothing", session.address), attach)),
        };
        if sessions.press(&dir, key)? != Said::Sent {
            return Err(Error::refused(format!("gt can't type to {} now", session.address), attach));
        }
        let changed = changes(town, session, &screen)?;
        if last && changed {
            return Ok(());
        }
    }
    Err(Error::TimedOut { what: format!("{} did not take the answer", session.address), hint: attach })
}

/// Whether a screen shows the words with which a client of any kind asks for a login.
fn shows_login(town: &Town, screen: &str) -> bool {
    let presets = town.settings.agents.values().chain(town.outside.presets.values());
    let mut words = presets.filter_map(|preset| preset.shows.get(&Shown::Login)).flatten();
    let screen = screen.to_lowercase();
    words.any(|words| screen.contains(&words.to_lowercase()))
}

/// Waits until the screen shows a question, at most as long as the client may take to draw it.
fn is_drawn(town: &Town, session: &Session) -> Result<()> {
    let (clock, dir) = (town.world().clock(), town.layout.session(&session.id));
    let start = clock.monotonic();
    while clock.monotonic() - start < DRAWN_WITHIN {
        match town.world().sessions().screen(&dir, 0)? {
            Some(screen) if !question::is_asked(&screen) => clock.pause(LOOK_EVERY),
            _ => break,
        }
    }
    Ok(())
}

/// Waits until the terminal shows something else.
fn changes(town: &Town, session: &Session, before: &str) -> Result<bool> {
    let (clock, dir) = (town.world().clock(), town.layout.session(&session.id));
    let start = clock.monotonic();
    while clock.monotonic() - start < KEY_LIMIT {
        clock.pause(LOOK_EVERY);
        if town.world().sessions().screen(&dir, 0)?.as_deref() != Some(before) {
            return Ok(true);
        }
    }
    Ok(false)
}
