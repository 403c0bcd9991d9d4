//! `gt polecat nuke`.

use clap::Args;
use gt_town::Error;
use gt_town::view::polecat;
use gt_town::work::snapshots;

use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// End a live worker for good; its work is kept, its bead is free again
#[derive(Debug, Args)]
pub struct NukeArgs {
    /// <rig>/polecats/<name>, <rig>/<name>, or its bead
    which: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Runs `gt polecat nuke`.
pub fn nuke(args: &NukeArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let NukeArgs { which, yes, dry_run } = args;
    let attempt = polecat::nuke(&context.town, &context.caller, which, true)?;
    if !dry_run && !yes {
        let what = format!("this takes {} down, which works on {}", attempt.address(), attempt.bead);
        return Err(Error::refused(what, format!("its work is kept; gt polecat nuke {which} --yes does it")).into());
    }
    if !dry_run {
        polecat::nuke(&context.town, &context.caller, which, false)?;
    }
    if console.is_json() {
        return console.facts("gt.polecat-nuked/1", "attempt", attempt);
    }
    let word = if *dry_run { "would be taken down" } else { "is taken down" };
    console.say(&format!("{} {word}; {} is free again", attempt.address(), attempt.bead))?;
    let snapshot = format!("{}{}-{}", snapshots::SNAPSHOTS, attempt.slug(), attempt.number);
    console.say(&format!("its work is kept in {snapshot} and in {}/.archive", attempt.rig))?;
    console
        .say(&format!("to look at it: gt snapshot show {0}; to continue it: gt polecat recover {0}", attempt.bead))?;
    Ok(0)
}
