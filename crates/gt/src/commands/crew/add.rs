//! `gt crew add`.

use clap::Args;
use gt_town::patrol::crew;

use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;
use crate::words::Worded;

/// Create a workspace at the trunk, on the branch crew/<name>
#[derive(Debug, Args)]
pub struct AddArgs {
    /// The rig
    rig: String,
    /// The crew member's name
    name: String,
}

/// Runs `gt crew add`.
pub fn add(args: &AddArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (town, caller) = (&context.town, &context.caller);
    let AddArgs { rig, name } = args;
    let status = crew::add(town, caller, &town.rig(rig)?, name)?;
    if console.is_json() {
        return console.facts("gt.agent/1", "agent", status.worded()?);
    }
    console.say(&format!(
        "{} works in {}, on the branch {}",
        status.agent.address,
        status.folder,
        gt_town::rigs::workspaces::branch(name)
    ))?;
    console.say(&format!("next: cd {}, or gt crew start {rig} {name}", status.folder))?;
    Ok(0)
}
