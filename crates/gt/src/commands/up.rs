//! `gt up`.

use std::time::Duration;

use clap::Args;
use gt_town::agents::check;
use gt_town::lifecycle::updown;
use gt_town::town::person;

use super::deacon::daemon;
use crate::cli::{Global, Group};
use crate::console::Console;
use crate::context::Context;
use crate::diagnosis;
use crate::error::{CliError, CliResult};

/// Start the town's daemon
#[derive(Debug, Args)]
#[command(display_order = Group::Town.order())]
pub struct UpArgs;

/// Time limit for the deacon's start.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// Runs `gt up`.
pub fn up(_args: &UpArgs, global: &Global, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let process = context.process;
    let town = &context.town;
    person::require(&context.caller, "takes the town up")?;
    updown::wait_for_former(town, &mut |pids| {
        let what = "boot or deacon of another town that was here";
        // If this fails, no output is left on which to report it.
        let _ = console.note(&format!("waiting for {} processes ({what}) to end: {pids:?}", pids.len()));
    })?;
    let older = updown::is_older(town)?;
    updown::want_up(town, &context.caller)?;
    renew_path(context, console)?;
    updown::wait_for_older(town, older)?;
    let before = town.deacon_runs()?;
    if !town.boot_runs()? {
        daemon(diagnosis::level(global, process), process, town, "boot").start_apart().map_err(gt_town::Error::from)?;
    }
    updown::wait_for_deacon(town, START_DEADLINE)?;
    town.wake();
    if console.is_json() {
        return console.facts("gt.up/1", "started", !before);
    }
    console.say(match (older, before) {
        (true, _) => "this gt has taken over: the deacon runs",
        (false, true) => "the deacon runs already",
        (false, false) => "the deacon runs",
    })?;
    Ok(0)
}

/// Stores this shell's PATH for all agents, so that they find newly installed programs. Prints what came and went, and which
/// kind of agent has no program in it.
fn renew_path(context: &Context<'_>, console: &mut Console<'_>) -> Result<(), CliError> {
    match check::take_path(&context.town, &context.caller) {
        Ok(news) => {
            if let Some(words) = news.words() {
                console.note(&format!("the agents' PATH is that of this shell now: {words}"))?;
            }
        }
        Err(refused) => console.note(&format!("the agents' PATH stays as it was: {refused}"))?,
    }
    warn_of_missing_programs(context, console)
}

/// Warns about kinds of agent that have no program in the agents' PATH.
pub fn warn_of_missing_programs(context: &Context<'_>, console: &mut Console<'_>) -> Result<(), CliError> {
    for missing in check::missing_programs(&context.town)? {
        let next = missing.next.unwrap_or_default();
        console.note(&format!("warning: {}; next: {next}", missing.found))?;
    }
    Ok(())
}
