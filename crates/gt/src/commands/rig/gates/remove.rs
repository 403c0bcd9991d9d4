//! `gt rig gates remove`.

use clap::Args;
use gt_town::rigs::rig;

use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Remove a gate from rig.toml
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// The rig
    rig: String,
    /// The gate's name
    name: String,
}

/// Runs `gt rig gates remove`.
pub fn remove(args: &RemoveArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let RemoveArgs { rig, name } = args;
    let rig = context.town.rig(rig)?;
    rig::remove_gate(&context.town, &context.caller, &rig, name)?;
    console.say(&format!("gate {name} removed from {}", rig.layout.settings().display()))?;
    Ok(0)
}
