//! Finds the ledger that a call of `bd` is about, and describes it.

use std::path::{Path, PathBuf};

use gt_ledger::View;
use gt_model::jsonl;
use gt_town::sync::port::{self, ImportOptions};
use gt_town::sync::solo;
use gt_town::town::identity;
use gt_town::town::layout::Layout;
use gt_town::work::beads;
use gt_town::{Caller, Error, Town};
use serde_json::json;

use super::health;
use super::words;
use crate::Process;
use crate::cli::{BeadFlags, ConfigVerb, Global, InitArgs};
use crate::console::{self, Console, printable};
use crate::context::{Context, TownHandle, open_town};
use crate::error::{CliError, CliResult};

/// Version of Go `bd` whose command line this is.
pub const LEVEL: &str = "1.0.4";

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

fn actor(flags: &BeadFlags, process: &Process) -> Result<Option<String>, CliError> {
    let named = flags.actor.as_ref().or_else(|| process.env.get("BD_ACTOR")).or_else(|| process.env.get("BEADS_ACTOR"));
    match named {
        Some(name) if name.len() > ACTOR_LIMIT || name.contains(char::is_control) => Err(CliError::Usage {
            what: "that is no name".to_owned(),
            hint: format!("--actor wants one line of at most {ACTOR_LIMIT} bytes"),
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

fn is_town(folder: &Path, process: &Process) -> bool {
    process.outside.world.disk().exists(&Layout::new(folder).settings())
}

/// Runs `init`.
pub fn init(args: &InitArgs, flags: &BeadFlags, process: &Process, console: &mut Console<'_>) -> CliResult {
    if let Some(town) = process.cwd.ancestors().find(|folder| is_town(folder, process)) {
        return Err(CliError::Engine(Error::refused(
            format!("{} is in a town, which has its ledger", process.cwd.display()),
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
        super::say_imported(&imported, console)?;
    }
    Ok(0)
}

/// Refuses to start from a file of beads that can't be read whole: the next export would lose what was not read.
fn refuse_unread(path: &Path, text: &[u8]) -> Result<(), CliError> {
    match jsonl::records(text).find_map(Result::err) {
        None => Ok(()),
        Some(error) => Err(Error::refused(
            format!("no ledger was made: {} can't be read: {error}", path.display()),
            "mend that line, or move the file away",
        )
        .into()),
    }
}

/// Runs `version`.
pub fn version(console: &mut Console<'_>) -> CliResult {
    let own = format!("gt {}", env!("CARGO_PKG_VERSION"));
    if console.is_json() {
        return console.document(&json!({ "version": LEVEL, "build": own }));
    }
    console.line(&format!("bd version {LEVEL} ({own})"))?;
    Ok(0)
}

fn prefix(view: &View<'_>, context: &Context<'_>) -> Result<String, Error> {
    beads::prefix_for(view, context.rig_here().as_deref(), &context.caller)
}

/// Runs `where`.
pub fn place_of(context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let path = context.town.ledger.path();
    let prefix = context.town.ledger.read(|view| prefix(view, context))?;
    if console.is_json() {
        let folder = path.parent();
        return console.document(&json!({ "path": folder, "database_path": path, "prefix": prefix }));
    }
    console.line(&format!("{}\nprefix {prefix}", path.display()))?;
    Ok(0)
}

/// Runs `info`.
pub fn info(with_schema: bool, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let schema = with_schema.then(|| health::schema(context)).transpose()?;
    let path = context.town.ledger.path();
    let now = context.town.world().clock().now();
    let (prefix, numbers, config) = context
        .town
        .ledger
        .read(|view| Ok::<_, Error>((prefix(view, context)?, view.statistics(now)?, solo::settings(view)?)))?;
    if console.is_json() {
        let mut document = json!({
            "database_path": path,
            "mode": "direct",
            "issue_count": numbers.total,
            "issue_prefix": prefix,
            "config": config,
            "version": LEVEL,
            "gt_version": env!("CARGO_PKG_VERSION"),
        });
        if let Some(schema) = schema {
            document["schema"] = schema;
        }
        return console.document(&document);
    }
    console.line(&format!("ledger  {}\nprefix  {prefix}\nbeads   {}", path.display(), numbers.total))?;
    if let Some(schema) = schema {
        console.line(&format!("tables  version {}: {}", schema["schema_version"], schema["tables"]))?;
    }
    Ok(0)
}

/// Runs `config`.
pub fn config(verb: ConfigVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let all = context.town.ledger.read(solo::settings)?;
    match verb {
        ConfigVerb::Get { key } => {
            let value = all.get(&key);
            if console.is_json() {
                return console.document(&json!({ "key": key, "value": value.cloned().unwrap_or_default() }));
            }
            match value {
                Some(value) => console.line(&printable(value))?,
                None => console.line(&format!("{} (not set)", printable(&key)))?,
            }
        }
        ConfigVerb::Set { key, value } => {
            solo::set(&context.town, &context.caller, &key, Some(&value))?;
            if console.is_json() {
                return console.document(&json!({ "key": key, "value": value }));
            }
            let said = format!("{key} = {}", printable(&value));
            words::say(console, &said, &format!("Set {said}"))?;
        }
        ConfigVerb::List if console.is_json() => return console.document(&json!(all)),
        ConfigVerb::List => {
            for (key, value) in all {
                console.line(&format!("{} = {}", printable(&key), printable(&value)))?;
            }
        }
        ConfigVerb::Unset { key } => {
            solo::set(&context.town, &context.caller, &key, None)?;
            if console.is_json() {
                return console.document(&json!({ "key": key, "status": "unset" }));
            }
            words::say(console, &format!("{key} is no longer set"), &format!("Unset {key}"))?;
        }
    }
    Ok(0)
}
