//! Effects: changes outside the ledger, such as adding a worktree or starting a session.
//!
//! A transaction decides an effect and records it in the ledger. The runner performs it, and another transaction records the
//! result. A crash in between loses nothing: the next run checks what has happened and performs the rest.
//!
//! [`run_all`] performs the due effects and [`retry_given_up`] restarts those that failed too often. [`Wait`] says why an effect
//! that starts a worker must wait. [`fetch`] and [`catch_up`] serve verbs that need a result at once.
//!
//! Apart from requested fetches, this room decides only effects that follow from a result. `work`, `patrol` and other rooms
//! decide the first ones.

mod asked;
pub mod catch_up;
mod conclude;
mod perform;
mod run;
mod spans;
mod wait;

pub use asked::fetch;
pub(crate) use perform::{SNAPSHOT_FAILED, worktree_plan};
pub(crate) use run::run_one;
pub use run::{Scope, retry_given_up, run_all};
pub(crate) use spans::traced;
pub use wait::Wait;
pub(crate) use wait::wait;
