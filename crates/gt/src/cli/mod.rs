//! The grammar of the command line: daily acts are bare verbs, things have `gt <noun> <verb>`.
//!
//! A verb's arguments are put together only once the verb is called (`defer`): most calls are over sooner than the whole
//! grammar would be made. What is said of it is said where the verb stands; the structs of arguments, and enums below
//! them, have no doc comments, since clap would take those for the verb's.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Command, Parser, Subcommand, ValueEnum};

mod agent;
mod bead;
mod bead_care;
mod bead_list;
mod bead_nouns;
mod config;
mod convoy;
mod cost;
mod crew;
mod daemon;
mod demo;
mod keep;
mod ledger;
mod mail;
mod mayor;
mod moment;
mod queue;
mod rig;
mod session;
mod steps;
mod sync;

pub use agent::{AgentVerb, AnswerArg};
pub use bead::{BeadArgs, BeadFlags, BeadVerb, CreateArgs, EditArgs, InitArgs, SetupClient, UpdateArgs};
pub use bead_care::{CareVerb, DoctorArgs, DoctorCheck};
pub use bead_list::{CountBy, ListArgs, OnlyArgs, ReadyArgs, ReadySort, SortArg, SortArgs};
pub use bead_nouns::{ConfigVerb, DepVerb, DirectionArg, EpicVerb, LabelVerb};
pub use config::SettingsVerb;
pub use convoy::ConvoyVerb;
pub use cost::CostArgs;
pub use crew::CrewVerb;
pub use daemon::{BootVerb, DeaconVerb};
pub use demo::{DemoArgs, DemoVerb};
pub use keep::{PolecatVerb, RetentionVerb, SnapshotVerb};
pub use ledger::{ImportArgs, ImportVerb, LedgerArgs, LedgerVerb, RebuildSource};
pub use mail::{MailVerb, PriorityArg};
pub use moment::{ClientArg, MomentArg, PrimeArgs};

pub use mayor::MayorVerb;
pub use queue::{MqVerb, RefineryVerb, WitnessVerb};
pub use rig::{GatesVerb, RigVerb};
pub use session::{RuntimeArg, SessionVerb};
pub use steps::{MolVerb, ParkStatus, StepVerb};
pub use sync::{SyncArgs, TownVerb};

/// Many coding agents on several git repositories, and no work lost.
#[derive(Debug, Parser)]
#[command(name = "gt", version, propagate_version = true, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "First steps: gt demo · gt install ~/gt · gt help town\nExit codes: gt help exit-codes")]
pub struct Cli {
    /// Flags of every verb.
    #[command(flatten)]
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Reads arguments of which the first is a verb, by a grammar of that verb alone: the whole one would give the flags of
/// every verb to each of them, which takes longer than most verbs do. `None` where that is not enough: the whole grammar
/// also knows what to say of mistakes, and of `--help`.
fn narrowly<C: Parser, Verbs: Subcommand>(args: &[OsString], flags: fn(Command) -> Command) -> Option<C> {
    let all = Verbs::augment_subcommands(Command::new(NAME));
    let verb = all.find_subcommand(args.get(1)?)?.clone();
    // `help` is a verb of ours.
    let grammar = flags(Command::new(NAME)).disable_help_subcommand(true).subcommand(verb);
    C::from_arg_matches(&grammar.try_get_matches_from(args).ok()?).ok()
}

/// What the program is called where nobody sees it.
const NAME: &str = "gt";

impl Cli {
    /// What agents say all the time, in its usual words: for these no grammar is made at all.
    pub fn usual(args: &[OsString]) -> Option<Self> {
        let mut words: Vec<&str> = args.iter().skip(1).map(|arg| arg.to_str()).collect::<Option<_>>()?;
        let json = words.last() == Some(&"--json");
        words.truncate(words.len() - usize::from(json));
        let verb = match words.as_slice() {
            ["hook"] => Verb::Hook,
            ["prime"] => Verb::Prime(PrimeArgs::default()),
            ["mail", "inbox"] => Verb::Mail(MailVerb::Inbox { unread: false, of: None }),
            _ => return None,
        };
        Some(Self { global: Global { json, ..Global::default() }, verb })
    }

    /// These arguments, if a grammar of their verb alone is enough for them.
    pub fn narrowly(args: &[OsString]) -> Option<Self> {
        narrowly::<Self, Verb>(args, Global::augment_args)
    }
}

impl Bd {
    /// These arguments, if a grammar of their verb alone is enough for them.
    pub fn narrowly(args: &[OsString]) -> Option<Self> {
        narrowly::<Self, BeadVerb>(args, |command| BeadFlags::augment_args(Global::augment_args(command)))
    }
}

/// `gt` called as `bd`: its verbs of beads alone, which is quicker than to make the whole grammar first.
#[derive(Debug, Parser)]
#[command(name = "bd", about = "Beads: what is to be done", max_term_width = 100, disable_help_subcommand = true)]
#[command(subcommand_help_heading = "Available Commands")]
#[command(after_help = "First steps: bd init · bd create \"Title\" · bd ready\nbd is gt bead: docs/ledger.md")]
pub struct Bd {
    /// Flags of every verb.
    #[command(flatten)]
    pub global: Global,
    /// Which ledger, and the verb.
    #[command(flatten)]
    pub bead: BeadArgs,
}

// Flags of every verb.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// Print facts as one JSON document
    #[arg(long, global = true)]
    pub json: bool,
    /// The town's folder [default: $GT_TOWN, or found upwards from here]
    #[arg(long, global = true, value_name = "DIR")]
    pub town: Option<PathBuf>,
    /// When to use colours; NO_COLOR is respected
    #[arg(long, global = true, value_enum, default_value_t)]
    pub color: ColorChoice,
    /// Say nothing but facts and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Log what happens: error, warn, info, debug, trace, or target=level,… [default: $GT_LOG]
    #[arg(long, global = true, value_name = "LEVEL", value_parser = crate::diagnosis::parse_level, hide_short_help = true)]
    pub log_level: Option<String>,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Shells that completions are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShellArg {
    /// GNU bash, 4 or newer.
    Bash,
    /// Z shell.
    Zsh,
    /// fish.
    Fish,
}

/// All verbs.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Verb {
    /// Watch a whole town work on a sample project, from nothing to a landed convoy
    Demo(DemoArgs),
    /// Make a town
    Install {
        /// A new or empty folder, for example ~/gt
        path: PathBuf,
        /// The repository that the town's ledger is synced with
        #[arg(long, value_name = "URL")]
        remote: Option<String>,
    },
    /// Merge the ledger with other towns' through a git remote, and push it there
    Sync(SyncArgs),
    /// The town itself
    #[command(subcommand)]
    Town(TownVerb),
    /// Settings of the town and its rigs: list, get, set, edit, explain
    #[command(subcommand)]
    Config(SettingsVerb),
    /// Projects of the town: add, list, remove; their gates
    #[command(subcommand)]
    Rig(RigVerb),
    /// Kinds of agent: which there are, and whether they can work
    #[command(subcommand)]
    Agent(AgentVerb),
    /// Make a bead of each title, sling them, and say how to watch
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
    Bead(Box<BeadArgs>),
    /// The ledger as a file: check, backup, restore
    Ledger(Box<LedgerArgs>),
    /// Take in what was made elsewhere
    Import(Box<ImportArgs>),
    /// Convoys: beads that belong together and land together
    #[command(subcommand)]
    Convoy(ConvoyVerb),
    /// Give beads to workers: claim, hook, spawn
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
    Unsling {
        /// The beads
        #[arg(required = true)]
        beads: Vec<String>,
    },
    /// The mayor: tell it what is to be built; start, attach, stop
    #[command(subcommand)]
    Mayor(MayorVerb),
    /// Crew: long-lived workspaces in a rig, for you or an agent
    #[command(subcommand)]
    Crew(CrewVerb),
    /// Workers, those that are over too: what they left, and how to get it back
    #[command(subcommand)]
    Polecat(PolecatVerb),
    /// Snapshots of worktrees: what is in them, and how to get it back
    #[command(subcommand)]
    Snapshot(SnapshotVerb),
    /// What is over goes after a while
    #[command(subcommand)]
    Retention(RetentionVerb),
    /// Start the town's daemon
    Up,
    /// Let workers finish their step, end their sessions, stop the daemon; work is kept, `gt up` goes on
    Down {
        /// End every session at once
        #[arg(long)]
        now: bool,
    },
    /// Begin nothing new; what is begun goes on
    Pause {
        /// Only in this rig [default: the whole town]
        rig: Option<String>,
    },
    /// Take a pause back
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
    /// The town at one glance, with what needs you on top
    Status {
        /// With what seldom changes, too: rigs, how workers are started, processes, the ledger's remote
        #[arg(long, short)]
        long: bool,
        /// Show it anew whenever something changes, until Ctrl-C
        #[arg(long, short, conflicts_with = "json")]
        watch: bool,
    },
    /// What models took: tokens, and about how much money
    Cost(CostArgs),
    /// What happened, newest last
    Log {
        /// Only of this bead
        bead: Option<String>,
        /// So many of the newest
        #[arg(long, short = 'n', default_value_t = 30)]
        last: u32,
        /// Go on as things happen
        #[arg(long, short)]
        follow: bool,
        /// How the town carries things out as well, and mails; `--json` always has all
        #[arg(long)]
        all: bool,
        /// The log of the town's daemon instead; with --json, one document a line
        #[arg(long, conflicts_with = "all")]
        deacon: bool,
        /// The log of the daemon and of verbs that were called with --log-level or GT_LOG
        #[arg(long, conflicts_with_all = ["all", "deacon"])]
        debug: bool,
    },
    /// Agents' sessions: list, show, attach, stop
    #[command(subcommand)]
    Session(SessionVerb),
    /// What a worker's session shows, without getting in its way
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
    /// The story of anything on one screen: a bead, merge request, convoy, worker, session or rig
    Show {
        /// Its id, address or name
        id: String,
    },
    /// Why a bead, merge request, worker or rig is as it is, and what it waits for
    Why {
        /// Its id
        id: String,
    },
    /// Check that everything is there that the town needs
    Doctor {
        /// Try acts again that were given up
        #[arg(long)]
        retry: bool,
        /// Mend what is found damaged in the rigs' repositories: settings, hooks, replaced commits
        #[arg(long)]
        fix: bool,
        /// Break files of each rig on purpose, and see whether its gates turn red, however long they take
        #[arg(long)]
        deep: bool,
    },
    /// Merge requests: look at them, approve, send back, hold
    #[command(subcommand)]
    Mq(MqVerb),
    /// A rig's merge queue
    #[command(subcommand)]
    Refinery(RefineryVerb),
    /// The watcher of a rig's workers
    #[command(subcommand)]
    Witness(WitnessVerb),
    /// Mail
    #[command(subcommand)]
    Mail(MailVerb),
    /// For agents: who you are, what is on your hook, what to do next
    Prime(PrimeArgs),
    /// For agents: what is on your hook
    Hook,
    /// For agents: the steps of your molecule
    #[command(subcommand)]
    Step(StepVerb),
    /// Molecules: the steps that workers follow
    #[command(subcommand)]
    Mol(MolVerb),
    /// For agents: submit your work and let go of it
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
    CatchUp,
    /// For agents: leave a word for your successor; your session ends with your turn, and a fresh one goes on
    Handoff {
        /// What it is about, in one line
        #[arg(long, short, default_value = "")]
        subject: String,
        /// What your successor must know; `-` reads it from standard input
        #[arg(long, short, default_value = "")]
        message: String,
    },
    /// Wake an idle agent, and say whether it heard
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
    Deacon(DeaconVerb),
    /// What keeps the daemon alive
    #[command(subcommand)]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &str) -> Vec<OsString> {
        words.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_verbs_own_grammar_reads_what_the_whole_one_reads() {
        for words in [
            "gt hook",
            "gt prime --json",
            "gt mail inbox",
            "gt mail inbox --unread --town /t",
            "gt sling app-1 app --json -q",
            "gt bead create Title -t bug --json",
            "gt rig gates add app test true",
            "gt log -n 5",
        ] {
            let args = args(words);
            let parsed = Cli::try_parse_from(&args).unwrap();
            assert_eq!(format!("{:?}", Cli::narrowly(&args).unwrap()), format!("{parsed:?}"), "{words}");
            let usual = Cli::usual(&args).map(|usual| format!("{usual:?}"));
            assert!(usual.is_none_or(|usual| usual == format!("{parsed:?}")), "{words}");
        }
        for words in ["bd create Title -p 1 --deps app-2 --actor ann", "bd view app-1 --json", "bd list --all -n 3"] {
            let args = args(words);
            let parsed = Bd::try_parse_from(&args).unwrap();
            assert_eq!(format!("{:?}", Bd::narrowly(&args).unwrap()), format!("{parsed:?}"), "{words}");
        }
    }

    #[test]
    fn mistakes_and_help_are_left_to_the_whole_grammar() {
        for words in ["gt", "gt --json", "gt --json hook", "gt hook --help", "gt hok", "gt prime --moment", "gt mail"] {
            assert!(Cli::narrowly(&args(words)).is_none() && Cli::usual(&args(words)).is_none(), "{words}");
        }
    }
}
