//! Effects: changes outside the ledger. An effect is decided in a transaction, run, performed, and concluded in another.

pub mod catch_up;
mod run;

pub use run::*;
