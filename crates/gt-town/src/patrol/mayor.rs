//! The mayor: the agent that people tell what to build. Requests are mail. This module sends them and waits for the answer.

use std::collections::BTreeSet;
use std::time::Duration;

use gt_ledger::{AgentChoice, Mail};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::id::BeadId;
use serde::Serialize;

use crate::agents::wanted;
use crate::mail::post;
use crate::patrol::needs::{self, Need};
use crate::patrol::standing::{self, AgentStatus};
use crate::rigs::reading;
use crate::town::error::{Error, Result};
use crate::town::person;
use crate::town::{Caller, Town};

/// Number of characters of a question that become the mail's subject.
const SUBJECT_CHARS: usize = 72;

/// Interval of the checks for an answer.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A question that was sent to the mayor.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// Id of the mail.
    pub mail: BeadId,
    /// Whether the mayor was stopped and this started it.
    pub started: bool,
    /// Current state of the mayor.
    pub mayor: AgentStatus,
}

/// Sends a person's question to the mayor as mail. Starts a stopped mayor, with this as its first work.
pub fn ask(town: &Town, caller: &Caller, text: &str) -> Result<Asked> {
    person::require_or(caller, "asks the mayor so", "gt mail send mayor/ -s <subject> -m <text>")?;
    post::check(&subject(text), text)?;
    standing::check_kind(town, &Address::Mayor, &AgentChoice::default())?;
    let (mail, started) = town.ledger.write(&caller.name(), "mayor ask", |tx| {
        let mayor = tx.add_agent(&Address::Mayor)?;
        if !mayor.is_wanted() {
            tx.want_agent(&mayor, &AgentChoice::default())?;
            tx.clear(ConditionKind::GivenUp, &Address::Mayor.to_string())?;
            reading::decide_all(tx)?;
        }
        let mail = post::send(tx, caller.address.clone(), vec![Address::Mayor], &subject(text), text)?;
        Ok::<_, Error>((mail, !mayor.is_wanted()))
    })?;
    town.wake();
    Ok(Asked { mail, started, mayor: standing::status(town, &Address::Mayor)? })
}

/// Returns the first line, cut to a subject's length.
fn subject(text: &str) -> String {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("A question");
    let plain: String = first.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if plain.chars().count() <= SUBJECT_CHARS {
        return plain;
    }
    plain.chars().take(SUBJECT_CHARS - 1).chain(['…']).collect()
}

/// Waits for the mayor's next mail to the person after that question, for a limited time. Calls `waits` once for each thing for
/// which the mayor itself waits for a person.
pub fn wait_for_answer(
    town: &Town,
    question: &BeadId,
    at_most: Duration,
    waits: &mut dyn FnMut(&Need),
) -> Result<Option<Mail>> {
    let mut told = BTreeSet::new();
    let clock = town.world().clock();
    let start = clock.monotonic();
    let mayor = Address::Mayor.to_string();
    loop {
        let answer = town.ledger.read(|view| {
            let Some(asked) = view.mail(question, &Address::Mayor)? else { return Ok(None) };
            let mut inbox = view.inbox(&Address::Overseer, false)?.into_iter();
            let later = |mail: &Mail| mail.from == mayor && mail.delivery.sent_at >= asked.delivery.sent_at;
            Ok::<_, Error>(inbox.find(later))
        })?;
        let agent = town.ledger.read(|view| wanted::require(view, &Address::Mayor))?;
        let kind = wanted::wanted_kind(town, &agent).ok();
        for need in town.ledger.read(|view| needs::of_agent(view, &mayor, kind.as_deref()))? {
            if told.insert(need.condition.text.clone()) {
                waits(&need);
            }
        }
        if answer.is_some() || clock.monotonic() - start >= at_most {
            return Ok(answer);
        }
        clock.pause(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_s_subject_is_its_first_line() {
        assert_eq!(subject("\n  Fix the login \t now\nAll of it"), "Fix the login   now");
        assert_eq!(subject(" \n"), "A question");
        let long = subject(&"ä".repeat(100));
        assert_eq!((long.chars().count(), long.ends_with('…')), (SUBJECT_CHARS, true));
    }
}
