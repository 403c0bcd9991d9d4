//! `gt step gate deny`.

use clap::Args;

use super::answer;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Refuse a step that waits for you: it fails
#[derive(Debug, Args)]
pub struct DenyArgs {
    /// The step: <molecule>/<step>, as gt status names it
    step: String,
    /// Why, or what is worth knowing
    #[arg(long)]
    note: Option<String>,
}

/// Runs `gt step gate deny`.
pub fn deny(args: &DenyArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    answer(&args.step, false, args.note.as_deref(), context, console)
}
