//! Walls around agents' code: its environment, its sandbox, and the settings that the town watches while it runs.
//!
//! [`contained`] is the door for code that the town runs itself: gates, set-up, acceptance commands. [`sandbox`] puts bubblewrap
//! around workers, gates and the mayor. [`worker_env`] builds their environment from an allow-list. [`reach`] finds what would
//! lead a build to another tree. [`direnv`] applies a project's `.envrc` after a person's consent. [`tampering`] reports
//! settings that changed while code ran outside a sandbox.
//!
//! Walls do not decide which commands an agent may run, and they do not limit the network.

pub(crate) mod contained;
pub mod direnv;
pub mod reach;
pub(crate) mod sandbox;
pub(crate) mod tampering;
pub(crate) mod worker_env;
