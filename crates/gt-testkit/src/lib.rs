//! Test tools: the in-memory world, the contract that it shares with the real one, and a fake model server for real coding
//! clients.

pub mod contract;
pub mod disk_contract;
pub mod fake_model;
pub mod ledger;
pub mod readme;
pub mod sim;
