//! `gt mq retry`.

use clap::Args;
use gt_town::refinery::review;

use super::said;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// End a hold on merge requests, so that the next round takes them
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// Their ids, or their beads' ids
    #[arg(required = true)]
    ids: Vec<String>,
}

/// Runs `gt mq retry`.
pub fn retry(args: &RetryArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let retried = review::retry(&context.town, &context.caller, &args.ids)?;
    said(&retried, "no longer held: the next round takes it", context, console)
}
