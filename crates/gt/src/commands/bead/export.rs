//! `gt bead export`.

use std::path::PathBuf;

use clap::Args;
use gt_town::Error;
use gt_town::sync::port::{self, ExportFilter};

use crate::commands::bead::prefix_of;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Write beads as JSONL
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Only of this rig
    #[arg(long)]
    rig: Option<String>,
    /// Write to this file instead of standard output
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Also ephemeral ones
    #[arg(long)]
    wisps: bool,
}

/// Runs `gt bead export`.
pub fn export(args: &ExportArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (rig, wisps) = (args.rig.as_deref(), args.wisps);
    let what = ExportFilter { prefixes: prefix_of(context, rig)?.into_iter().collect(), wisps };
    let (text, left_out) = context.town.ledger.read(|view| {
        let left_out = if wisps { 0 } else { view.count_wisps(&what.prefixes)? };
        Ok::<_, Error>((port::export(view, &what)?, left_out))
    })?;
    if left_out > 0 {
        console.note(&format!("{left_out} ephemeral beads (wisps) are left out: --wisps writes them too"))?;
    }
    let Some(output) = args.output.as_deref().filter(|path| path.as_os_str() != "-") else {
        let text = console.json(&text);
        console.out().write_all(text.as_bytes())?;
        return Ok(0);
    };
    let path = context.process.cwd.join(output);
    let disk = context.town.world().disk();
    // Writes through a link, which stays a link.
    let file = if disk.exists(&path) { disk.real_path(&path).map_err(Error::from)? } else { path.clone() };
    disk.write(&file, text.as_bytes()).map_err(Error::from)?;
    console.say(&format!("{} lines written to {}", text.lines().count(), path.display()))?;
    Ok(0)
}
