//! Verbs, one file for each group: each takes its arguments, calls the engine once, and prints the answer.

use std::ffi::OsString;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use gt_town::town::identity;
use gt_town::town::layout::Layout;
use gt_town::work::done::Ending;
use gt_town::{Caller, Rig, Town};

use crate::Process;
use crate::cli::{Cli, Global, PrimeArgs, Verb};
use crate::console::{self, Console};
use crate::error::{CliError, CliResult};

mod agent;
mod agents;
mod allow;
mod bead;
mod complete;
mod config;
mod convoy;
mod cost;
mod crew;
mod demo;
mod help;
mod keep;
mod ledger;
mod log_lines;
mod look;
mod mail;
mod mayor;
pub(crate) mod moment;
mod progress;
mod queue;
mod review;
mod rig;
mod session;
mod show;
mod sync;
mod town;
mod work;

/// Town that a verb uses: opened by this call, or open already in a simulated world.
pub enum TownHandle {
    /// Opened by this call.
    Own(Box<Town>),
    /// Opened before this call.
    Shared(Rc<Town>),
}

impl Deref for TownHandle {
    type Target = Town;

    fn deref(&self) -> &Town {
        match self {
            Self::Own(town) => town,
            Self::Shared(town) => town,
        }
    }
}

/// What most verbs need: the town and the caller.
pub struct Context<'p> {
    /// Town of the call.
    pub town: TownHandle,
    /// Caller of the verb.
    pub caller: Caller,
    process: &'p Process,
}

impl<'p> Context<'p> {
    fn open(global: &Global, process: &'p Process) -> Result<Self, CliError> {
        let town = open_town(global, process)?;
        let caller = identity::caller(&town, &process.env)?;
        identity::sign_of_life(&town, &caller)?;
        console::set_reader(caller.incarnation.is_some());
        Ok(Self { town, caller, process })
    }

    /// Returns the named rig, or the one that the caller belongs to or stands in, or the only one.
    pub fn rig(&self, name: Option<&str>) -> Result<Rig, CliError> {
        if let Some(name) = name.map(str::to_owned).or_else(|| self.rig_here()) {
            return Ok(self.town.rig(&name)?);
        }
        let mut rigs = self.town.rigs()?;
        match rigs.len() {
            1 => Ok(rigs.remove(0)),
            0 => Err(gt_town::Error::UnknownRig { name: String::new(), known: Vec::new() }.into()),
            _ => {
                let names: Vec<String> = rigs.iter().map(|rig| rig.name().to_string()).collect();
                Err(CliError::Usage {
                    what: "which rig?".to_owned(),
                    hint: format!("name one of: {}", names.join(", ")),
                })
            }
        }
    }

    /// Returns the name of the caller's own rig, or of the one whose folder it stands in.
    pub fn rig_here(&self) -> Option<String> {
        if let Some(rig) = self.caller.address.rig() {
            return Some(rig.to_string());
        }
        let below = self.process.cwd.strip_prefix(&self.town.layout.root).ok()?;
        let first = below.components().next()?.as_os_str().to_str()?.to_owned();
        self.town.rig(&first).ok().map(|rig| rig.name().to_string())
    }
}

/// Finds the town: by flag, by `GT_TOWN`, or upwards from the working folder. Never makes one.
fn open_town(global: &Global, process: &Process) -> Result<TownHandle, CliError> {
    if let Some(town) = &process.town {
        return Ok(TownHandle::Shared(town.clone()));
    }
    Ok(TownHandle::Own(Box::new(Town::open(&find_town(global, process)?, process.outside.clone())?)))
}

pub(crate) fn find_town(global: &Global, process: &Process) -> Result<PathBuf, CliError> {
    match global.town.clone().or_else(|| process.env.get("GT_TOWN").map(PathBuf::from)) {
        Some(root) => Ok(process.cwd.join(root)),
        None => find_upwards(process),
    }
}

fn find_upwards(process: &Process) -> Result<PathBuf, CliError> {
    let is_town = |folder: &&Path| process.outside.world.disk().exists(&Layout::new(folder).settings());
    let found = process.cwd.ancestors().find(is_town).map(Path::to_owned);
    Ok(found.ok_or_else(|| gt_town::Error::NoTown(process.cwd.clone()))?)
}

/// Returns a text as given, or standard input where it is `-`.
fn text_or_stdin(text: String) -> Result<String, CliError> {
    if text == "-" { Ok(std::io::read_to_string(std::io::stdin())?) } else { Ok(text) }
}

/// Returns the grammar of the command line, as [`crate::run`] reads it.
pub fn grammar() -> clap::Command {
    help::command()
}

pub use bead::in_bds_words;

/// Answers arguments meant for the Go `bd` that do not fit our grammar, where it can say more than clap does.
pub fn unlike_ours(args: &[OsString], error: &clap::Error, console: &mut Console<'_>) -> Option<CliResult> {
    bead::absent(args, error, console).or_else(|| bead::too_few(args, error).map(Err))
}

/// Carries out a verb.
pub fn dispatch(cli: Cli, process: &Process, console: &mut Console<'_>) -> CliResult {
    let Cli { global, verb } = cli;
    let open = || Context::open(&global, process);
    match verb {
        Verb::Demo(args) => demo::run(&args, process, console),
        Verb::Install { path, remote } => town::install(&path, remote.as_deref(), process, console),
        Verb::Sync(args) => sync::sync(&args, &open()?, console),
        Verb::Town(verb) => sync::town(&verb, &open()?, console),
        Verb::Config(verb) => config::run(&verb, &open()?, console),
        Verb::Completions { shell } => complete::script(shell, console),
        Verb::Complete { words } => complete::complete(&words, process, console),
        Verb::Help { man: Some(folder), .. } => help::man_pages(&folder, process, console),
        Verb::Help { words, markdown, man: None } => help::help(&words, markdown, console),
        Verb::SimWorker { script, play_dir } => demo::sim_worker(script, play_dir, process),
        Verb::Deacon(verb) => town::deacon(&verb, &global, process),
        Verb::Boot(verb) => town::boot(&verb, &global, process),
        Verb::Agent(verb) => agents::run(&verb, &open()?, console),
        Verb::Rig(verb) => rig::run(verb, &open()?, console),
        Verb::Do { titles, rig, description, agent, runtime } => {
            let options = work::options(None, agent, runtime);
            work::do_it(&open()?, &titles, rig.as_deref(), description, &options, console)
        }
        Verb::Bead(args) => bead::run(*args, &global, process, console),
        Verb::Ledger(args) => ledger::run(&args, &global, process, console),
        Verb::Import(args) => ledger::import(&args, &global, process, console),
        Verb::Convoy(verb) => convoy::run(verb, &open()?, console),
        Verb::Sling { words, convoy, agent, runtime } => {
            work::sling(&open()?, &words, convoy, work::options(None, agent, runtime), console)
        }
        Verb::Unsling { beads } => work::unsling(&open()?, &beads, console),
        Verb::Mayor(verb) => mayor::run(verb, &open()?, console),
        Verb::Crew(verb) => crew::run(verb, &open()?, console),
        Verb::Polecat(verb) => keep::polecat(verb, &open()?, console),
        Verb::Snapshot(verb) => keep::snapshot(verb, &open()?, console),
        Verb::Retention(verb) => keep::retention(&verb, &open()?, console),
        Verb::Up => town::up(&open()?, &global, process, console),
        Verb::Down { now } => town::down(&open()?, now, console),
        Verb::Pause { rig } => town::pause(&open()?, rig.as_deref(), console),
        Verb::Resume { spend: true, .. } => town::resume_spending(&open()?, console),
        Verb::Resume { rig, agent, .. } => town::resume(&open()?, rig.as_deref(), agent.as_deref(), console),
        Verb::Cost(args) => cost::cost(&open()?, &args, console),
        Verb::Status { long, watch } => look::status(&open()?, long, watch, console),
        Verb::Log { bead, last, follow, deacon, debug, .. } if deacon || debug => {
            let wanted = log_lines::Wanted { verbs: debug, bead: bead.as_deref(), last, follow };
            log_lines::show(wanted, &global, process, console)
        }
        Verb::Log { bead, last, follow, all, .. } => look::log(&open()?, bead.as_deref(), last, follow, all, console),
        Verb::Session(verb) => session::run(&verb, &open()?, console),
        Verb::Peek { address, lines, follow, raw } => session::peek(&open()?, &address, lines, follow, raw, console),
        Verb::Show { id } => show::show(&open()?, &id, console),
        Verb::Why { id } => look::why(&open()?, &id, console),
        Verb::Doctor { retry, fix, deep } => look::doctor(&open()?, retry, fix, deep, process, console),
        Verb::Mq(verb) => queue::mq(verb, &open()?, console),
        Verb::Refinery(verb) => queue::refinery(&verb, &open()?, console),
        Verb::Witness(verb) => queue::witness(&verb, &open()?, console),
        Verb::Mail(verb) => mail::run(verb, &open()?, console),
        Verb::Prime(PrimeArgs { moment: Some(moment), client: Some(client), .. }) => {
            moment::call(moment.0, client.0, &global, process, console)
        }
        Verb::Prime(PrimeArgs { explain, .. }) => agent::prime(&open()?, explain, console),
        Verb::Moment { moment, client } => moment::call(moment.0, client.0, &global, process, console),
        Verb::Handoff { subject, message } => agent::handoff(&open()?, &subject, message, console),
        Verb::Nudge { address, message } => agent::nudge(&open()?, &address, message, console),
        Verb::Hook => agent::hook(&open()?, console),
        Verb::Step(verb) => agent::step(&verb, &open()?, console),
        Verb::Mol(verb) => agent::mol(&verb, &open()?, console),
        Verb::CatchUp => agent::catch_up(&open()?, console),
        Verb::Done { no_code, landed_by, dropped, status, message } => {
            let exit = agent::exit(no_code, landed_by.as_deref(), status);
            let (note, dropped) = (message.as_deref(), dropped.as_deref());
            let ending = Ending { exit, note, landed_by: landed_by.as_deref(), dropped };
            agent::done(&open()?, &ending, console)
        }
    }
}
