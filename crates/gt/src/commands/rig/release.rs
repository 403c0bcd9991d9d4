//! `gt rig release`.

use clap::Args;
use gt_town::rigs::gates::GatesRun;
use gt_town::rigs::rig::{self, Proving};

use super::gates::run::say_run;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;
use crate::progress::Ticker;

/// End the hold on a rig, once its gates are green on the trunk
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// The rig
    name: String,
}

/// Runs `gt rig release`.
pub fn release(args: &ReleaseArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = context.town.rig(&args.name)?;
    let progress = Ticker::new(context.process, console);
    let proving = Proving { progress: &progress, ..Proving::default() };
    let run = rig::release_as(&context.town, &context.caller, &rig, &proving)?;
    drop(progress);
    let green = run.as_ref().is_none_or(GatesRun::passed);
    if console.is_json() {
        console.facts("gt.gates-run/1", "run", run)?;
    } else {
        if let Some(run) = &run {
            say_run(run, console)?;
        }
        console.say(&format!("rig {} is {}", rig.name(), if green { "released" } else { "still held" }))?;
    }
    Ok(if green { 0 } else { 1 })
}
