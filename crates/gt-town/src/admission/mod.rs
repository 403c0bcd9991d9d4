//! Admission: whether a new session may start now.
//!
//! The reasons against a start are too little free memory (`short_memory`), an account's limits ([`limits`]), an outage of the
//! service (`outage`), spending limits ([`spend`]), and client hooks that an administrator turned off (`hooks_off`). [`usage`]
//! counts the tokens that sessions use, which [`spend`] turns into dollars.
//!
//! This room answers questions and raises conditions. It does not start, retry or end sessions.

pub(crate) mod hooks_off;
pub mod limits;
pub(crate) mod outage;
pub(crate) mod short_memory;
pub mod spend;
pub mod usage;
