//! `gt crew start`.

use clap::Args;
use gt_ledger::AgentChoice;
use gt_town::patrol::standing;

use super::address;
use crate::cli::RuntimeArg;
use crate::commands::mayor::said_of_start;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Start an agent in a workspace; it keeps running until you stop it
#[derive(Debug, Args)]
pub struct StartArgs {
    /// The rig
    rig: String,
    /// The crew member's name
    name: String,
    /// Kind of agent [default: as rig.toml and town.toml say]
    #[arg(long)]
    agent: Option<String>,
    /// Run in a terminal of the town's tmux, or without one [default: as rig.toml and town.toml say]
    #[arg(long, value_enum)]
    runtime: Option<RuntimeArg>,
}

/// Runs `gt crew start`.
pub fn start(args: &StartArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let StartArgs { rig, name, agent, runtime } = args;
    let choice = AgentChoice { kind: agent.clone(), runtime: runtime.map(Into::into) };
    let status = standing::start(&context.town, &context.caller, &address(context, rig, name)?, &choice)?;
    said_of_start(context, &status, &format!("gt crew attach {rig} {name}"), console)
}
