//! What an agent is told first.

use gt_model::address::Address;

use crate::ledger::Attempt;

/// The first prompt of a polecat: short, since `gt prime` says the rest.
pub fn first(attempt: &Attempt) -> String {
    format!(
        "You are {}, a polecat of Gas Town. Work is on your hook: the bead {}. If there is work on your hook, you run \
         it. Run `gt prime` now and follow it, step by step, until `gt done` has said \"Submitted\".",
        attempt.address(),
        attempt.bead
    )
}

/// The first prompt of a standing agent, which `gt prime` tells the rest.
pub fn standing(address: &Address) -> String {
    format!("You are {address} of Gas Town. Run `gt prime` now, do what it says, and end your turn.")
}
