//! `gt bead epic close-eligible`.

use clap::Args;
use gt_model::id::BeadId;
use gt_town::work::beads;
use serde_json::json;

use super::print;
use crate::commands::bead::changing::changed;
use crate::commands::bead::words::Act;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Close epics whose children are all closed
#[derive(Debug, Args)]
pub struct CloseEligibleArgs {
    /// Only list them
    #[arg(long)]
    dry_run: bool,
}

/// Runs `gt bead epic close-eligible`.
pub fn close_eligible(args: &CloseEligibleArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    if args.dry_run {
        return print(true, context, console);
    }
    let closed = beads::close_done_epics(&context.town, &context.caller)?;
    if console.is_json() {
        let ids: Vec<&BeadId> = closed.iter().map(|bead| &bead.id).collect();
        return console.document(&json!({ "closed": ids, "count": ids.len() }));
    }
    if closed.is_empty() {
        console.say("no epic can be closed")?;
    }
    changed(&closed, Act::Close, console)
}
