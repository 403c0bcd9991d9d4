//! `gt rig fetch`.

use clap::Args;

use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Fetch a rig's remote, and print the commit of its trunk
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// The rig [default: yours, the one you are in, or the only one]
    name: Option<String>,
}

/// Runs `gt rig fetch`.
pub fn fetch(args: &FetchArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = context.rig(args.name.as_deref())?;
    let trunk = gt_town::effects::fetch(&context.town, &context.caller, &rig)?;
    if console.is_json() {
        return console.facts("gt.fetch/1", "trunk", trunk);
    }
    console.say(&format!("{}: {} is at {} ({})", rig.name(), rig.row.trunk, trunk.short(), rig.trunk_ref()))?;
    Ok(0)
}
