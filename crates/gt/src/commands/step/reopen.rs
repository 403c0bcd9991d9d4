//! `gt step reopen`.

use clap::Args;
use gt_town::molecules::steps::{self, Named};

use super::report;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Open a step again that is done, failed or skipped
#[derive(Debug, Args)]
pub struct ReopenArgs {
    /// The step of your molecule, or <molecule>/<step>
    step: String,
}

/// Runs `gt step reopen`.
pub fn reopen(args: &ReopenArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let named = Named::parse(&args.step);
    let step = steps::reopen(&context.town, &context.caller, &named)?;
    report(&step, &named, console)
}
