//! The engine from outside.

mod ignorance;
mod ledger;
mod repo_contract;
