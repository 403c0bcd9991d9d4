//! `gt agent show`.

use clap::Args;
use gt_town::town::settings::AgentPreset;
use serde_json::json;

use super::source;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Show how a kind of agent is started
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The kind
    kind: String,
}

/// Runs `gt agent show`.
pub fn show(args: &ShowArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let kind = args.kind.as_str();
    let preset = hide_values(context.town.agent(kind)?);
    if console.is_json() {
        return console.facts("gt.agent/1", "agent", json!({ "kind": kind, "preset": preset }));
    }
    console.line(&format!("# {kind}, from {}", source(context, kind)))?;
    let text = toml::to_string(&std::collections::BTreeMap::from([(
        "agents",
        std::collections::BTreeMap::from([(kind, preset)]),
    )]));
    let text = text.map_err(|error| CliError::Io(std::io::Error::other(error)))?;
    for line in text.lines() {
        console.line(&printable(line))?;
    }
    Ok(0)
}

/// Removes the values of variables that hold a key.
fn hide_values(mut preset: AgentPreset) -> AgentPreset {
    for name in &preset.api_keys {
        if let Some(value) = preset.env.get_mut(name) {
            "(not shown)".clone_into(value);
        }
    }
    preset
}
