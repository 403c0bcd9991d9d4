//! `gt bead epic status`.

use clap::Args;

use super::print;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Show the progress of each open epic
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Only epics whose children are all closed
    #[arg(long)]
    eligible_only: bool,
}

/// Runs `gt bead epic status`.
pub fn status(args: &StatusArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    print(args.eligible_only, context, console)
}
