//! `gt polecat recover`.

use clap::Args;
use gt_town::view::polecat;
use gt_town::work::beads;

use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Continue a bead's last work with a new worker: its commits, and its uncommitted files
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// The bead
    bead: String,
    /// Kind of agent
    #[arg(long)]
    agent: Option<String>,
}

/// Runs `gt polecat recover`.
pub fn recover(args: &RecoverArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let bead = context.town.ledger.read(|view| beads::resolve(view, &args.bead))?;
    let recovered = polecat::recover(&context.town, &context.caller, &bead, args.agent.clone())?;
    if console.is_json() {
        return console.facts("gt.recovered/1", "recovered", recovered);
    }
    for attempt in &recovered.slung.attempts {
        console.say(&format!("{} -> {} (attempt {})", attempt.bead, attempt.address(), attempt.number))?;
    }
    let files = if recovered.uncommitted { ", with its uncommitted files" } else { "" };
    console.say(&format!("it continues attempt {} at {}{files}", recovered.from, recovered.head.short()))?;
    if !context.town.deacon_runs()? {
        console.say("queued: no deacon runs; gt up starts it")?;
    }
    Ok(0)
}
