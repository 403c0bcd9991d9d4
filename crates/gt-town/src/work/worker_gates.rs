//! Runs the gates in a worker's own worktree, and skips the run if they already passed on the same tree.
//!
//! These results don't count for landing. There only the town's own runs count.

use gt_ledger::Attempt;
use gt_model::id::Sha;
use gt_world::WorktreeFacts;

use crate::rigs::gates::GreenBy;
use crate::rigs::gates::{self, GatesRun, Logs};
use crate::town::error::{Error, Result};
use crate::town::{Rig, Town};
use crate::work::hook;

/// Runs a rig's gates in a worker's worktree. Skips the run if the worktree holds only a tree on which they are known to pass,
/// unless `again` is set.
pub fn run(town: &Town, rig: &Rig, attempt: &Attempt, logs: Logs<'_>, again: bool) -> Result<GatesRun> {
    let facts = hook::worktree(town, rig, attempt)?;
    let (tree, hash) = (committed_tree(town, rig, &facts)?, rig.settings.gates_hash());
    if let Some(tree) = tree.as_ref().filter(|_| !again)
        && let Some(known) = known(town, rig, attempt, tree, &hash)?
    {
        return Ok(GatesRun { known: Some(known), ..GatesRun::default() });
    }
    let run = gates::run(town, rig, &rig.layout.worktree(&attempt.worker), Some(&facts.head), logs)?;
    if let Some(tree) = tree.filter(|_| run.passed() && !run.gates.is_empty()) {
        let name = attempt.address().to_string();
        town.ledger.write_for_now(&name, "gates run", |tx| {
            tx.set_worker_gates(attempt.id, &tree, &hash).map_err(Error::from)
        })?;
    }
    Ok(run)
}

/// Returns the tree in a worktree if everything is committed.
fn committed_tree(town: &Town, rig: &Rig, facts: &WorktreeFacts) -> Result<Option<Sha>> {
    let tree = facts.dirty.is_empty().then(|| town.world().repo().tree_of(&rig.layout.repo(), &facts.head));
    Ok(tree.transpose()?)
}

fn known(town: &Town, rig: &Rig, attempt: &Attempt, tree: &Sha, hash: &str) -> Result<Option<GreenBy>> {
    town.ledger.read(|view| {
        if view.verdict(rig.name(), tree, hash)?.is_some_and(|verdict| verdict.passed) {
            return Ok(Some(GreenBy::Town));
        }
        Ok(view.was_green_for(attempt.id, tree, hash)?.then_some(GreenBy::Worker))
    })
}
