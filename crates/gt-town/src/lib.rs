//! The engine of Gas Town: the ledger decides, effects follow, patrols reconcile.
//!
//! The engine never prints, prompts, exits, or reads the environment, the home folder or the clock except through
//! what it is handed: see [`town::Outside`] and [`gt_world`].

pub mod admission;
pub mod agents;
pub mod ecosystems;
pub mod effects;
pub mod keep;
pub mod lifecycle;
pub mod mail;
pub mod molecules;
pub mod moments;
pub mod patrol;
pub mod refinery;
pub mod rigs;
pub mod sync;
pub mod town;
pub mod view;
pub mod walls;
pub mod work;

pub use town::error::{Error, Kind, Result};
pub use town::{BuiltIn, Caller, Outside, Rig, Town};
