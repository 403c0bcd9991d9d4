//! Claude Code.

mod account;
mod managed;
mod settings;
mod stream;

pub(super) use account::{log_in, look};
pub(super) use managed::hooks;
pub(super) use settings::{prepare, version};
pub(super) use stream::said;

/// Preset of its kind of agent, which the binary contains.
pub(super) const PRESET: &str = include_str!("preset.toml");
