//! The engine of Gas Town: the ledger decides, effects follow, patrols reconcile.
//!
//! The engine never prints, prompts, exits, or reads the environment, the home folder or the clock except through
//! what it is handed: see [`world`].

pub mod faults;
pub mod layout;
pub mod ledger;
pub mod settings;
pub mod world;
