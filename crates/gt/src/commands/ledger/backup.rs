//! `gt ledger backup`.

use std::path::PathBuf;

use clap::Args;

use super::fresh;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Copy the ledger while other processes write to it, and check the copy
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The new file [default: in backups/ beside the ledger, with the time in its name]
    to: Option<PathBuf>,
}

/// Runs `gt ledger backup`.
pub fn backup(args: &BackupArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let to = args.to.as_ref().map_or_else(|| fresh(context, "backup"), |path| context.process.cwd.join(path));
    let copied = context.town.ledger.copy_to(&to)?;
    if console.is_json() {
        return console.facts("gt.backup/1", "backup", copied);
    }
    let (path, beads, bytes) = (copied.path.display(), copied.beads, copied.bytes);
    console.say(&printable(&format!("{path}: {beads} beads, {bytes} bytes, checked")))?;
    Ok(0)
}
