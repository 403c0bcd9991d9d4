//! Finds the ledger that a call of `bd` is about, and describes it.

use std::path::{Path, PathBuf};

use gt_ledger::View;
use gt_town::sync::solo;
use gt_town::town::identity;
use gt_town::town::layout::Layout;
use gt_town::work::beads;
use gt_town::{Caller, Error, Town};

use super::BeadFlags;
use crate::Process;
use crate::cli::Global;
use crate::console;
use crate::context::{Context, TownHandle, open_town};
use crate::error::CliError;

/// Maximum bytes of a name that a caller may give itself.
const ACTOR_LIMIT: usize = 200;

/// Place of a ledger.
enum Place {
    /// In the town of this folder.
    Town(PathBuf),
    /// In this file, which belongs to no town.
    Solo(PathBuf),
}

/// Opens the ledger that a verb of beads is about.
pub fn open<'p>(flags: &BeadFlags, global: &Global, process: &'p Process) -> Result<Context<'p>, CliError> {
    let actor = actor(flags, process)?;
    if process.town.is_some() {
        return in_town(open_town(global, process)?, actor.as_deref(), process);
    }
    match place(flags, global, process)? {
        Place::Town(root) => {
            let town = Town::open(&root, process.outside.clone())?;
            in_town(TownHandle::Own(Box::new(town)), actor.as_deref(), process)
        }
        Place::Solo(path) => {
            let town = TownHandle::Own(Box::new(solo::open(&path, process.outside.clone())?));
            let name = actor.or_else(|| process.env.get("USER").cloned());
            Ok(Context { town, caller: Caller::overseer().called(name.as_deref()), process })
        }
    }
}

/// Returns the ledger's file, whether or not it can be opened, and the folder of its town, if it has one.
pub fn file(flags: &BeadFlags, global: &Global, process: &Process) -> Result<(PathBuf, Option<PathBuf>), CliError> {
    Ok(match place(flags, global, process)? {
        Place::Town(root) => (Layout::new(&root).ledger(), Some(root)),
        Place::Solo(path) => (path, None),
    })
}

fn in_town<'p>(town: TownHandle, actor: Option<&str>, process: &'p Process) -> Result<Context<'p>, CliError> {
    let caller = identity::caller(&town, &process.env)?;
    identity::sign_of_life(&town, &caller)?;
    console::set_reader(caller.incarnation.is_some());
    Ok(Context { town, caller: caller.called(actor), process })
}

/// Returns the name that the caller gives itself.
pub fn actor(flags: &BeadFlags, process: &Process) -> Result<Option<String>, CliError> {
    let named = flags.actor.as_ref().or_else(|| process.env.get("BD_ACTOR")).or_else(|| process.env.get("BEADS_ACTOR"));
    match named {
        Some(name) if name.len() > ACTOR_LIMIT || name.contains(char::is_control) => Err(CliError::Usage {
            what: "invalid name".to_owned(),
            hint: format!("--actor needs one line of at most {ACTOR_LIMIT} bytes"),
        }),
        named => Ok(named.cloned()),
    }
}

fn place(flags: &BeadFlags, global: &Global, process: &Process) -> Result<Place, CliError> {
    let env = |name: &str| process.env.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = &flags.db {
        return Ok(at(&process.cwd.join(path), process));
    }
    if let Some(root) = &global.town {
        return Ok(Place::Town(process.cwd.join(root)));
    }
    if let Some(path) = env("BEADS_DB").or_else(|| env("BEADS_DIR")) {
        return Ok(at(&process.cwd.join(path), process));
    }
    if let Some(root) = env("GT_TOWN") {
        return Ok(Place::Town(process.cwd.join(root)));
    }
    match found_above(process)? {
        Some(place) => Ok(place),
        None if flags.as_bd => Err(CliError::Failed {
            what: format!("no ledger of beads at or above {}", process.cwd.display()),
            hint: "bd init makes one here; in a town there is one already".to_owned(),
        }),
        None => Err(Error::NoTown(process.cwd.clone()).into()),
    }
}

/// Finds the nearest ledger from the current folder upwards. Inside a town, no file of a project leads out of the town.
fn found_above(process: &Process) -> Result<Option<Place>, CliError> {
    let in_town = process.cwd.ancestors().any(|folder| is_town(folder, process));
    for folder in process.cwd.ancestors() {
        let found = if is_town(folder, process) {
            Some(Place::Town(folder.to_owned()))
        } else {
            of_project(folder, in_town, process)?
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Finds the ledger of the project in a folder: the target of its `redirect`, its own, or the one that the worktrees of its
/// repository share.
fn of_project(folder: &Path, in_town: bool, process: &Process) -> Result<Option<Place>, CliError> {
    let disk = process.outside.world.disk();
    let own = folder.join(".beads").join(solo::FILE);
    if in_town {
        return Ok(disk.exists(&own).then_some(Place::Solo(own)));
    }
    if let Some(place) = redirected(folder, process)? {
        return Ok(Some(place));
    }
    if disk.exists(&own) {
        return Ok(Some(Place::Solo(own)));
    }
    let Some(shared) = solo::shared_beads(disk, folder)? else { return Ok(None) };
    if let Some(place) = shared.parent().map(|top| redirected(top, process)).transpose()?.flatten() {
        return Ok(Some(place));
    }
    let shared = shared.join(solo::FILE);
    Ok(disk.exists(&shared).then_some(Place::Solo(shared)))
}

/// Returns the target of the `redirect` of the project in a folder. A target without a ledger is an error: looking elsewhere
/// would split one ledger into two.
fn redirected(folder: &Path, process: &Process) -> Result<Option<Place>, CliError> {
    let disk = process.outside.world.disk();
    let Some(target) = solo::redirect(disk, folder)? else { return Ok(None) };
    match at(&target, process) {
        Place::Solo(path) if !disk.exists(&path) => Err(CliError::Failed {
            what: format!(
                "{} leads to {}, where there is no ledger",
                folder.join(".beads/redirect").display(),
                target.display()
            ),
            hint: "bd init makes one there; or remove the redirect".to_owned(),
        }),
        place => Ok(Some(place)),
    }
}

/// Resolves a path that the caller named: a ledger's file, its folder, or the folder above that.
fn at(path: &Path, process: &Process) -> Place {
    let disk = process.outside.world.disk();
    let is_folder = |path: &Path| matches!(disk.kind(path), Ok(Some(gt_world::NodeKind::Folder)));
    let folder = if is_folder(path) { path } else { path.parent().unwrap_or(path) };
    let above = if folder.file_name().is_some_and(|name| name == ".beads") { folder.parent() } else { Some(folder) };
    if let Some(root) = above.filter(|root| is_town(root, process))
        && (is_folder(path) || path == Layout::new(root).ledger())
    {
        return Place::Town(root.to_owned());
    }
    let below = path.join(".beads").join(solo::FILE);
    // Tools name the file that Go `bd` would have.
    let beside = path.with_file_name(solo::FILE);
    match (is_folder(path), disk.exists(&below)) {
        (false, _) if disk.exists(&beside) => Place::Solo(beside),
        (false, _) => Place::Solo(path.to_owned()),
        (true, true) => Place::Solo(below),
        (true, false) => Place::Solo(path.join(solo::FILE)),
    }
}

/// Whether a folder is a town.
pub fn is_town(folder: &Path, process: &Process) -> bool {
    process.outside.world.disk().exists(&Layout::new(folder).settings())
}

/// Returns the prefix of new beads.
pub fn prefix(view: &View<'_>, context: &Context<'_>) -> Result<String, Error> {
    beads::prefix_for(view, context.rig_here().as_deref(), &context.caller)
}
