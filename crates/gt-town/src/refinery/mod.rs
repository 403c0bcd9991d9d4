//! The refinery: the merge queue of a rig.

pub mod back_off;
pub mod clean_run;
pub mod queue;
pub mod review;
mod round;

pub use round::*;
