//! `gt down`.

use clap::Args;
use gt_town::lifecycle::updown;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Stop the daemon once workers have finished their step; work is kept, `gt up` continues it
#[derive(Debug, Args)]
#[command(display_order = Group::Town.order())]
pub struct DownArgs {
    /// End every session at once
    #[arg(long)]
    now: bool,
}

/// Runs `gt down`.
pub fn down(args: &DownArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (town, caller) = (&context.town, &context.caller);
    let mut drained = Vec::new();
    if !args.now && town.deacon_runs()? {
        let mut told = 0;
        drained = updown::drain(town, caller, &mut |waiting| {
            if waiting.len() != told {
                told = waiting.len();
                // If this fails, no output is left on which to report it.
                let who = "to finish their step, or turn; gt down --now does not wait";
                let _ = console.note(&format!("waiting for {told} agents {who}"));
            }
        })?;
    }
    let mut ended = updown::down(town, caller)?;
    ended.sessions.splice(0..0, drained);
    if console.is_json() {
        return console.facts("gt.down/1", "ended", ended);
    }
    for (session, bead) in &ended.sessions {
        let on = bead.as_ref().map(|bead| format!(" on {bead}")).unwrap_or_default();
        console.say(&format!("ended session {session}{on}; its work is kept"))?;
    }
    console.say(if ended.deacon { "the town is down" } else { "the town is down (no deacon ran)" })?;
    Ok(0)
}
