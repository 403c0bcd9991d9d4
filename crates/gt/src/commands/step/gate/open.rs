//! `gt step gate open`.

use clap::Args;

use super::answer;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Let a step begin that waits for you
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// The step: <molecule>/<step>, as gt status names it
    step: String,
    /// Why, or what is worth knowing
    #[arg(long)]
    note: Option<String>,
}

/// Runs `gt step gate open`.
pub fn open(args: &OpenArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    answer(&args.step, true, args.note.as_deref(), context, console)
}
