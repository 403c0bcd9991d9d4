//! First prompts of agents.

use std::path::Path;

use gt_ledger::Attempt;
use gt_model::address::Address;

/// Returns the first prompt of a polecat. A client with hooks has told it everything at the start of its session; for any
/// other client the prompt names `gt prime`, which says the same.
pub fn first(attempt: &Attempt, told_at_start: bool, gt: &Path) -> String {
    let bead = &attempt.bead;
    let until = "step by step, until `gt done` has said \"Submitted\"";
    if told_at_start {
        return format!(
            "Work is on your hook: the bead {bead}. You were told of it when this session started (if not, run \
             `gt prime`). Run it now, {until}."
        );
    }
    format!(
        "You are {}, a polecat of Gas Town. Work is on your hook: the bead {bead}. If there is work on your hook, you run \
         it. Run `gt prime` now and follow it, {until}. If your shell does not find gt: it is {}.",
        attempt.address(),
        gt.display()
    )
}

/// Returns the first prompt of a standing agent, which learns the rest from `gt prime`.
pub fn standing(address: &Address, gt: &Path) -> String {
    format!(
        "You are {address} of Gas Town. Run `gt prime` now ({} prime, if your shell does not find gt), do what it says, \
         and end your turn.",
        gt.display()
    )
}
