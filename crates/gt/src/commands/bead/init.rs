//! `gt bead init`.

use std::path::{Path, PathBuf};

use clap::Args;
use gt_model::jsonl;
use gt_town::sync::port::{self, ImportOptions};
use gt_town::sync::solo;
use gt_town::{Caller, Error};
use serde_json::json;

use super::BeadFlags;
use super::import::say_imported;
use super::place::{actor, is_town};
use crate::Process;
use crate::commands::bead::words;
use crate::console::Console;
use crate::error::{CliError, CliResult};

/// Create a ledger in this folder's .beads; a town has one already
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Prefix of new ids [default: the folder's name]
    #[arg(long, short)]
    prefix: Option<String>,
    /// Refuse unless there is an issues.jsonl; its beads are imported without this flag, too
    #[arg(long)]
    from_jsonl: bool,
    /// Accepted and ignored: no hooks are installed and nothing is asked
    #[arg(long, hide = true)]
    skip_hooks: bool,
    #[arg(long, hide = true)]
    stealth: bool,
    #[arg(long, hide = true)]
    non_interactive: bool,
    #[arg(long, hide = true)]
    skip_agents: bool,
}

/// Returns the folder in which `init` makes a ledger, where none is named: a redirect's target, or the folder that the worktrees
/// of a repository share.
fn new_folder(process: &Process) -> Result<PathBuf, CliError> {
    let disk = process.outside.world.disk();
    if let Some(target) = solo::redirect(disk, &process.cwd)? {
        return Ok(target);
    }
    let top = process.cwd.ancestors().find(|folder| disk.exists(&folder.join(".git")));
    let shared = top.map(|top| solo::shared_beads(disk, top)).transpose()?.flatten();
    Ok(shared.unwrap_or_else(|| process.cwd.join(".beads")))
}

/// Finds beads that exist before the ledger does: in its folder, or in this worktree.
fn beads_before(folder: &Path, process: &Process) -> Result<Option<(PathBuf, Vec<u8>)>, CliError> {
    let disk = process.outside.world.disk();
    let above = process.cwd.ancestors().map(|folder| folder.join(".beads"));
    let here = above.take_while(|beads| !disk.exists(&beads.with_file_name(".git"))).count();
    let own = process.cwd.ancestors().take(here + 1).map(|folder| folder.join(".beads"));
    for beads in std::iter::once(folder.to_owned()).chain(own) {
        if let Some(found) = solo::beads_file(disk, &beads)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Runs `gt bead init`.
pub fn init(args: &InitArgs, flags: &BeadFlags, process: &Process, console: &mut Console<'_>) -> CliResult {
    if let Some(town) = process.cwd.ancestors().find(|folder| is_town(folder, process)) {
        return Err(CliError::Engine(Error::refused(
            format!("{} is in a town, which has a ledger", process.cwd.display()),
            format!("bd list --db {} shows it; a project of its own: gt rig add <name> <url>", town.display()),
        )));
    }
    let env = process.env.get("BEADS_DIR").map(PathBuf::from);
    let named = flags.db.clone().or(env).map(|path| process.cwd.join(path));
    let folder = match named {
        Some(path) if path.extension().is_some_and(|kind| kind == "db") => path.parent().map(Path::to_owned),
        named => named,
    };
    let folder = folder.map_or_else(|| new_folder(process), Ok)?;
    let disk = process.outside.world.disk();
    let before = if disk.exists(&folder.join(solo::FILE)) { None } else { beads_before(&folder, process)? };
    let text = before.as_ref().map_or(&[][..], |(_, text)| text);
    match &before {
        Some((path, _)) => refuse_unread(path, text)?,
        None if args.from_jsonl && !disk.exists(&folder.join(solo::FILE)) => {
            return Err(Error::MissingFile(folder.join("issues.jsonl")).into());
        }
        None => {}
    }
    let known = solo::known_prefix(disk, &folder, text)?;
    let by_name = || solo::prefix_of(folder.parent().unwrap_or(&process.cwd));
    let prefix = args.prefix.clone().or(known).unwrap_or_else(by_name);
    let prefix = prefix.trim_end_matches('-');
    let town = solo::create(&folder, prefix, process.outside.clone())?;
    let name = actor(flags, process)?.or_else(|| process.env.get("USER").cloned());
    let caller = Caller::overseer().called(name.as_deref());
    let imported = port::import(&town, &caller, text, ImportOptions::default())?;
    let path = folder.join(solo::FILE);
    if console.is_json() {
        let beads = imported.added;
        return console
            .document(&json!({ "path": folder, "database_path": path, "prefix": prefix, "imported": beads }));
    }
    let said = format!("{} is made; new beads are {prefix}-…", path.display());
    words::say(console, &said, &format!("bd initialized successfully: {said}"))?;
    if let Some((from, _)) = &before {
        console.say(&format!("{} beads were taken in from {}", imported.added, from.display()))?;
        say_imported(&imported, console)?;
    }
    Ok(0)
}

/// Refuses to start from a file of beads that can't be read whole: the next export would lose what was not read.
fn refuse_unread(path: &Path, text: &[u8]) -> Result<(), CliError> {
    match jsonl::records(text).find_map(Result::err) {
        None => Ok(()),
        Some(error) => Err(Error::refused(
            format!("no ledger was made: {} can't be read: {error}", path.display()),
            "repair that line, or move the file away",
        )
        .into()),
    }
}
