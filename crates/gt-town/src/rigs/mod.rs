//! Rigs: repositories of the town, how they are added, fetched, set up and tested, and their worktrees.

pub mod archive;
pub mod destination;
pub(crate) mod dropped;
pub mod envrc;
pub mod gates;
pub(crate) mod reading;
pub(crate) mod refs;
pub(crate) mod remote;
pub mod rig;
pub(crate) mod setup;
pub(crate) mod warm;
pub mod workspaces;
