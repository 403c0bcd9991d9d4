//! Why a bead is in its state: the one fact that decides it.

use gt_ledger::{Attempt, Blocker, Condition, EffectRow, View};
use gt_model::address::Address;
use gt_model::bead::{Bead, BeadType, Status};
use gt_model::condition::ConditionKind;
use gt_model::effect::Effect;
use gt_model::id::BeadId;
use serde::Serialize;

use super::doing::{self, WorkerDoing};
use crate::refinery::queue::QueueItem;
use crate::town::Town;
use crate::town::error::Result;

/// State of a bead, with the fact that decides it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is closed, but work on it is missing: the condition's text.
    Dropped(String),
    /// It is closed, for this reason.
    Closed(Option<String>),
    /// It is deleted.
    Deleted,
    /// It is on a worker's hook.
    OnHook {
        /// Address of the worker.
        worker: Address,
        /// Current activity of the worker.
        doing: WorkerDoing,
    },
    /// Its merge request is in the queue.
    InQueue {
        /// The merge request.
        item: Box<QueueItem>,
        /// The effect that lands it, if it is decided.
        landing: Option<Box<EffectRow>>,
    },
    /// It waits for a person because it failed too often: the condition's text.
    Quarantined(String),
    /// It has a status in which no work on it begins.
    HasStatus(Status),
    /// Other beads, or a time, must pass first.
    WaitsFor(Vec<BeadId>),
    /// It is of a type that no worker works on.
    NotWork(BeadType),
    /// Work on it can begin.
    Ready,
}

/// Facts that decide a bead's state.
pub(super) struct Facts<'f> {
    pub attempts: &'f [Attempt],
    pub items: &'f [QueueItem],
    pub effects: &'f [EffectRow],
    pub conditions: &'f [Condition],
}

impl Facts<'_> {
    fn condition(&self, kind: ConditionKind) -> Option<&str> {
        let found = self.conditions.iter().find(|condition| condition.kind == kind);
        found.map(|condition| condition.text.as_str())
    }

    fn in_queue(&self) -> Option<Answer> {
        let item = self.items.iter().find(|item| item.mr.ended_at.is_none())?;
        let landing = self.effects.iter().find(|row| matches!(row.effect, Effect::Land { .. }));
        Some(Answer::InQueue { item: Box::new(item.clone()), landing: landing.cloned().map(Box::new) })
    }
}

/// Returns the state of a bead. `held_by` contains its blockers if something holds it back.
pub(super) fn answer(
    town: &Town,
    view: &View<'_>,
    bead: &Bead,
    facts: &Facts<'_>,
    held_by: Option<&Vec<Blocker>>,
) -> Result<Answer> {
    if bead.status == Status::Closed {
        let lost = facts.condition(ConditionKind::Dropped);
        let closed = || Answer::Closed(bead.close_reason.clone());
        return Ok(lost.map_or_else(closed, |lost| Answer::Dropped(lost.to_owned())));
    }
    if bead.status == Status::Tombstone {
        return Ok(Answer::Deleted);
    }
    if let Some(attempt) = facts.attempts.iter().find(|attempt| attempt.is_hooked()) {
        return Ok(Answer::OnHook { worker: attempt.address(), doing: doing::doing(town, view, attempt)? });
    }
    let quarantined = || facts.condition(ConditionKind::Quarantine).map(|text| Answer::Quarantined(text.to_owned()));
    if let Some(answer) = facts.in_queue().or_else(quarantined) {
        return Ok(answer);
    }
    Ok(match held_by {
        _ if bead.status != Status::Open => Answer::HasStatus(bead.status.clone()),
        Some(blockers) => Answer::WaitsFor(blockers.iter().map(|blocker| blocker.id.clone()).collect()),
        None if !bead.issue_type.is_work() => Answer::NotWork(bead.issue_type.clone()),
        None => Answer::Ready,
    })
}
