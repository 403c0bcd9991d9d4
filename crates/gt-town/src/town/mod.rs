//! A town: its folder, its settings, who calls, and what a person wants of it.

pub mod config;
pub mod desired;
pub(crate) mod error;
pub mod identity;
pub mod lane;
pub mod layout;
pub mod memory;
pub mod observed;
mod open;
pub mod person;
pub mod settings;

pub use lane::Lane;
pub use open::{BuiltIn, Caller, Outside, Rig, Town};
