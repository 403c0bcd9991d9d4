//! The simulated worker: an agent that plays a script instead of asking a model.
//!
//! Like any agent it acts through `gt` verbs only. A TOML file ([`script`]) says what it does right or wrong. [`player`] decides
//! its next action without any IO, so that the same worker acts on real processes ([`process`]) and in a simulated town.

pub mod player;
pub mod process;
pub mod script;
