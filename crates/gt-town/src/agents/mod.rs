//! Kinds of agent: their presets, how their sessions start, and what the sessions show.
//!
//! A kind is data ([`AgentPreset`]). Where a client has hooks, an adapter in [`clients`] knows its settings file and its state.
//! [`seat`] says where an incarnation runs and as what; [`launch`] prepares the start; [`readiness`] judges whether it has begun.
//! [`marks`] reads what hooks have left, and [`sessions`] shows sessions to people. [`check`] reports whether a kind can work
//! here, and [`admit`] refuses what it can't do.
//!
//! This room does not choose when an agent starts or ends: patrols and people's verbs do. [`wanted`] records their choice for
//! standing agents.

pub mod check;
pub mod clients;
pub(crate) mod counting;
pub(crate) mod grants;
pub mod hooks;
pub(crate) mod kinds;
pub mod launch;
pub(crate) mod marks;
pub(crate) mod prompt;
pub(crate) mod readiness;
pub mod seat;
pub mod sessions;
mod streams;
pub mod text;
pub mod wanted;

use crate::town::error::{Error, Result};
use crate::town::settings::{AgentPreset, Auth, PermissionMode};
use crate::town::{Rig, Town};
use gt_world::Runtime;

/// A kind of agent with the mode and runtime that it should start in.
pub(crate) struct Wish<'a> {
    pub kind: &'a str,
    pub preset: &'a AgentPreset,
    pub mode: PermissionMode,
    pub runtime: Runtime,
    /// Rig of the worker or crew member; `None` for the mayor.
    pub rig: Option<&'a Rig>,
}

/// Refuses what a kind can't do: a mode that its client has no words for, and usage that no cap could hold.
pub(crate) fn admit(town: &Town, wish: &Wish<'_>) -> Result<()> {
    let Wish { kind, preset, mode, runtime, rig } = *wish;
    if !preset.has_mode(mode) {
        let way = match rig {
            Some(rig) => format!("gt rig set {0} trust=bypass, or gt rig set {0} sandbox=bwrap", rig.name()),
            None => "in town.toml: [mayor] trust = \"bypass\", or sandbox = \"bwrap\"".to_owned(),
        };
        return Err(Error::refused(
            format!(
                "{kind} can't be held to the mode {}: it calls no hooks, so gt can't say what it may do",
                mode.as_str()
            ),
            format!("{way}; docs/agents.md says what that means for {kind}"),
        ));
    }
    counting::admit(town, kind, preset, runtime)
}

/// Returns what a person must do to make the account of a kind of agent usable again.
pub(crate) fn log_in(town: &Town, kind: &str) -> String {
    match town.agent(kind) {
        Ok(AgentPreset { auth: Some(Auth::ApiKey), api_keys, .. }) => {
            format!("set a key that is valid ({}), then gt down && gt up", api_keys.join(" or "))
        }
        Ok(preset @ AgentPreset { client: Some(client), .. }) => clients::log_in(client, &preset),
        _ => "log in with its own program".to_owned(),
    }
}
