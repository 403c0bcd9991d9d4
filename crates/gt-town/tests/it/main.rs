//! The engine from outside.

mod ignorance;
mod repo_contract;
