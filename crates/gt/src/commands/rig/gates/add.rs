//! `gt rig gates add`.

use clap::Args;
use gt_town::rigs::rig;
use gt_town::town::settings::Gate;

use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Add a gate to rig.toml
#[derive(Debug, Args)]
pub struct AddArgs {
    /// The rig
    rig: String,
    /// The gate's name
    name: String,
    /// The command line
    run: String,
    /// Time limit in seconds
    #[arg(long, default_value_t = 1800)]
    timeout: u64,
}

/// Runs `gt rig gates add`.
pub fn add(args: &AddArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let AddArgs { rig, name, run, timeout } = args;
    let rig = context.town.rig(rig)?;
    let gate = Gate { name: name.clone(), run: run.clone(), timeout_seconds: *timeout };
    rig::add_gate(&context.town, &context.caller, &rig, &gate)?;
    console.say(&format!("gate {} added to {}", gate.name, rig.layout.settings().display()))?;
    Ok(0)
}
