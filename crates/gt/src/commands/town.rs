//! Making a town, taking it up and down.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_town::world::real::{Fifo, daemon};
use gt_town::{Town, deacon, install as engine, updown};

use super::Context;
use crate::Process;
use crate::cli::{DeaconVerb, Global};
use crate::console::Console;
use crate::error::{CliError, CliResult};

/// How long the deacon may take to start.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// `gt install`.
pub fn install(path: &Path, process: &Process, console: &mut Console<'_>) -> CliResult {
    let root = absolute(process, path);
    let town = engine::install(&root, &process.outside)?;
    for other in others_in_path(process) {
        console
            .note(&format!("warning: another {} is in your PATH; agents use this gt all the same", other.display()))?;
    }
    if console.is_json() {
        return console.facts("gt.install/1", "town", town.layout.root.display().to_string());
    }
    console.say(&format!("town made at {}", root.display()))?;
    console.say(&format!("next: cd {} && gt rig add <name> <url-or-path>", root.display()))?;
    Ok(0)
}

/// The path without `.` and `..`, from the working folder on.
pub fn absolute(process: &Process, path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in process.cwd.join(path).components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => _ = clean.pop(),
            other => clean.push(other),
        }
    }
    clean
}

/// Programs called `gt` or `bd` in the PATH that are not this one.
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

/// `gt up`.
pub fn up(context: &Context<'_>, process: &Process, console: &mut Console<'_>) -> CliResult {
    let town = &context.town;
    updown::want_up(town, &context.caller)?;
    let before = runs_still(town)?;
    if !before {
        start_deacon(town, process)?;
        updown::wait_for_deacon(town, true, START_DEADLINE)?;
    }
    town.wake();
    if console.is_json() {
        return console.facts("gt.up/1", "started", !before);
    }
    console.say(if before { "the deacon runs already" } else { "the deacon runs" })?;
    Ok(0)
}

/// Whether a deacon runs, asked twice: once could mean that somebody else was asking.
fn runs_still(town: &Town) -> Result<bool, CliError> {
    if !town.deacon_runs()? {
        return Ok(false);
    }
    town.world().clock().pause(Duration::from_millis(20));
    Ok(town.deacon_runs()?)
}

fn start_deacon(town: &Town, process: &Process) -> Result<(), CliError> {
    let log = town.layout.logs().join("deacon.log");
    Ok(daemon::start(&process.outside.gt, &town.layout.root, &log).map_err(gt_town::Error::from)?)
}

/// `gt down`.
pub fn down(context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let ended = updown::down(&context.town, &context.caller)?;
    if console.is_json() {
        return console.facts("gt.down/1", "ended", ended);
    }
    for (session, bead) in &ended.sessions {
        console.say(&format!("ended session {session} on {bead}; its work is kept"))?;
    }
    console.say(if ended.deacon { "the town is down" } else { "the town is down (no deacon ran)" })?;
    Ok(0)
}

/// `gt deacon run`.
pub fn deacon(verb: &DeaconVerb, global: &Global, process: &Process) -> CliResult {
    let DeaconVerb::Run { detach } = verb;
    daemon::stand_apart();
    let handle = super::open_town(global, process)?;
    if *detach {
        let log = handle.layout.logs().join("deacon.log");
        daemon::detach(&process.outside.gt, &handle.layout.root, &log).map_err(gt_town::Error::from)?;
        return Ok(0);
    }
    let mut fifo = Fifo::open(&handle.layout.wake()).map_err(gt_town::Error::from)?;
    // Waited for, since whoever asks whether a deacon runs holds the lock for that moment.
    let lock = handle.layout.deacon_lock();
    let held = handle.world().disk().lock(&lock, Duration::from_secs(1)).map_err(gt_town::Error::from)?;
    let Some(_held) = held else {
        return Err(gt_town::Error::refused("a deacon of this town runs already", "gt status").into());
    };
    deacon::run(&handle, &mut fifo)?;
    Ok(0)
}
