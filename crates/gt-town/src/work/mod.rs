//! Work: beads, convoys, and a worker's life from sling to done.

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
