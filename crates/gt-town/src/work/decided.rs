//! Effects and changes that several verbs and patrols decide in the same way.

use std::time::Duration;

use gt_ledger::{Attempt, Tx};
use gt_model::bead::{Bead, Status};
use gt_model::effect::Effect;
use gt_model::id::IncarnationId;

use crate::town::error::Result;

/// Decides a snapshot of an attempt's worktree, unless one is already decided.
pub(crate) fn decide_snapshot(tx: &Tx<'_>, attempt: &Attempt) -> Result<()> {
    let effect = Effect::Snapshot { attempt: attempt.id };
    tx.decide_once(&effect, Some(&attempt.rig), None, Duration::ZERO)?;
    Ok(())
}

/// Decides the end of a session, after `delay` or when its agent's turn is over. Returns false if that was already decided.
pub(crate) fn decide_end(tx: &Tx<'_>, attempt: &Attempt, incarnation: &IncarnationId, delay: Duration) -> Result<bool> {
    let effect = Effect::EndSession { incarnation: incarnation.clone() };
    if tx.decided(&effect)?.is_some() {
        return Ok(false);
    }
    tx.decide(&effect, Some(&attempt.rig), Some(&attempt.bead), delay)?;
    Ok(true)
}

/// Opens the next incarnation of an attempt and decides its start.
pub(crate) fn begin_incarnation(tx: &Tx<'_>, attempt: &Attempt) -> Result<IncarnationId> {
    let incarnation = tx.open_incarnation(attempt)?;
    let start = Effect::StartSession { incarnation: incarnation.clone() };
    tx.decide(&start, Some(&attempt.rig), Some(&attempt.bead), Duration::ZERO)?;
    Ok(incarnation)
}

/// Records that a worker's session is working on the bead, unless that is recorded. A process killed just after the start may
/// have missed it.
pub(crate) fn begin_bead(tx: &Tx<'_>, attempt: &Attempt) -> Result<()> {
    if let Some(bead) = tx.bead(&attempt.bead)?
        && bead.status == Status::Hooked
    {
        let begun = Bead { status: Status::InProgress, ..bead.clone() };
        tx.change_bead("bead-begun", &bead, &begun)?;
    }
    Ok(())
}
