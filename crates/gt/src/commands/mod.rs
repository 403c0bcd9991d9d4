//! Verbs. Each is a file named like it: its arguments, whose doc comments are its help, and the function that carries it out.
//! A noun is a folder: its verbs, and in `mod.rs` the enum of them.
//!
//! A verb's arguments are built only when the verb is called (`defer`), since building all of them takes longer than most verbs.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Subcommand;
use gt_town::work::done::Ending;

use crate::Process;
use crate::cli::*;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

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
mod doctor;
mod help;
mod keep;
mod ledger;
mod log;
mod mail;
mod mayor;
pub(crate) mod moment;
mod mq;
mod refinery;
mod rig;
mod session;
mod show;
mod status;
mod sync;
mod town;
mod why;
mod witness;
mod work;

/// All verbs.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Verb {
    /// Watch a whole town work on a sample project, from nothing to a landed convoy
    #[command(display_order = Group::Start.order())]
    Demo(DemoArgs),
    /// Make a town
    #[command(display_order = Group::Start.order())]
    Install {
        /// A new or empty folder, for example ~/gt
        path: PathBuf,
        /// The repository that the town's ledger is synced with
        #[arg(long, value_name = "URL")]
        remote: Option<String>,
    },
    /// Merge the ledger with other towns' through a git remote, and push it there
    #[command(display_order = Group::Town.order())]
    Sync(SyncArgs),
    /// The town itself
    #[command(subcommand)]
    #[command(display_order = Group::Town.order())]
    Town(TownVerb),
    /// Settings of the town and its rigs: list, get, set, edit, explain
    #[command(subcommand)]
    #[command(display_order = Group::Town.order())]
    Config(SettingsVerb),
    /// Projects of the town: add, list, remove; their gates
    #[command(subcommand)]
    #[command(display_order = Group::Start.order())]
    Rig(RigVerb),
    /// Kinds of agent: which there are, and whether they can work
    #[command(subcommand)]
    #[command(display_order = Group::Start.order())]
    Agent(AgentVerb),
    /// Make a bead of each title, sling them, and say how to watch
    #[command(display_order = Group::Assign.order())]
    Do {
        /// What is to be done, one title a bead
        #[arg(required = true)]
        titles: Vec<String>,
        /// In this rig [default: the one you are in, or the only one]
        #[arg(long)]
        rig: Option<String>,
        /// Details for every bead; `-` reads them from standard input
        #[arg(long, short)]
        description: Option<String>,
        /// With this kind of agent
        #[arg(long)]
        agent: Option<String>,
        /// In a terminal of the town's tmux, or without one [default: as rig.toml and town.toml say]
        #[arg(long, value_enum)]
        runtime: Option<RuntimeArg>,
    },
    /// Beads: what is to be done (also called as `bd`)
    #[command(display_order = Group::Assign.order())]
    Bead(Box<BeadArgs>),
    /// The ledger as a file: check, backup, restore
    #[command(display_order = Group::Recover.order())]
    Ledger(Box<LedgerArgs>),
    /// Take in what was made elsewhere
    #[command(display_order = Group::Start.order())]
    Import(Box<ImportArgs>),
    #[command(subcommand)]
    Convoy(convoy::ConvoyVerb),
    /// Give beads to workers: claim, hook, spawn
    #[command(display_order = Group::Assign.order())]
    Sling {
        /// Beads, and the rig's name as the last word [default: the rig that the beads belong to]
        #[arg(required = true, value_name = "BEAD… [RIG]")]
        words: Vec<String>,
        /// Into this convoy [default: the one that tracks the bead, or a new one]
        #[arg(long)]
        convoy: Option<String>,
        /// With this kind of agent
        #[arg(long)]
        agent: Option<String>,
        /// In a terminal of the town's tmux, or without one [default: as rig.toml and town.toml say]
        #[arg(long, value_enum)]
        runtime: Option<RuntimeArg>,
    },
    /// Take beads back from their workers; their work is kept
    #[command(display_order = Group::Assign.order())]
    Unsling {
        /// The beads
        #[arg(required = true)]
        beads: Vec<String>,
    },
    /// The mayor: tell it what is to be built; start, attach, stop
    #[command(subcommand)]
    #[command(display_order = Group::Assign.order())]
    Mayor(MayorVerb),
    /// Crew: long-lived workspaces in a rig, for you or an agent
    #[command(subcommand)]
    #[command(display_order = Group::Beside.order())]
    Crew(CrewVerb),
    /// Workers, those that are over too: what they left, and how to get it back
    #[command(subcommand)]
    #[command(display_order = Group::Recover.order())]
    Polecat(PolecatVerb),
    /// Snapshots of worktrees: what is in them, and how to get it back
    #[command(subcommand)]
    #[command(display_order = Group::Recover.order())]
    Snapshot(SnapshotVerb),
    /// What is over goes after a while
    #[command(subcommand)]
    #[command(display_order = Group::Recover.order())]
    Retention(RetentionVerb),
    /// Start the town's daemon
    #[command(display_order = Group::Town.order())]
    Up,
    /// Let workers finish their step, end their sessions, stop the daemon; work is kept, `gt up` goes on
    #[command(display_order = Group::Town.order())]
    Down {
        /// End every session at once
        #[arg(long)]
        now: bool,
    },
    /// Begin nothing new; what is begun goes on
    #[command(display_order = Group::Town.order())]
    Pause {
        /// Only in this rig [default: the whole town]
        rig: Option<String>,
    },
    /// Take a pause back
    #[command(display_order = Group::Town.order())]
    Resume {
        /// Of this rig [default: of the whole town]
        rig: Option<String>,
        /// Of this kind of agent, which was at a limit or could not be used
        #[arg(long, value_name = "KIND", conflicts_with = "rig")]
        agent: Option<String>,
        /// Go on today though the day's cap is reached: as much again may be spent
        #[arg(long, conflicts_with_all = ["rig", "agent"])]
        spend: bool,
    },
    Status(status::StatusArgs),
    /// What models took: tokens, and about how much money
    #[command(display_order = Group::Watch.order())]
    Cost(CostArgs),
    Log(log::LogArgs),
    /// Agents' sessions: list, show, attach, stop
    #[command(subcommand)]
    #[command(display_order = Group::Watch.order())]
    Session(SessionVerb),
    /// What a worker's session shows, without getting in its way
    #[command(display_order = Group::Watch.order())]
    Peek {
        /// Its address (<rig>/polecats/<name>), or the session's id
        address: String,
        /// So many of the last lines
        #[arg(short = 'n', long, default_value_t = 40)]
        lines: u32,
        /// Go on with what is said, until the session ends
        #[arg(long, short)]
        follow: bool,
        /// A client's stream as it is, instead of what it does
        #[arg(long)]
        raw: bool,
    },
    Show(show::ShowArgs),
    Why(why::WhyArgs),
    Doctor(doctor::DoctorArgs),
    #[command(subcommand)]
    Mq(mq::MqVerb),
    #[command(subcommand)]
    Refinery(refinery::RefineryVerb),
    #[command(subcommand)]
    Witness(witness::WitnessVerb),
    #[command(subcommand)]
    Mail(mail::MailVerb),
    /// For agents: who you are, what is on your hook, what to do next
    #[command(display_order = Group::Agents.order())]
    Prime(PrimeArgs),
    /// For agents: what is on your hook
    #[command(display_order = Group::Agents.order())]
    Hook,
    /// For agents: the steps of your molecule
    #[command(subcommand)]
    #[command(display_order = Group::Agents.order())]
    Step(StepVerb),
    /// Molecules: the steps that workers follow
    #[command(subcommand)]
    #[command(display_order = Group::Agents.order())]
    Mol(MolVerb),
    /// For agents: submit your work and let go of it
    #[command(display_order = Group::Agents.order())]
    Done {
        /// The product is what you wrote on the bead; there is nothing to merge
        #[arg(long, conflicts_with = "status")]
        no_code: bool,
        /// The trunk has what the bead asks for, by this commit; a person decides
        #[arg(long, value_name = "COMMIT", conflicts_with_all = ["status", "no_code"])]
        landed_by: Option<String>,
        /// Why work of your own that was there before is not in what you submit
        #[arg(long, value_name = "WHY", conflicts_with_all = ["status", "no_code", "landed_by"])]
        dropped: Option<String>,
        /// Park the bead with its branch instead of submitting it
        #[arg(long, value_enum)]
        status: Option<ParkStatus>,
        /// Why, for whoever looks at it next
        #[arg(long, short)]
        message: Option<String>,
    },
    /// For agents: fetch, and bring your branch up to the trunk so that nothing of it is lost
    #[command(display_order = Group::Agents.order())]
    CatchUp,
    /// For agents: leave a word for your successor; your session ends with your turn, and a fresh one goes on
    #[command(display_order = Group::Agents.order())]
    Handoff {
        /// What it is about, in one line
        #[arg(long, short, default_value = "")]
        subject: String,
        /// What your successor must know; `-` reads it from standard input
        #[arg(long, short, default_value = "")]
        message: String,
    },
    /// Wake an idle agent, and say whether it heard
    #[command(display_order = Group::Beside.order())]
    Nudge {
        /// Its address: <rig>/polecats/<name>, mayor/ …
        address: String,
        /// Send it this as a mail first; `-` reads it from standard input
        #[arg(long, short)]
        message: Option<String>,
    },
    /// For clients' hooks: what happens now, as JSON on standard input
    #[command(hide = true)]
    Moment {
        /// Which moment
        moment: MomentArg,
        /// Which client calls
        #[arg(long)]
        client: ClientArg,
    },
    /// The town's daemon
    #[command(subcommand)]
    #[command(display_order = Group::Other.order())]
    Deacon(DeaconVerb),
    /// What keeps the daemon alive
    #[command(subcommand)]
    #[command(display_order = Group::Other.order())]
    Boot(BootVerb),
    /// Print completions for a shell; they know the ids that there are
    ///
    /// bash:  gt completions bash > ~/.local/share/bash-completion/completions/gt
    ///
    /// zsh:   gt completions zsh > <a folder of your $fpath>/_gt
    ///
    /// fish:  gt completions fish > ~/.config/fish/completions/gt.fish
    ///
    /// Or for this shell only: eval "$(gt completions bash)". `gt` must be in your PATH.
    #[command(verbatim_doc_comment)]
    #[command(display_order = Group::Other.order())]
    Completions {
        /// Which shell
        shell: ShellArg,
    },
    /// For shells: what could come next
    #[command(hide = true)]
    Complete {
        /// The command line up to the cursor, the program's name first
        #[arg(last = true)]
        words: Vec<String>,
    },
    /// Explain a verb or a topic: town, rig, polecats, refinery, formulas, mail, recovery, agents, exit-codes
    #[command(display_order = Group::Other.order())]
    Help {
        /// The verb or topic
        words: Vec<String>,
        /// The list of all verbs, as docs/verbs.md has it
        #[arg(long, hide = true)]
        markdown: bool,
        /// Write a man page for each verb into a folder, gt.1 and so on: gt help --man ~/.local/share/man/man1
        #[arg(long, value_name = "DIR", conflicts_with_all = ["words", "markdown"])]
        man: Option<PathBuf>,
    },
    /// Play a script instead of thinking
    #[command(hide = true)]
    SimWorker {
        /// The script [default: $GT_SIM_SCRIPT]
        #[arg(long)]
        script: Option<PathBuf>,
        /// Where the workers' marks are [default: $GT_SIM_PLAY_DIR]
        #[arg(long)]
        play_dir: Option<PathBuf>,
    },
}

impl Verb {
    /// Reads what agents call most often, in its usual words, without a grammar.
    pub fn usual(words: &[&str]) -> Option<Self> {
        match words {
            ["hook"] => Some(Self::Hook),
            ["prime"] => Some(Self::Prime(PrimeArgs::default())),
            ["mail", "inbox"] => Some(Self::Mail(mail::MailVerb::Inbox(mail::inbox::InboxArgs::default()))),
            _ => None,
        }
    }
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
        Verb::Convoy(verb) => convoy::convoy(&verb, &open()?, console),
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
        Verb::Status(args) => status::status(&args, &open()?, console),
        Verb::Log(args) => log::log(&args, &global, process, console),
        Verb::Session(verb) => session::run(&verb, &open()?, console),
        Verb::Peek { address, lines, follow, raw } => session::peek(&open()?, &address, lines, follow, raw, console),
        Verb::Show(args) => show::show(&args, &open()?, console),
        Verb::Why(args) => why::why(&args, &open()?, console),
        Verb::Doctor(args) => doctor::doctor(&args, &open()?, console),
        Verb::Mq(verb) => mq::mq(&verb, &open()?, console),
        Verb::Refinery(verb) => refinery::refinery(&verb, &open()?, console),
        Verb::Witness(verb) => witness::witness(&verb, &open()?, console),
        Verb::Mail(verb) => mail::mail(&verb, &open()?, console),
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
