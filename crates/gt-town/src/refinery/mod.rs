//! The refinery: the merge queue of a rig.
//!
//! A round fetches the trunk, builds a stack of merge requests on it, tests the stack, lands what passes the gates, and sends the
//! rest back to be done again. [`run_round`] performs one round and [`back_off`] retries failed ones. [`queue`] lists merge
//! requests with their status. [`review`] lets a person inspect, hold, retry, reject and cancel them, and [`approve`] lets them
//! land. [`clean_run`] tests landed work again without caches.
//!
//! The refinery does not merge by hand or solve conflicts. A worker gets the work back with the reason.

pub mod back_off;
pub mod clean_run;
mod landing;
pub mod queue;
pub mod review;
mod round;
mod send_back;
mod stack;

pub(crate) use landing::{landing_commit, record_merged};
pub use round::*;
pub(crate) use send_back::{send_back, still_open};
