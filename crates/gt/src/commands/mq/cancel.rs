//! `gt mq cancel`.

use clap::Args;
use gt_town::refinery::review;

use super::said;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Take merge requests out of the queue for good; their beads reopen, their commits are kept
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// Their ids, or their beads' ids
    #[arg(required = true)]
    ids: Vec<String>,
    /// Why
    #[arg(long, short, default_value = "")]
    note: String,
}

/// Runs `gt mq cancel`.
pub fn cancel(args: &CancelArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let cancelled = review::cancel(&context.town, &context.caller, &args.ids, &args.note)?;
    said(&cancelled, "out of the queue; its bead is open again, its commits are kept", context, console)
}
