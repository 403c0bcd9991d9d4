//! `gt import beads`.

use std::path::PathBuf;

use clap::Args;
use gt_town::sync::adopt::{self, Found};
use gt_town::sync::port::ImportOptions;
use serde_json::json;

use crate::commands::bead::import::ImportFlags;
use crate::commands::{bead, sync};
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Import the beads of a project's .beads folder, or of a town of the Go Gas Town with its rigs
#[derive(Debug, Args)]
pub struct BeadsArgs {
    /// The project, its .beads, or the town
    folder: PathBuf,
    /// How.
    #[command(flatten)]
    how: ImportFlags,
}

/// Runs `gt import beads`.
pub fn beads(args: &BeadsArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let options = ImportOptions::from(args.how);
    let folder = context.process.cwd.join(&args.folder);
    let found = adopt::beads(&context.town, &context.caller, &folder, options)?;
    if console.is_json() {
        return console
            .document(&json!({ "schema": "gt.import-beads/1", "dry_run": options.rehearse, "found": found }));
    }
    say_found(&found, options.rehearse, console)
}

fn say_found(found: &Found, dry_run: bool, console: &mut Console<'_>) -> CliResult {
    let would = if dry_run { "would be " } else { "" };
    for file in &found.files {
        let done = &file.imported;
        let prefixes: Vec<&str> = file.prefixes.iter().map(String::as_str).collect();
        console.line(&format!(
            "{}: {} beads ({})",
            file.path.display(),
            file.beads,
            printable(&prefixes.join(", "))
        ))?;
        console.line(&format!("  {would}added {}, updated {}, kept {}", done.added, done.updated, done.kept))?;
        for line in &done.bad_lines {
            console.line(&format!("  not taken: {}", printable(line)))?;
        }
        for line in &done.nul_lines {
            console.line(&sync::nul_line(&format!("  line {line}")))?;
        }
        bead::say_imported(done, console)?;
    }
    for rig in found.rigs.iter().filter(|rig| !rig.known) {
        let prefix = rig.prefix.as_deref().map(|prefix| format!(" --prefix {prefix}")).unwrap_or_default();
        let url = rig.url.as_deref().unwrap_or("<url>");
        console.line(&printable(&format!("rig {}: gt rig add {} {url}{prefix}", rig.name, rig.name)))?;
    }
    for note in &found.notes {
        console.line(&printable(note))?;
    }
    Ok(0)
}
