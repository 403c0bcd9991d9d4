//! `gt bead label remove`.

use clap::Args;

use super::set_label;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Remove a label from beads
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// The beads, and the label as the last word
    #[arg(required = true, value_name = "BEAD… LABEL")]
    words: Vec<String>,
}

/// Runs `gt bead label remove`.
pub fn remove(args: &RemoveArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    set_label(&args.words, false, context, console)
}
