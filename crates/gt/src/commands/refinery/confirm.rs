//! `gt refinery confirm`.

use clap::Args;
use gt_town::refinery::clean_run;

use crate::commands::rig::gates::run::say_run;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Run the gates on the trunk without any cache, to confirm what landed with caches
#[derive(Debug, Args)]
pub struct ConfirmArgs {
    /// The rig [default: the one you are in, or the only one]
    rig: Option<String>,
}

/// Runs `gt refinery confirm`.
pub fn confirm(args: &ConfirmArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = context.rig(args.rig.as_deref())?;
    let run = clean_run::by_hand(&context.town, &context.caller, &rig)?;
    let green = run.passed();
    if console.is_json() {
        console.facts("gt.gates-run/1", "run", run)?;
    } else {
        say_run(&run, console)?;
        let word = if green { "is green" } else { "is red" };
        console.say(&format!("{}: the trunk {word} in a clean worktree", rig.name()))?;
    }
    Ok(if green { 0 } else { 1 })
}
