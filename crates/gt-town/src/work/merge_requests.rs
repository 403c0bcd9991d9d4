//! Takes merge requests out of the queue.

use std::time::Duration;

use gt_ledger::{AttemptOutcome, MergeRequest, Tx};
use gt_model::condition::ConditionKind;
use gt_model::id::BeadId;
use gt_model::queue::MrEnd;

use crate::town::error::{Error, Result};
use crate::work::sling::clear_away;

/// Takes a bead's open merge request out of the queue, because the bead was closed in another way.
pub fn reject(tx: &Tx<'_>, bead: &BeadId, why: &str) -> Result<()> {
    let open = tx.open_merge_requests(None)?.into_iter().find(|mr| &mr.bead == bead);
    open.map_or(Ok(()), |mr| take_out(tx, &mr, why))
}

/// Returns an error if a merge request is being pushed to the remote. It can't be stopped then.
pub(crate) fn refuse_landing(mr: &MergeRequest) -> Result<()> {
    match mr.landing {
        Some(_) => Err(Error::refused(format!("{} is landing now", mr.id), "wait for it: gt mq list")),
        None => Ok(()),
    }
}

/// Takes an open merge request out of the queue for good. Its head stays pinned.
pub(crate) fn take_out(tx: &Tx<'_>, mr: &MergeRequest, why: &str) -> Result<()> {
    refuse_landing(mr)?;
    tx.end_merge_request(mr, MrEnd::Rejected, Some(why))?;
    tx.clear(ConditionKind::Approval, mr.id.as_str())?;
    if let Some(attempt) = tx.attempt(mr.attempt)? {
        tx.end_attempt(&attempt, AttemptOutcome::Released)?;
        clear_away(tx, &attempt, Duration::ZERO)?;
    }
    Ok(())
}
