//! Sends work back to a worker with the reason, or gives it up over the rework limit.

use std::time::Duration;

use gt_ledger::{AttemptOutcome, MergeRequest, Tx, View};
use gt_model::address::Address;
use gt_model::bead::{Bead, Status};
use gt_model::condition::ConditionKind;
use gt_model::effect::Effect;
use gt_model::id::MrId;
use gt_model::protocol::Message;
use gt_model::queue::MrEnd;

use crate::mail::post;
use crate::town::error::Result;
use crate::work::convoy;
use crate::work::done;
use crate::work::sling::{Before, Crew, hand_out};

/// Returns the current merge request, unless it is finished.
pub(crate) fn still_open(view: &View<'_>, id: &MrId) -> Result<Option<MergeRequest>> {
    Ok(view.merge_request(id)?.filter(|mr| mr.ended_at.is_none()))
}

/// Ends a merge request as rework and gives its bead to a new worker, who continues from its head and sees the reason. Over
/// `budget`, a person must look instead.
pub(crate) fn send_back(tx: &Tx<'_>, crew: &Crew, mr: &MergeRequest, why: &str, budget: u32) -> Result<()> {
    if still_open(tx, &mr.id)?.is_none() {
        return Ok(());
    }
    tx.end_merge_request(mr, MrEnd::Rework, Some(why))?;
    tx.clear(ConditionKind::Approval, mr.id.as_str())?;
    let Some(attempt) = tx.attempt(mr.attempt)? else { return Ok(()) };
    tx.end_attempt(&attempt, AttemptOutcome::Rework)?;
    // Its head is pinned, and the next attempt has its own branch.
    tx.decide(&Effect::DropBranch { attempt: attempt.id }, Some(&mr.rig), Some(&mr.bead), Duration::ZERO)?;
    let Some(bead) = tx.bead(&mr.bead)? else { return Ok(()) };
    let number = attempt.number;
    notify_failed(tx, mr, why, number)?;
    if tx.rework_count(&mr.bead)? > budget {
        return give_up(tx, &attempt, &bead, why);
    }
    let before = Before { head: Some(mr.head.clone()), why: why.to_owned(), restores: None };
    let next = hand_out(tx, crew, &bead, attempt.convoy.as_ref(), attempt.swarm, Some(before))?;
    let message = Message::ReworkRequest {
        mr: mr.id.to_string(),
        bead: mr.bead.to_string(),
        failure: first_line(why),
        attempt: next.number.to_string(),
    };
    post::send_protocol(tx, Address::Refinery(mr.rig.clone()), vec![next.address()], &message, why)
}

fn notify_failed(tx: &Tx<'_>, mr: &MergeRequest, why: &str, attempt: u32) -> Result<()> {
    let message = Message::MergeFailed {
        mr: mr.id.to_string(),
        bead: mr.bead.to_string(),
        branch: mr.branch.clone(),
        failure: first_line(why),
        attempt: attempt.to_string(),
    };
    let to = vec![Address::Witness(mr.rig.clone())];
    post::send_protocol(tx, Address::Refinery(mr.rig.clone()), to, &message, why)
}

pub(crate) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The rework limit is reached: the bead waits for a person and its work stays pinned.
fn give_up(tx: &Tx<'_>, attempt: &gt_ledger::Attempt, bead: &Bead, why: &str) -> Result<()> {
    let freed = Bead { status: Status::Open, assignee: None, ..bead.clone() };
    tx.change_bead("bead-given-up", bead, &freed)?;
    done::escalate(tx, attempt, &format!("sent back too often; last: {}", first_line(why)))?;
    convoy::bead_finished(tx, &bead.id, "failed")
}
