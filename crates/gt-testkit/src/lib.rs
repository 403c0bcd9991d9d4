//! For tests only: the in-memory world, and the contract that it shares with the real one.

pub mod contract;
pub mod ledger;
pub mod sim;
