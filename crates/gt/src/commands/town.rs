//! Verbs that make a town, start it and stop it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_model::id::RigName;
use gt_town::Town;
use gt_town::admission::{limits, spend};
use gt_town::agents::check;
use gt_town::lifecycle::install as engine;
use gt_town::lifecycle::updown;
use gt_town::patrol::boot::{self, BootEnd, DeaconProcess};
use gt_town::patrol::deacon;
use gt_town::town::{identity, person};
use gt_world::real::Fifo;
use gt_world::real::daemon::{self, Daemon};

use crate::Process;
use crate::cli::{BootVerb, DeaconVerb, Global};
use crate::console::Console;
use crate::context::{Context, absolute};
use crate::diagnosis;
use crate::error::{CliError, CliResult};

/// Time limit for the deacon's start.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// Runs `gt install`.
pub fn install(path: &Path, remote: Option<&str>, process: &Process, console: &mut Console<'_>) -> CliResult {
    let root = absolute(process, path);
    let town = engine::install(&root, &process.outside, remote)?;
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

/// Runs `gt up`.
pub fn up(context: &Context<'_>, global: &Global, process: &Process, console: &mut Console<'_>) -> CliResult {
    let town = &context.town;
    person::require(&context.caller, "takes the town up")?;
    updown::wait_for_former(town, &mut |pids| {
        let what = "boot or deacon of another town that was here";
        // If this fails, no output is left on which to report it.
        let _ = console.note(&format!("waiting for {} processes ({what}) to end: {pids:?}", pids.len()));
    })?;
    let older = updown::is_older(town)?;
    updown::want_up(town, &context.caller)?;
    renew_path(context, console)?;
    updown::wait_for_older(town, older)?;
    let before = town.deacon_runs()?;
    if !town.boot_runs()? {
        daemon(diagnosis::level(global, process), process, town, "boot").start_apart().map_err(gt_town::Error::from)?;
    }
    updown::wait_for_deacon(town, START_DEADLINE)?;
    town.wake();
    if console.is_json() {
        return console.facts("gt.up/1", "started", !before);
    }
    console.say(match (older, before) {
        (true, _) => "this gt has taken over: the deacon runs",
        (false, true) => "the deacon runs already",
        (false, false) => "the deacon runs",
    })?;
    Ok(0)
}

/// Stores this shell's PATH for all agents, so that they find newly installed programs. Prints what came and went, and which
/// kind of agent has no program in it.
fn renew_path(context: &Context<'_>, console: &mut Console<'_>) -> Result<(), CliError> {
    match check::take_path(&context.town, &context.caller) {
        Ok(news) => {
            if let Some(words) = news.words() {
                console.note(&format!("the agents' PATH is that of this shell now: {words}"))?;
            }
        }
        Err(refused) => console.note(&format!("the agents' PATH stays as it was: {refused}"))?,
    }
    warn_of_missing_programs(context, console)
}

/// Warns about kinds of agent that have no program in the agents' PATH.
pub(super) fn warn_of_missing_programs(context: &Context<'_>, console: &mut Console<'_>) -> Result<(), CliError> {
    for missing in check::missing_programs(&context.town)? {
        let next = missing.next.unwrap_or_default();
        console.note(&format!("warning: {}; next: {next}", missing.found))?;
    }
    Ok(())
}

fn daemon<'a>(log_level: Option<&'a str>, process: &'a Process, town: &'a Town, role: &'a str) -> Daemon<'a> {
    Daemon { gt: &process.outside.gt, town: &town.layout.root, role, log_level }
}

/// Runs `gt down`.
pub fn down(context: &Context<'_>, now: bool, console: &mut Console<'_>) -> CliResult {
    let (town, caller) = (&context.town, &context.caller);
    let mut drained = Vec::new();
    if !now && town.deacon_runs()? {
        let mut told = 0;
        drained = updown::drain(town, caller, &mut |waiting| {
            if waiting.len() != told {
                told = waiting.len();
                // If this fails, no output is left on which to report it.
                let who = "to finish their step, or turn; gt down --now does not wait";
                let _ = console.note(&format!("waiting for {told} agents {who}"));
            }
        })?;
    }
    let mut ended = updown::down(town, caller)?;
    ended.sessions.splice(0..0, drained);
    if console.is_json() {
        return console.facts("gt.down/1", "ended", ended);
    }
    for (session, bead) in &ended.sessions {
        let on = bead.as_ref().map(|bead| format!(" on {bead}")).unwrap_or_default();
        console.say(&format!("ended session {session}{on}; its work is kept"))?;
    }
    console.say(if ended.deacon { "the town is down" } else { "the town is down (no deacon ran)" })?;
    Ok(0)
}

/// Runs `gt pause`.
pub fn pause(context: &Context<'_>, rig: Option<&str>, console: &mut Console<'_>) -> CliResult {
    let rig = rig.map(|name| context.town.rig(name)).transpose()?;
    let name = rig.as_ref().map(gt_town::Rig::name);
    let news = gt_town::town::desired::pause(&context.town, &context.caller, name)?;
    said_of_pause(news, "paused", name, console)
}

/// Runs `gt resume`.
pub fn resume(context: &Context<'_>, rig: Option<&str>, agent: Option<&str>, console: &mut Console<'_>) -> CliResult {
    if let Some(kind) = agent {
        let news = limits::resume(&context.town, &context.caller, kind)?;
        if console.is_json() {
            return console.facts("gt.pause/1", "resumed", news);
        }
        let was = if news { "works again" } else { "was not at a limit" };
        console.say(&format!("the kind {kind} {was}"))?;
        return Ok(0);
    }
    let rig = rig.map(|name| context.town.rig(name)).transpose()?;
    let name = rig.as_ref().map(gt_town::Rig::name);
    let news = gt_town::town::desired::resume(&context.town, &context.caller, name)?;
    said_of_pause(news, "resumed", name, console)
}

/// Runs `gt resume --spend`.
pub fn resume_spending(context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let news = spend::resume(&context.town, &context.caller)?;
    if console.is_json() {
        return console.facts("gt.pause/1", "resumed", news);
    }
    console.say(if news {
        "as much again may be spent today"
    } else {
        "neither the day's cap nor one of a turn is reached"
    })?;
    Ok(0)
}

fn said_of_pause(news: bool, word: &str, rig: Option<&RigName>, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return console.facts("gt.pause/1", word, news);
    }
    let what = rig.map_or("the town".to_owned(), |rig| format!("the rig {rig}"));
    console.say(&format!("{what} {}", if news { format!("is {word}") } else { format!("was {word} already") }))?;
    Ok(0)
}

/// Checking a lock briefly takes it; callers wait at most this long.
const ASKERS_TURN: Duration = Duration::from_secs(1);

/// Longer than any deacon lives, and still safe to add to a time.
const FOR_EVER: Duration = Duration::from_hours(24 * 365 * 10);

/// Runs `gt deacon run`.
pub fn deacon(verb: &DeaconVerb, global: &Global, process: &Process) -> CliResult {
    let DeaconVerb::Run { wait } = verb;
    daemon::stand_apart();
    let town = crate::context::open_town(global, process)?;
    identity::refuse_agents(&town)?;
    let mut fifo = Fifo::open(&town.layout.wake()).map_err(gt_town::Error::from)?;
    let disk = town.world().disk();
    let deadline = if *wait { FOR_EVER } else { ASKERS_TURN };
    let held = disk.lock(&town.layout.deacon_lock(), deadline).map_err(gt_town::Error::from)?;
    let Some(_held) = held else {
        return Err(gt_town::Error::refused("a deacon of this town runs already", "gt status").into());
    };
    deacon::run(&town, &mut fifo)?;
    Ok(0)
}

/// The deacon's process, as boot sees it.
struct Deacon(daemon::Watched);

impl DeaconProcess for Deacon {
    fn wait(&self, at_most: Duration) -> Option<Option<i32>> {
        self.0.wait(at_most)
    }

    fn kill(&self) {
        self.0.kill();
    }
}

/// Runs `gt boot run`.
pub fn boot(verb: &BootVerb, global: &Global, process: &Process) -> CliResult {
    let BootVerb::Run { detach } = verb;
    daemon::stand_apart();
    let town = crate::context::open_town(global, process)?;
    identity::refuse_agents(&town)?;
    let level = diagnosis::level(global, process);
    if *detach {
        daemon(level, process, &town, "boot").leave_running().map_err(gt_town::Error::from)?;
        return Ok(0);
    }
    let held = town.world().disk().lock(&town.layout.boot_lock(), ASKERS_TURN).map_err(gt_town::Error::from)?;
    let Some(_held) = held else {
        return Err(gt_town::Error::refused("boot of this town runs already", "gt status").into());
    };
    // Waits for a deacon that an earlier boot left, then replaces it.
    let start = || Ok(Deacon(daemon(level, process, &town, "deacon").start_watched(&["--wait"])?));
    match boot::run(&town, start)? {
        BootEnd::Finished => Ok(0),
        BootEnd::GaveUp => Ok(1),
    }
}
