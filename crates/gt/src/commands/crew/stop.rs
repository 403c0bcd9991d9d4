//! `gt crew stop`.

use clap::Args;
use gt_town::patrol::standing;

use super::address;
use crate::commands::mayor::said_of_stop;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Stop the agent of a workspace until you start it again
#[derive(Debug, Args)]
pub struct StopArgs {
    /// The rig
    rig: String,
    /// The crew member's name
    name: String,
}

/// Runs `gt crew stop`.
pub fn stop(args: &StopArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let StopArgs { rig, name } = args;
    let status = standing::stop(&context.town, &context.caller, &address(context, rig, name)?)?;
    said_of_stop(&status, &format!("gt crew start {rig} {name}"), console)
}
