//! A town: its folder, its settings, the identity of callers, and the state that a person asked for.
//!
//! Every other room imports this one, and it imports no other room. Callers start with [`Town::open`], which returns the ledger,
//! the settings and the access to the outside world in one value. [`identity::caller`] then identifies the calling process, and
//! [`person`] checks that an act which only a person may perform comes from one. [`layout`] holds every path, [`Lane`] names
//! every lock, and [`settings`] and [`config`] read and change `town.toml` and `rig.toml`.
//!
//! This room starts no agents and knows nothing of the work on beads.

pub mod config;
pub mod desired;
pub(crate) mod error;
pub mod formula;
pub mod identity;
pub mod lane;
pub mod layout;
pub mod memory;
pub mod observed;
mod open;
pub mod person;
pub mod settings;
pub mod shipped;

pub use lane::Lane;
pub use open::{BuiltIn, Caller, Outside, Rig, Town};
