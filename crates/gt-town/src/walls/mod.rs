//! What agents' code can reach: its environment, its sandbox, and files of the town that are watched while it runs.

pub(crate) mod contained;
pub mod direnv;
pub mod reach;
pub(crate) mod sandbox;
pub(crate) mod tampering;
pub(crate) mod worker_env;
