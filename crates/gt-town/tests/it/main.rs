//! The engine from outside.

mod beads;
mod ignorance;
mod ledger;
mod repo_contract;
mod rooms;
