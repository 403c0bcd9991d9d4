//! What keeps an agent from being started: memory, limits of accounts, outages, spend, hooks that are off.

pub(crate) mod hooks_off;
pub mod limits;
pub(crate) mod outage;
pub(crate) mod short_memory;
pub mod spend;
pub mod usage;
