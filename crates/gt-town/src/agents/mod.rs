//! Kinds of agent: where their presets come from, how they are started, and whether they have.
//!
//! A kind is data ([`AgentPreset`]); where a client has hooks, an adapter knows its settings file and its state.

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

/// What a kind of agent is to be started as.
pub(crate) struct Wish<'a> {
    pub kind: &'a str,
    pub preset: &'a AgentPreset,
    pub mode: PermissionMode,
    pub runtime: Runtime,
    /// For workers or crew of this rig; none: the mayor.
    pub rig: Option<&'a Rig>,
}

/// Refuses what can't be had of a kind: a mode that its client has no words for, and usage that no cap could hold.
pub(crate) fn admit(town: &Town, wish: &Wish<'_>) -> Result<()> {
    let Wish { kind, preset, mode, runtime, rig } = *wish;
    if !preset.has_mode(mode) {
        let way = match rig {
            Some(rig) => format!("gt rig set {0} trust=bypass, or gt rig set {0} sandbox=bwrap", rig.name()),
            None => "in town.toml: [mayor] trust = \"bypass\", or sandbox = \"bwrap\"".to_owned(),
        };
        return Err(Error::refused(
            format!(
                "{kind} can't be kept to the mode {}: gt has no hooks in it that would say what it may do",
                mode.as_str()
            ),
            format!("{way}; docs/agents.md says what that means for {kind}"),
        ));
    }
    counting::admit(town, kind, preset, runtime)
}

/// What a person does so that the account of a kind of agent can be used again.
pub(crate) fn log_in(town: &Town, kind: &str) -> String {
    match town.agent(kind) {
        Ok(AgentPreset { auth: Some(Auth::ApiKey), api_keys, .. }) => {
            format!("set a key that is valid ({}), then gt down && gt up", api_keys.join(" or "))
        }
        Ok(preset @ AgentPreset { client: Some(client), .. }) => clients::log_in(client, &preset),
        _ => "log in with its own program".to_owned(),
    }
}
