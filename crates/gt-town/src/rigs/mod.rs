//! Rigs: the repositories that a town works on, their worktrees, and their gates.
//!
//! [`rig`] adds, changes and removes rigs; [`destination`] finds out where a new rig's work will land. [`gates`] runs the
//! commands that a merge must pass. `setup` and `warm` prepare new worktrees, `refs` and `remote` name refs and use the remote,
//! and [`workspaces`] makes the worktrees of crew members. [`archive`] keeps worktrees of ended work and is the only module that
//! deletes them.
//!
//! This room does not decide what is merged or when a worker starts: `refinery` and `work` do that.

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
