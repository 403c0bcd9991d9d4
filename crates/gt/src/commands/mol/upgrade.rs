//! `gt mol upgrade`.

use clap::Args;
use gt_town::molecules::upgrade;

use super::id;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Move the steps of a molecule that have not begun to the newer text of its formula
#[derive(Debug, Args)]
pub struct UpgradeArgs {
    /// The molecule
    molecule: String,
}

/// Runs `gt mol upgrade`.
pub fn upgrade(args: &UpgradeArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let upgrade = upgrade::upgrade(&context.town, &context.caller, id(&args.molecule)?)?;
    if console.is_json() {
        return console.facts("gt.mol-upgrade/1", "upgrade", upgrade);
    }
    match upgrade.moved.as_slice() {
        [] => console.say("no step was moved")?,
        moved => console.say(&format!("moved: {}", moved.join(", ")))?,
    }
    for left in upgrade.left {
        console.say(&format!("left {}: {}", left.step, left.why))?;
    }
    Ok(0)
}
