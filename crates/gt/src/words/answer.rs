//! Words for the state of a bead, and the command to type next.

use gt_ledger::EffectRow;
use gt_model::id::BeadId;
use gt_model::queue::MrStatus;
use gt_town::refinery::queue::QueueItem;
use gt_town::view::answer::Answer;
use gt_town::view::doing::waiting_for;

use super::worker;

/// Describes the state of a bead in one line.
pub fn answer(id: &BeadId, answer: &Answer) -> String {
    match answer {
        Answer::Dropped(lost) => format!("{id} is closed, but {lost}"),
        Answer::Closed(reason) => format!("{id} is closed: {}", reason.as_deref().unwrap_or("no reason was given")),
        Answer::Deleted => format!("{id} is deleted"),
        Answer::OnHook { worker: address, doing } => format!("{id} is on the hook of {address}: {}", worker(doing)),
        Answer::InQueue { item, landing } => in_queue(item, landing.as_deref()),
        Answer::Quarantined(why) => format!("{id} waits for a person: {why}"),
        Answer::HasStatus(status) => format!("{id} is {status}"),
        Answer::WaitsFor(beads) => {
            let beads: Vec<&str> = beads.iter().map(BeadId::as_str).collect();
            format!("{id} waits for {}", beads.join(", "))
        }
        Answer::NotWork(kind) => format!("{id} is a {kind}: workers do not work on those"),
        Answer::Ready => format!("{id} is ready"),
    }
}

fn in_queue(item: &QueueItem, landing: Option<&EffectRow>) -> String {
    let id = &item.mr.id;
    match &item.status {
        MrStatus::Waiting => match &item.gating {
            Some(running) => format!("{id} is gated: {}", running.words(id)),
            None => format!("{id} waits for its turn in the merge queue of {}", item.mr.rig),
        },
        MrStatus::NeedsApproval => {
            let why = item.mr.reason().map(|why| format!(": {why}")).unwrap_or_default();
            format!("{id} is green and waits for a person{why}")
        }
        MrStatus::Held(why) => format!("{id} is held: {why}"),
        MrStatus::Empty(why) | MrStatus::MaybeLanded(why) => {
            format!("{id} waits for a person to say whether it has landed: {why}")
        }
        MrStatus::Landing => match landing.filter(|row| row.last_error.is_some()) {
            Some(row) => format!("{id} is landing: {}", waiting_for(row)),
            None => format!("{id} is landing"),
        },
        MrStatus::Ended(end) => format!("{id} is over: {}", end.as_str()),
    }
}

/// Returns the command or act that helps, if there is one. `is_stalled`: effects for the bead wait, and the deacon is down.
pub fn next(id: &BeadId, answer: &Answer, is_stalled: bool) -> Option<String> {
    let next = match answer {
        Answer::Deleted => Some(format!("gt bead reopen {id}")),
        Answer::InQueue { item, landing } => next_in_queue(item, landing.as_deref()),
        Answer::Quarantined(_) => Some(format!("look at it, then: gt sling {id} <rig>")),
        Answer::HasStatus(_) => Some(format!("gt bead update {id} --status open")),
        Answer::Ready => Some(format!("gt sling {id} <rig>")),
        Answer::Dropped(_) | Answer::Closed(_) | Answer::OnHook { .. } => None,
        Answer::WaitsFor(_) | Answer::NotWork(_) => None,
    };
    next.or_else(|| is_stalled.then(|| "gt up".to_owned()))
}

fn next_in_queue(item: &QueueItem, landing: Option<&EffectRow>) -> Option<String> {
    let id = &item.mr.id;
    match &item.status {
        MrStatus::Waiting => item.gating.as_ref().map(|_| format!("gt mq log {id} --follow")),
        MrStatus::NeedsApproval => Some(format!("gt mq diff {id}, then gt mq approve {id}")),
        MrStatus::Held(_) => Some(format!("gt mq retry {id}")),
        MrStatus::Empty(_) | MrStatus::MaybeLanded(_) => Some(format!("gt mq show {id}")),
        MrStatus::Landing => {
            let fails = landing.is_some_and(|row| row.last_error.is_some());
            fails.then(|| "gt refinery run --once tries it now".to_owned())
        }
        MrStatus::Ended(_) => None,
    }
}
