//! Housekeeping: what is kept, for how long, and mending what lies about.

pub mod retention;
pub mod upkeep;
