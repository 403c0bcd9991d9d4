//! Handles workers that stand still: nudges, limits, and conditions for a person.

use std::collections::BTreeSet;

use gt_ledger::{Attempt, Condition, Tx};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::moment::{MarkKind, NUDGE_LINE, Stage};
use gt_model::patrol::Verdict;
use gt_model::protocol::Message;
use gt_world::Said;

use super::facts::Found;
use super::{Watch, Witness};
use crate::admission::limits::{self, Met};
use crate::agents::log_in;
use crate::mail::post;
use crate::town::error::{Error, Result};
use crate::work::decided;

/// Kinds of condition on a worker that follow from its verdict.
const BY_VERDICT: [ConditionKind; 2] = [ConditionKind::Asks, ConditionKind::LongTool];

/// Kinds of condition that end with a worker's work.
const OF_WORKERS: [ConditionKind; 3] = [ConditionKind::Asks, ConditionKind::LongTool, ConditionKind::Denied];

impl Witness<'_> {
    /// Types the fixed line. Records it first, so that a deacon that is killed does not type forever.
    pub(super) fn nudge(&self, attempt: &Attempt, found: &Found, verdict: &Verdict) -> Result<()> {
        let Some(newest) = found.newest() else { return Ok(()) };
        let (here, _) = found.nudge_facts();
        let fact = format!("{here}{}", found.facts.nudges.here);
        let news = self.write("nudge worker", |tx| {
            let news = tx.react(&newest.id, &fact)?;
            if news {
                let why = serde_json::Value::from(verdict.text());
                tx.event("worker-nudged", newest.id.as_str(), Some(&attempt.bead), None, Some(&why))?;
            }
            Ok(news)
        })?;
        if !news {
            return Ok(());
        }
        match self.town.world().sessions().say(&self.town.layout.session(&newest.id), NUDGE_LINE)? {
            Said::Sent | Said::Busy => Ok(()),
            // This session can't be woken.
            Said::NoWay => self.end_silent(attempt, "worker-silent"),
        }
    }

    /// Parks the kind of agent of a worker that met a limit or whose API does not answer.
    pub(super) fn park(&self, attempt: &Attempt, found: &Found) -> Result<()> {
        let Some(newest) = found.newest() else { return Ok(()) };
        match &found.facts.stage {
            Stage::Limited(_) if found.facts.limit_known => limits::refine(self.town, &attempt.agent, found.resets_at),
            stage if found.facts.limit_known || stage.told().is_none() => Ok(()),
            stage => {
                let whom = attempt.id.to_string();
                let log_in = log_in(self.town, &attempt.agent);
                let met = Met { incarnation: &newest.id, kind: &attempt.agent, whom: &whom, stage, log_in: &log_in };
                self.write("park", |tx| limits::note(tx, &met, found.resets_at))
            }
        }
    }

    /// Decides a snapshot after a turn that used tools.
    pub(super) fn note_turn(&self, attempt: &Attempt, found: &Found, watch: &mut Watch) -> Result<()> {
        let (Some(newest), Some(stop)) = (found.newest(), found.marks.get(MarkKind::Stop)) else { return Ok(()) };
        let before = watch.turns.get(&newest.id.0).copied().unwrap_or_default();
        if found.facts.hook_empty || newest.ended_at.is_some() || stop.at_us <= before {
            return Ok(());
        }
        watch.turns.insert(newest.id.0.clone(), stop.at_us);
        if found.marks.get(MarkKind::AfterTool).is_none_or(|tool| tool.at_us <= before) {
            return Ok(());
        }
        self.write("turn end", |tx| decided::decide_snapshot(tx, attempt))
    }

    /// Clears the conditions of workers without work on their hook. Their questions and denied requests no longer need a person.
    pub(super) fn forget_gone(&self, attempts: &[Attempt]) -> Result<()> {
        let rig = self.rig.name();
        let at_work: BTreeSet<String> =
            attempts.iter().filter(|a| &a.rig == rig && a.is_hooked()).map(|a| a.address().to_string()).collect();
        let workers = format!("{rig}/polecats/");
        let gone = |condition: &Condition| {
            let address = condition.subject.split(' ').next().unwrap_or_default();
            OF_WORKERS.contains(&condition.kind) && address.starts_with(&workers) && !at_work.contains(address)
        };
        let known = self.town.ledger.read(|view| view.conditions().map_err(Error::from))?;
        let gone: Vec<Condition> = known.into_iter().filter(gone).collect();
        if gone.is_empty() {
            return Ok(());
        }
        self.write("forget", |tx| {
            for condition in &gone {
                tx.clear(condition.kind, &condition.subject)?;
            }
            Ok(())
        })
    }

    /// Maintains the conditions that a person must see, while they last.
    pub(super) fn note_conditions(&self, attempt: &Attempt, verdict: &Verdict) -> Result<()> {
        let worker = attempt.address().to_string();
        let (kind, text) = match verdict {
            Verdict::WaitingOnPerson(what) => (Some(ConditionKind::Asks), format!("{worker} asks: {what}")),
            Verdict::LongTool(tool) => {
                (Some(ConditionKind::LongTool), format!("{worker} has been in a tool for very long: {tool}"))
            }
            _ => (None, String::new()),
        };
        let known = self.town.ledger.read(|view| {
            let known = BY_VERDICT.iter().map(|kind| Ok((*kind, view.condition(*kind, &worker)?)));
            known.collect::<Result<Vec<_>>>()
        })?;
        // A new question is reported again.
        let is_same = |known: &Condition| known.kind != ConditionKind::Asks || known.text == text;
        let holds = |known: &Option<Condition>, of: ConditionKind| match known {
            Some(known) => Some(of) == kind && is_same(known),
            None => Some(of) != kind,
        };
        if known.iter().all(|(of, known)| holds(known, *of)) {
            return Ok(());
        }
        let changed = known.iter().any(|(_, known)| known.as_ref().is_some_and(|known| !is_same(known)));
        self.write("note verdict", |tx| {
            for condition in BY_VERDICT.into_iter().filter(|condition| changed || Some(*condition) != kind) {
                tx.clear(condition, &worker)?;
            }
            if let Some(kind) = kind
                && tx.raise(kind, &worker, &text)?
            {
                // The mayor can't answer a question to a person.
                let to = if kind == ConditionKind::Asks {
                    vec![Address::Overseer]
                } else {
                    vec![Address::Mayor, Address::Overseer]
                };
                tell(tx, attempt, to, &text)?;
            }
            Ok(())
        })
    }
}

fn tell(tx: &Tx<'_>, attempt: &Attempt, to: Vec<Address>, text: &str) -> Result<()> {
    let message =
        Message::Escalation { bead: attempt.bead.to_string(), severity: "high".to_owned(), reason: text.to_owned() };
    let from = Address::Witness(attempt.rig.clone());
    post::send_protocol(tx, from, to, &message, "")
}
