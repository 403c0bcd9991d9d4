//! `gt rig remove`.

use clap::Args;
use gt_town::rigs::rig;

use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Remove a rig from the town; its folder goes to the town's archive, its beads stay
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// The rig
    name: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Runs `gt rig remove`.
pub fn remove(args: &RemoveArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let RemoveArgs { name, yes, dry_run } = args;
    let rig = context.town.rig(name)?;
    if !*yes && !*dry_run {
        let hint = format!("gt rig remove {} --dry-run shows what would be done, --yes does it", rig.name());
        return Err(CliError::Usage { what: format!("removing the rig {} needs --yes", rig.name()), hint });
    }
    let to = rig::remove(&context.town, &context.caller, &rig, *dry_run)?;
    if console.is_json() {
        return console.facts("gt.rig-removed/1", "archive", to.display().to_string());
    }
    let word = if *dry_run { "would go" } else { "went" };
    console.say(&format!("rig {} {word} to {}; its beads stay", rig.name(), to.display()))?;
    Ok(0)
}
