//! `gt step fail`.

use clap::Args;
use gt_town::molecules::steps::{self, Named};

use super::report;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Say that a step can't be done; a person decides then
#[derive(Debug, Args)]
pub struct FailArgs {
    /// The step of your molecule, or <molecule>/<step>
    step: String,
    /// Why
    #[arg(long)]
    note: String,
}

/// Runs `gt step fail`.
pub fn fail(args: &FailArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let named = Named::parse(&args.step);
    let step = steps::fail_by(&context.town, &context.caller, &named, &args.note)?;
    report(&step, &named, console)
}
