//! Effects: changes outside the ledger. A transaction decides an effect, the runner performs it, and another transaction
//! records what came of it.

mod asked;
pub mod catch_up;
mod conclude;
mod perform;
mod run;
mod wait;

pub use asked::fetch;
pub(crate) use perform::{SNAPSHOT_FAILED, worktree_plan};
pub(crate) use run::run_one;
pub use run::{Scope, retry_given_up, run_all};
pub use wait::Wait;
pub(crate) use wait::wait;
