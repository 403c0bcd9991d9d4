//! `gt snapshot diff`.

use clap::Args;
use gt_town::work::snapshots;

use crate::console::{Console, printable_lines};
use crate::context::Context;
use crate::error::CliResult;

/// Show what a snapshot changes since its attempt began
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// A bead (its newest snapshot), <bead>-<attempt>, or the ref
    which: String,
    /// One line per file
    #[arg(long)]
    stat: bool,
    /// Only uncommitted changes
    #[arg(long)]
    uncommitted: bool,
}

/// Runs `gt snapshot diff`.
pub fn diff(args: &DiffArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let text = snapshots::diff(&context.town, &args.which, args.uncommitted, args.stat)?;
    if console.is_json() {
        return console.facts("gt.snapshot-diff/1", "diff", text);
    }
    console.line(printable_lines(&text).trim_end_matches('\n'))?;
    Ok(0)
}
