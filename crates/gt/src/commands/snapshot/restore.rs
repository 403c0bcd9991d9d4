//! `gt snapshot restore`.

use std::path::PathBuf;

use clap::Args;
use gt_town::work::snapshots;

use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Write a snapshot's files to a new folder
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// A bead (its newest snapshot), <bead>-<attempt>, or the ref
    which: String,
    /// The folder, which must not exist yet
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

/// Runs `gt snapshot restore`.
pub fn restore(args: &RestoreArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let to = context.process.cwd.join(&args.to);
    let (found, to) = snapshots::restore(&context.town, &args.which, &to)?;
    if console.is_json() {
        return console.facts("gt.snapshot-restored/1", "folder", to.display().to_string());
    }
    console.say(&format!("the files of {} are in {}", found.name, to.display()))?;
    Ok(0)
}
