//! Rigs: the repositories that a town works on, their worktrees, and their gates.
//!
//! [`rig`] adds, proves and removes rigs; [`destination`] finds out where a new rig's work will land. [`gates`] runs the commands
//! that a merge must pass. `setup` and `warm` prepare new worktrees, and [`workspaces`] makes the permanent ones of crew members.
//! `remote` fetches a rig's remote, and `refs` finds refs that other processes moved. [`archive`] is the only module that deletes
//! what agents made.
//!
//! This room does not decide what is merged or when a worker starts: `refinery` and `work` do that.

pub mod archive;
pub mod destination;
pub(crate) mod dropped;
pub mod envrc;
pub mod formulas;
pub mod gates;
pub(crate) mod reading;
pub(crate) mod refs;
pub(crate) mod remote;
pub mod rig;
pub(crate) mod setup;
pub(crate) mod warm;
pub mod workspaces;
