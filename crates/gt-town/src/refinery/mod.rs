//! The refinery: the merge queue of a rig. A round fetches, builds a stack, tests it, lands what is green, and sends the rest
//! back.

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
