//! `gt mq hold`.

use clap::Args;
use gt_town::refinery::review;

use super::said;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Keep merge requests from landing until you retry or approve them
#[derive(Debug, Args)]
pub struct HoldArgs {
    /// Their ids, or their beads' ids
    #[arg(required = true)]
    ids: Vec<String>,
    /// Why
    #[arg(long, short, default_value = "")]
    note: String,
}

/// Runs `gt mq hold`.
pub fn hold(args: &HoldArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let held = review::hold(&context.town, &context.caller, &args.ids, &args.note)?;
    said(&held, "held, until gt mq retry or gt mq approve", context, console)
}
