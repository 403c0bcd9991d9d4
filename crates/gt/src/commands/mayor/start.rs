//! `gt mayor start`.

use clap::Args;
use gt_ledger::AgentChoice;
use gt_model::address::Address;
use gt_town::patrol::standing;

use super::said_of_start;
use crate::cli::RuntimeArg;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Start the mayor; it keeps running until you stop it
#[derive(Debug, Args)]
pub struct StartArgs {
    /// Kind of agent [default: [mayor] agent in town.toml, else the town's]
    #[arg(long)]
    agent: Option<String>,
    /// Run in a terminal of the town's tmux, or without one [default: as town.toml says]
    #[arg(long, value_enum)]
    runtime: Option<RuntimeArg>,
}

/// Runs `gt mayor start`.
pub fn start(args: &StartArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let choice = AgentChoice { kind: args.agent.clone(), runtime: args.runtime.map(Into::into) };
    let status = standing::start(&context.town, &context.caller, &Address::Mayor, &choice)?;
    said_of_start(context, &status, "gt mayor attach", console)
}
