//! Claude Code.

mod account;
mod managed;
mod settings;
mod stream;

pub(super) use account::{log_in, look};
pub(super) use managed::hooks;
pub(super) use settings::{prepare, version};
pub(super) use stream::said;

/// Its kind of agent, as it comes with the binary.
pub(super) const PRESET: &str = include_str!("preset.toml");
