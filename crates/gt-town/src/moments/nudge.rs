//! `gt nudge`: wakes an idle agent with one fixed line, and waits until its client reports that it heard.

use std::time::Duration;

use gt_ledger::Priority;
use gt_model::address::Address;
use gt_model::id::BeadId;
use gt_model::moment::{MarkKind, Marks, NUDGE_LINE, Stage};
use gt_model::patrol::NUDGE_TRIES;
use gt_world::Said;
use serde::Serialize;

use crate::agents::marks;
use crate::agents::sessions::{self, Session};
use crate::mail::post;
use crate::moments::asking;
use crate::town::error::{Error, Result};
use crate::town::{Caller, Town};

/// Time within which the client must report the prompt that a nudge types.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(5);

/// Time between two looks at its marks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Result of a nudge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Nudged {
    /// Address of the agent.
    pub address: String,
    /// Whether the agent was woken; an agent at work is not.
    pub woken: bool,
    /// Mail that was sent first, if there was a message.
    pub mail: Option<BeadId>,
}

/// Wakes the agent at an address. Mails it `message` first, if there is one. Fails if the agent could not be told.
pub fn nudge(town: &Town, caller: &Caller, to: &str, message: Option<&str>) -> Result<Nudged> {
    let address = town.ledger.read(|view| post::recipient(view, to))?;
    let mail = message.map(|text| mail(town, caller, &address, text)).transpose()?;
    let session = sessions::find(town, &address.to_string())?;
    let (word, woken) = match wake(town, &session) {
        Ok(woken) => (if woken { "nudged" } else { "at-work" }, Ok(woken)),
        Err(error) => ("nudge-undelivered", Err(error)),
    };
    town.ledger.write(&caller.name(), "nudge", |tx| {
        tx.event(word, &address.to_string(), None, None, None).map_err(Error::from)
    })?;
    Ok(Nudged { address: address.to_string(), woken: woken?, mail })
}

fn mail(town: &Town, caller: &Caller, to: &Address, text: &str) -> Result<BeadId> {
    let subject: String = text.lines().next().unwrap_or_default().chars().take(80).collect();
    post::send_from(town, caller, &[to.to_string()], &subject, text, Priority::High)
}

/// Wakes an idle agent: true once it has heard, false if it is at work.
fn wake(town: &Town, session: &Session) -> Result<bool> {
    let undelivered = |why: &str| {
        let hint = format!("gt peek {} shows what it does; mail reaches it when it continues", session.address);
        Err(Error::TimedOut { what: format!("{} was not woken: {why}", session.address), hint })
    };
    if !session.is_running() {
        return undelivered("it has no running session");
    }
    for _ in 0..NUDGE_TRIES {
        let marks = marks::marks(town, &session.id)?;
        match asking::stage(town, &session.id, &marks)? {
            Stage::Working | Stage::InTool(_) => return Ok(false),
            Stage::Asking(mark) => {
                return undelivered(&format!(
                    "it asks a person: {}; gt agent answer has the answers",
                    mark.text.unwrap_or_default()
                ));
            }
            Stage::Limited(_) | Stage::LoggedOut(_) => return undelivered("its account is at a limit"),
            Stage::Outage(_) => return undelivered("its API does not answer"),
            Stage::Silent => return undelivered("its client does not report what it does"),
            Stage::Ended => return undelivered("its session is about to end"),
            Stage::Ready | Stage::AtPrompt(_) | Stage::Background(_) => {}
        }
        match town.world().sessions().say(&town.layout.session(&session.id), NUDGE_LINE)? {
            Said::NoWay => return undelivered("it has no terminal and no input"),
            Said::Sent | Said::Busy if has_heard(town, session, &marks)? => return Ok(true),
            Said::Sent | Said::Busy => {}
        }
    }
    undelivered("it did not answer")
}

/// Waits until the model gets a prompt that is newer than these marks.
pub(crate) fn has_heard(town: &Town, session: &Session, before: &Marks) -> Result<bool> {
    let clock = town.world().clock();
    let start = clock.monotonic();
    let prompt = |marks: &Marks| marks.get(MarkKind::Prompt).map(|mark| mark.at_us);
    while clock.monotonic() - start < ACKNOWLEDGED_WITHIN {
        if prompt(&marks::marks(town, &session.id)?) > prompt(before) {
            return Ok(true);
        }
        clock.pause(LOOK_EVERY);
    }
    Ok(false)
}
