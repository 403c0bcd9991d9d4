//! Verbs. Each is a file named like it: its arguments, whose doc comments are its help, and the function that carries it out.
//! A noun is a folder: its verbs, and in `mod.rs` the enum of them.
//!
//! A verb's arguments are built only when the verb is called (`defer`), since building all of them takes longer than most verbs.

use std::ffi::OsString;

use clap::Subcommand;

use crate::Process;
use crate::cli::Cli;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

mod agent;
mod bead;
mod boot;
mod catch_up;
mod complete;
mod completions;
mod config;
mod convoy;
mod cost;
mod crew;
mod deacon;
mod demo;
mod r#do;
mod doctor;
mod done;
mod down;
mod formula;
mod handoff;
mod help;
mod hook;
mod import;
mod install;
mod ledger;
mod log;
mod mail;
mod mayor;
mod mol;
pub(crate) mod moment;
mod mq;
mod nudge;
mod pause;
mod peek;
mod polecat;
mod prime;
mod refinery;
mod resume;
mod retention;
mod rig;
mod session;
mod show;
mod sim_worker;
mod sling;
mod snapshot;
mod status;
mod step;
mod sync;
mod town;
mod unsling;
mod up;
mod why;
mod witness;

/// All verbs.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Verb {
    Demo(demo::DemoArgs),
    Install(install::InstallArgs),
    #[command(subcommand)]
    Rig(rig::RigVerb),
    #[command(subcommand)]
    Agent(agent::AgentVerb),
    Import(Box<import::ImportArgs>),
    Doctor(doctor::DoctorArgs),
    Do(r#do::DoArgs),
    #[command(subcommand)]
    Mayor(mayor::MayorVerb),
    Bead(Box<BeadArgs>),
    #[command(subcommand)]
    Convoy(convoy::ConvoyVerb),
    #[command(subcommand)]
    Formula(formula::FormulaVerb),
    Sling(sling::SlingArgs),
    Unsling(unsling::UnslingArgs),
    Status(status::StatusArgs),
    Show(show::ShowArgs),
    Why(why::WhyArgs),
    Log(log::LogArgs),
    Peek(peek::PeekArgs),
    #[command(subcommand)]
    Session(session::SessionVerb),
    Cost(cost::CostArgs),
    #[command(subcommand)]
    Mq(mq::MqVerb),
    #[command(subcommand)]
    Refinery(refinery::RefineryVerb),
    Up(up::UpArgs),
    Down(down::DownArgs),
    Pause(pause::PauseArgs),
    Resume(resume::ResumeArgs),
    #[command(subcommand)]
    Config(config::ConfigVerb),
    Sync(sync::SyncArgs),
    #[command(subcommand)]
    Town(town::TownVerb),
    #[command(subcommand)]
    Crew(crew::CrewVerb),
    #[command(subcommand)]
    Mail(mail::MailVerb),
    Nudge(nudge::NudgeArgs),
    #[command(subcommand)]
    Polecat(polecat::PolecatVerb),
    #[command(subcommand)]
    Snapshot(snapshot::SnapshotVerb),
    #[command(subcommand)]
    Retention(retention::RetentionVerb),
    Ledger(Box<ledger::LedgerArgs>),
    Prime(prime::PrimeArgs),
    Hook(hook::HookArgs),
    #[command(subcommand)]
    Step(step::StepVerb),
    #[command(subcommand)]
    Mol(mol::MolVerb),
    CatchUp(catch_up::CatchUpArgs),
    Done(done::DoneArgs),
    Handoff(handoff::HandoffArgs),
    #[command(subcommand)]
    Witness(witness::WitnessVerb),
    #[command(subcommand)]
    Deacon(deacon::DeaconVerb),
    #[command(subcommand)]
    Boot(boot::BootVerb),
    Completions(completions::CompletionsArgs),
    Help(help::HelpArgs),
    Moment(moment::MomentArgs),
    Complete(complete::CompleteArgs),
    SimWorker(sim_worker::SimWorkerArgs),
}

impl Verb {
    /// Reads what agents call most often, in its usual words, without a grammar.
    pub fn usual(words: &[&str]) -> Option<Self> {
        match words {
            ["hook"] => Some(Self::Hook(hook::HookArgs)),
            ["prime"] => Some(Self::Prime(prime::PrimeArgs::default())),
            ["mail", "inbox"] => Some(Self::Mail(mail::MailVerb::Inbox(mail::inbox::InboxArgs::default()))),
            _ => None,
        }
    }
}

/// Returns the grammar of the command line, as [`crate::run`] reads it.
pub fn grammar() -> clap::Command {
    help::command()
}

pub use bead::{BeadArgs, BeadFlags, BeadVerb, in_bds_words};

/// Answers arguments meant for the Go `bd` that do not fit our grammar, where it can say more than clap does.
pub fn unlike_ours(args: &[OsString], error: &clap::Error, console: &mut Console<'_>) -> Option<CliResult> {
    bead::absent(args, error, console).or_else(|| bead::too_few(args, error).map(Err))
}

/// Carries out a verb.
pub fn dispatch(cli: Cli, process: &Process, console: &mut Console<'_>) -> CliResult {
    let Cli { global, verb } = cli;
    let open = || Context::open(&global, process);
    match verb {
        Verb::Demo(args) => demo::demo(&args, process, console),
        Verb::Install(args) => install::install(&args, process, console),
        Verb::Rig(verb) => rig::rig(&verb, &open()?, console),
        Verb::Agent(verb) => agent::agent(&verb, &open()?, console),
        Verb::Import(args) => import::import(&args, &global, process, console),
        Verb::Doctor(args) => doctor::doctor(&args, &open()?, console),
        Verb::Do(args) => r#do::r#do(&args, &open()?, console),
        Verb::Mayor(verb) => mayor::mayor(&verb, &open()?, console),
        Verb::Bead(args) => bead::bead(&args, &global, process, console),
        Verb::Convoy(verb) => convoy::convoy(&verb, &open()?, console),
        Verb::Formula(verb) => formula::formula(&verb, &open()?, console),
        Verb::Sling(args) => sling::sling(&args, &open()?, console),
        Verb::Unsling(args) => unsling::unsling(&args, &open()?, console),
        Verb::Status(args) => status::status(&args, &open()?, console),
        Verb::Show(args) => show::show(&args, &open()?, console),
        Verb::Why(args) => why::why(&args, &open()?, console),
        Verb::Log(args) => log::log(&args, &global, process, console),
        Verb::Peek(args) => peek::peek(&args, &open()?, console),
        Verb::Session(verb) => session::session(&verb, &open()?, console),
        Verb::Cost(args) => cost::cost(&args, &open()?, console),
        Verb::Mq(verb) => mq::mq(&verb, &open()?, console),
        Verb::Refinery(verb) => refinery::refinery(&verb, &open()?, console),
        Verb::Up(args) => up::up(&args, &global, &open()?, console),
        Verb::Down(args) => down::down(&args, &open()?, console),
        Verb::Pause(args) => pause::pause(&args, &open()?, console),
        Verb::Resume(args) => resume::resume(&args, &open()?, console),
        Verb::Config(verb) => config::config(&verb, &open()?, console),
        Verb::Sync(args) => sync::sync(&args, &open()?, console),
        Verb::Town(verb) => town::town(&verb, &open()?, console),
        Verb::Crew(verb) => crew::crew(&verb, &open()?, console),
        Verb::Mail(verb) => mail::mail(&verb, &open()?, console),
        Verb::Nudge(args) => nudge::nudge(&args, &open()?, console),
        Verb::Polecat(verb) => polecat::polecat(&verb, &open()?, console),
        Verb::Snapshot(verb) => snapshot::snapshot(&verb, &open()?, console),
        Verb::Retention(verb) => retention::retention(&verb, &open()?, console),
        Verb::Ledger(args) => ledger::ledger(&args, &global, process, console),
        Verb::Prime(args) => prime::prime(args, &global, process, console),
        Verb::Hook(args) => hook::hook(&args, &open()?, console),
        Verb::Step(verb) => step::step(&verb, &open()?, console),
        Verb::Mol(verb) => mol::mol(&verb, &open()?, console),
        Verb::CatchUp(args) => catch_up::catch_up(&args, &open()?, console),
        Verb::Done(args) => done::done(&args, &open()?, console),
        Verb::Handoff(args) => handoff::handoff(&args, &open()?, console),
        Verb::Witness(verb) => witness::witness(&verb, &open()?, console),
        Verb::Deacon(verb) => deacon::deacon(&verb, &global, process),
        Verb::Boot(verb) => boot::boot(&verb, &global, process),
        Verb::Completions(args) => completions::completions(&args, console),
        Verb::Help(args) => help::help(&args, process, console),
        Verb::Moment(args) => moment::moment(&args, &global, process, console),
        Verb::Complete(args) => complete::complete(&args, process, console),
        Verb::SimWorker(args) => sim_worker::sim_worker(&args, process),
    }
}
