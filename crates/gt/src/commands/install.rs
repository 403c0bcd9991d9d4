//! `gt install`.

use std::path::{Path, PathBuf};

use clap::Args;
use gt_town::lifecycle::install as engine;

use crate::Process;
use crate::cli::Group;
use crate::console::Console;
use crate::context::absolute;
use crate::error::CliResult;

/// Create a town
#[derive(Debug, Args)]
#[command(display_order = Group::Start.order())]
pub struct InstallArgs {
    /// A new or empty folder, for example ~/gt
    path: PathBuf,
    /// The repository to sync the town's ledger with
    #[arg(long, value_name = "URL")]
    remote: Option<String>,
}

/// Runs `gt install`.
pub fn install(args: &InstallArgs, process: &Process, console: &mut Console<'_>) -> CliResult {
    let root = absolute(process, &args.path);
    let town = engine::install(&root, &process.outside, args.remote.as_deref())?;
    for other in others_in_path(process) {
        console.note(&format!("warning: another {} is in your PATH; agents use this gt anyway", other.display()))?;
    }
    if console.is_json() {
        return console.facts("gt.install/1", "town", town.layout.root.display().to_string());
    }
    console.say(&format!("town made at {}", root.display()))?;
    console.say(&format!("next: cd {} && gt rig add <name> <url-or-path>", root.display()))?;
    Ok(0)
}

/// Finds programs called `gt` or `bd` in the PATH that are not this one.
pub fn others_in_path(process: &Process) -> Vec<PathBuf> {
    let real = |path: &Path| path.canonicalize().ok();
    let own = real(&process.outside.gt);
    let path = process.env.get("PATH").cloned().unwrap_or_default();
    let places = path.split(':').filter(|folder| !folder.is_empty());
    let candidates = places.flat_map(|folder| ["gt", "bd"].map(|name| Path::new(folder).join(name)));
    let mut others: Vec<PathBuf> = candidates.filter(|file| file.is_file() && real(file) != own).collect();
    others.dedup();
    others
}
