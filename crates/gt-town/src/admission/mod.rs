//! Admission: whether a new session may start now.
//!
//! The reasons against a start are too little free memory (`short_memory`), an account's limits ([`limits`]), an outage of the
//! service (`outage`), spending limits ([`spend`]), and client hooks that an administrator turned off (`hooks_off`). [`usage`]
//! counts the tokens that sessions use and what they cost.
//!
//! `effects` and `patrol` ask this room before they start a session. On each patrol it raises and clears the conditions, parks
//! attempts over their limit, and ends sessions that run on over a limit or without our hooks. It starts no session itself.

pub(crate) mod hooks_off;
pub mod limits;
pub(crate) mod outage;
pub(crate) mod short_memory;
pub mod spend;
pub mod usage;
