//! `gt handoff`: an agent writes a message to its successor and ends when its turn ends.

use std::time::Duration;

use gt_ledger::Attempt;
use gt_model::protocol::Message;
use serde::Serialize;

use crate::mail::post;
use crate::town::error::{Error, Result};
use crate::town::identity;
use crate::town::{Caller, Town};
use crate::work::decided;
use crate::work::hook;

/// Result of a handoff.
#[derive(Clone, Debug, Serialize)]
pub struct HandedOff {
    /// The attempt, which continues.
    pub attempt: Attempt,
    /// Id of the mail to the successor.
    pub mail: String,
}

/// Reason recorded for an incarnation that handed off its work. It does not count as a failure.
pub(crate) const HANDED_OFF: &str = "it handed its work to its successor";

/// Writes a message to the caller's successor. The session ends when its turn does, and a new incarnation continues.
pub fn handoff(town: &Town, caller: &Caller, subject: &str, text: &str) -> Result<HandedOff> {
    post::check(subject, text)?;
    let handed = town.ledger.write(&caller.name(), "handoff", |tx| {
        let attempt = identity::hooked_attempt(tx, caller)?;
        let incarnation = caller.incarnation.as_ref().ok_or(Error::BadToken)?;
        let (step, next) = hook::next_words(&tx.steps(attempt.id)?);
        let message = Message::Handoff {
            molecule: attempt.branch.clone(),
            step,
            context: subject.to_owned(),
            next: format!("when that step is done: {next}"),
        };
        let mail = post::send(tx, attempt.address(), vec![attempt.address()], &message.subject(), &message.body(text))?;
        tx.spare(incarnation, HANDED_OFF)?;
        tx.event("handed-off", incarnation.as_str(), Some(&attempt.bead), None, None)?;
        decided::decide_snapshot(tx, &attempt)?;
        decided::decide_end(tx, &attempt, incarnation, Duration::from_secs(town.settings.linger_seconds))?;
        Ok::<_, Error>(HandedOff { attempt, mail: mail.0 })
    })?;
    town.wake();
    Ok(handed)
}
