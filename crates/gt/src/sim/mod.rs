//! The simulated worker: an agent that plays a script instead of asking a model.
//!
//! It goes through `gt` verbs only, as any agent does; what it is to do wrong or right is said by a TOML file
//! ([`script`]). What it does next is decided in [`player`], without any IO, so that the same worker acts on real
//! processes ([`process`]) and in a simulated town.

pub mod player;
pub mod process;
pub mod script;
