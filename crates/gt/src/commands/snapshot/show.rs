//! `gt snapshot show`.

use clap::Args;
use gt_town::work::snapshots;
use gt_world::Change;

use crate::console::{Console, counted, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Show a snapshot: its uncommitted changes, and files that it could not include
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// A bead (its newest snapshot), <bead>-<attempt>, or the ref
    which: String,
}

/// Runs `gt snapshot show`.
pub fn show(args: &ShowArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let shown = snapshots::show(&context.town, &args.which)?;
    if console.is_json() {
        return console.facts("gt.snapshot/1", "snapshot", shown);
    }
    let taken = shown.listed.taken_at.map_or_else(|| "an unknown time".to_owned(), |at| at.to_string());
    console.line(&format!("{} at {}, of {taken}", shown.listed.name, shown.listed.commit.short()))?;
    for (key, value) in &shown.trailers {
        console.line(&printable(&format!("  {key}: {value}")))?;
    }
    console.line(&format!(
        "not committed, on {}: {}",
        shown.head.short(),
        counted(shown.changed.len() as u64, "path")
    ))?;
    for (path, change) in &shown.changed {
        let letter = match change {
            Change::Added => 'A',
            Change::Removed => 'D',
            Change::Changed => 'M',
        };
        console.line(&format!("  {letter} {}", printable(path)))?;
    }
    for path in &shown.skipped {
        console.line(&format!("  could not be included: {}", printable(path)))?;
    }
    if !shown.earlier.is_empty() {
        let earlier: Vec<&str> = shown.earlier.iter().map(gt_model::id::Sha::short).collect();
        console.line(&format!("earlier ones: {}", earlier.join(" ")))?;
    }
    Ok(0)
}
