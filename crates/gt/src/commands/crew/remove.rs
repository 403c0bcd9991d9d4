//! `gt crew remove`.

use clap::Args;
use gt_town::patrol::crew;

use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Move a workspace into the archive, with a snapshot; nothing in it is lost
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// The rig
    rig: String,
    /// The crew member's name
    name: String,
}

/// Runs `gt crew remove`.
pub fn remove(args: &RemoveArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (town, caller) = (&context.town, &context.caller);
    let RemoveArgs { rig, name } = args;
    let removed = crew::remove(town, caller, &town.rig(rig)?, name)?;
    if console.is_json() {
        return console.facts("gt.crew-removed/1", "removed", removed);
    }
    console.say(&format!("{} is in the archive: {}", removed.address, removed.archive.display()))?;
    console.say(&format!("its state is a snapshot: gt snapshot show {}", removed.snapshot))?;
    Ok(0)
}
