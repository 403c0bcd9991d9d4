//! `gt ledger merge-driver`.

use std::path::PathBuf;

use clap::Args;
use gt_town::sync;
use serde_json::json;

use crate::Process;
use crate::commands::sync::{nul_line, renamed_lines};
use crate::console::{Console, printable};
use crate::error::CliResult;

/// Merge a file of beads field by field, without conflict markers; git calls this
///
/// In .gitattributes: `issues.jsonl merge=beads`; and once in each clone:
/// git config merge.beads.driver "gt ledger merge-driver %O %A %B"
#[derive(Debug, Args)]
pub struct MergeDriverArgs {
    /// The common ancestor of both files
    base: PathBuf,
    /// The file here, which becomes the merged one
    ours: PathBuf,
    /// The file there
    theirs: PathBuf,
}

/// Runs `gt ledger merge-driver`.
pub fn merge_driver(args: &MergeDriverArgs, process: &Process, console: &mut Console<'_>) -> CliResult {
    let MergeDriverArgs { base, ours, theirs } = args;
    let [base, ours, theirs] = [base, ours, theirs].map(|file| process.cwd.join(file));
    let merged = sync::merge_files(process.outside.world.as_ref(), &base, &ours, &theirs)?;
    if console.is_json() {
        let (losses, renamed, nul_lines) = (merged.losses, merged.renamed, merged.nul_lines);
        let document = json!({ "schema": "gt.merge/1", "losses": losses, "renamed": renamed, "nul_lines": nul_lines });
        return console.document(&document);
    }
    for line in renamed_lines(&merged.renamed) {
        console.note(&line)?;
    }
    for line in &merged.nul_lines {
        console.note(&nul_line(line))?;
    }
    for loss in merged.losses {
        let [kept, lost] = [&loss.kept, &loss.lost].map(|text| printable(text.lines().next().unwrap_or_default()));
        console.note(&format!("{}  {}: {kept:?} holds, {lost:?} does not", loss.bead, printable(&loss.key)))?;
    }
    Ok(0)
}
