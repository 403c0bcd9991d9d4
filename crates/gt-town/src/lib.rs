//! The engine of Gas Town: the ledger decides, effects follow, patrols reconcile.
//!
//! The engine never prints, prompts, exits, or reads the environment, the home folder or the clock except through
//! what it is handed: see [`town::Outside`] and [`world`].

pub mod adopt;
pub mod agents;
pub mod archive;
pub mod back_off;
pub mod beads;
pub mod boot;
pub mod convoy;
pub mod crew;
pub mod deacon;
pub mod doctor;
pub mod done;
pub mod effects;
pub mod error;
pub mod faults;
pub mod gates;
pub mod handoff;
pub mod home;
pub mod hook;
pub mod identity;
pub mod install;
pub mod layout;
pub mod ledger;
pub mod limits;
pub mod mayor;
pub mod moments;
pub mod needs;
pub mod nudge;
pub mod observe;
pub mod observed;
pub mod outage;
pub mod polecat;
pub mod port;
pub mod post;
pub mod prime;
mod prompt;
mod reading;
pub mod rebuild;
pub mod refinery;
mod refs;
pub mod remote;
pub mod retention;
pub mod review;
pub mod rig;
mod sandbox;
pub mod seat;
pub mod sessions;
pub mod settings;
mod setup;
pub mod sling;
pub mod snapshots;
pub mod solo;
pub mod spend;
pub mod standing;
pub mod story;
pub mod sync;
pub mod town;
pub mod updown;
pub mod usage;
pub mod witness;
mod worker_env;
pub mod world;

pub use error::{Error, Kind, Result};
pub use town::{BuiltIn, Caller, Outside, Rig, Town};
