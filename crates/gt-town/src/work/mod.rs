//! Work: beads, convoys, and a worker's life from sling to done.
//!
//! [`beads`] creates and changes beads, and [`convoy`] groups them. [`sling`] assigns beads to new workers. A worker learns its
//! task from [`prime`], goes through its steps with [`hook`], can end its session early with [`handoff`], and submits its work
//! with [`done`]. [`snapshots`] shows people the saved state of worktrees.
//!
//! Each verb changes the ledger in one operation and decides effects there. It does not perform them: `effects` starts sessions
//! and changes worktrees, and `refinery` lands the submitted work.

pub mod beads;
pub(crate) mod causes;
pub mod convoy;
pub(crate) mod decided;
pub mod done;
pub mod handoff;
pub mod hook;
pub(crate) mod kept;
pub(crate) mod merge_requests;
pub(crate) mod own_work;
pub mod prime;
pub mod sling;
pub mod snapshots;
pub(crate) mod taken_back;
pub mod worker_gates;
