//! Work: beads, convoys, and a worker's life from sling to done.

pub mod beads;
pub(crate) mod causes;
pub mod convoy;
pub mod decided;
pub mod done;
pub mod handoff;
pub mod hook;
pub mod kept;
pub mod merge_requests;
pub mod own_work;
pub mod prime;
pub mod sling;
pub mod snapshots;
pub mod taken_back;
pub mod worker_gates;
