//! `gt bead label add`.

use clap::Args;

use super::set_label;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Add a label to beads
#[derive(Debug, Args)]
pub struct AddArgs {
    /// The beads, and the label as the last word
    #[arg(required = true, value_name = "BEAD… LABEL")]
    words: Vec<String>,
}

/// Runs `gt bead label add`.
pub fn add(args: &AddArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    set_label(&args.words, true, context, console)
}
