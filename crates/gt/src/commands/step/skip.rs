//! `gt step skip`.

use clap::Args;
use gt_town::molecules::steps::{self, Named};

use super::report;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Leave a step out: what comes after it can begin
#[derive(Debug, Args)]
pub struct SkipArgs {
    /// The step of your molecule, or <molecule>/<step>
    step: String,
    /// Why
    #[arg(long)]
    note: Option<String>,
}

/// Runs `gt step skip`.
pub fn skip(args: &SkipArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let named = Named::parse(&args.step);
    let step = steps::skip(&context.town, &context.caller, &named, args.note.as_deref())?;
    report(&step, &named, console)
}
