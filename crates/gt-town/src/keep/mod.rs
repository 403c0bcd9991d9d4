//! Keeping and deleting: how long finished things stay, and repairs of what tools have damaged.
//!
//! [`retention`] deletes old worktrees, sessions, logs, refs and events as the settings say; it deletes from archives through
//! `rigs::archive`. [`upkeep`] restores the git settings and hooks of rigs' repositories.
//!
//! This room does not archive worktrees: an effect does that when an attempt ends.

pub mod retention;
pub mod upkeep;
