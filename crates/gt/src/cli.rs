//! The grammar of the command line: daily acts are bare verbs, things have `gt <noun> <verb>`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use gt_town::settings::RuntimeChoice;

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

/// Flags of every verb.
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

/// All verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Watch a whole town work on a sample project, from nothing to a landed convoy
    Demo(DemoArgs),
    /// Make a town
    Install {
        /// A new or empty folder, for example ~/gt
        path: PathBuf,
    },
    /// Projects of the town: add, list, remove; their gates
    #[command(subcommand)]
    Rig(RigVerb),
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
    #[command(subcommand)]
    Bead(BeadVerb),
    /// Convoys: beads that belong together and land together
    #[command(subcommand)]
    Convoy(ConvoyVerb),
    /// Give beads to workers: claim, hook, spawn
    Sling {
        /// Beads, and the rig's name as the last word
        #[arg(required = true, value_name = "BEAD… RIG")]
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
    },
    /// The town at one glance, with what needs you on top
    Status,
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
    },
    /// Why a bead, merge request or rig is as it is, and what it waits for
    Why {
        /// Its id
        id: String,
    },
    /// Check that everything is there that the town needs
    Doctor {
        /// Try acts again that were given up
        #[arg(long)]
        retry: bool,
    },
    /// Merge requests: list, approve
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
    Prime,
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
        /// Park the bead with its branch instead of submitting it
        #[arg(long, value_enum)]
        status: Option<ParkStatus>,
        /// Why, for whoever looks at it next
        #[arg(long, short)]
        message: Option<String>,
    },
    /// The town's daemon
    #[command(subcommand)]
    Deacon(DeaconVerb),
    /// What keeps the daemon alive
    #[command(subcommand)]
    Boot(BootVerb),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Explain a verb or a topic: town, rig, polecats, refinery, mail, recovery, exit-codes
    Help {
        /// The verb or topic
        words: Vec<String>,
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

/// The demo.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DemoArgs {
    /// Verify a kept demo instead
    #[command(subcommand)]
    pub verb: Option<DemoVerb>,
    /// Make town and project in this new or empty folder [default: a temporary one]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Keep the folder, to look at it afterwards
    #[arg(long)]
    pub keep: bool,
    /// Workers at once; the story needs two that meet
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=30))]
    pub polecats: u32,
    /// Vary the workers' pace by this seed
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Sessions in terminals of the town's tmux, or without
    #[arg(long, value_enum, default_value_t = RuntimeArg::Headless)]
    pub runtime: RuntimeArg,
}

/// What sessions run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RuntimeArg {
    /// In tmux where there is one that will do, else headless.
    Auto,
    /// In a terminal of the town's own tmux.
    Tmux,
    /// Without a terminal.
    Headless,
}

impl From<RuntimeArg> for RuntimeChoice {
    fn from(arg: RuntimeArg) -> Self {
        match arg {
            RuntimeArg::Auto => Self::Auto,
            RuntimeArg::Tmux => Self::Tmux,
            RuntimeArg::Headless => Self::Headless,
        }
    }
}

/// Verbs of the demo.
#[derive(Debug, Subcommand)]
pub enum DemoVerb {
    /// Check a finished demo from the outside: git, the process table, the ledger read-only
    Verify {
        /// The demo's folder
        dir: PathBuf,
    },
}

/// Verbs of rigs.
#[derive(Debug, Subcommand)]
pub enum RigVerb {
    /// Add a project: find its remote, trunk and gates, and prove them
    Add {
        /// What to call it
        name: String,
        /// URL or path of its repository
        source: String,
        /// Prefix of its beads' ids [default: from the name]
        #[arg(long)]
        prefix: Option<String>,
        /// The trunk [default: what the remote says]
        #[arg(long)]
        branch: Option<String>,
        /// For a folder without a remote: make a bare copy beside it, which becomes its origin
        #[arg(long, conflicts_with = "land_on")]
        make_bare_remote: bool,
        /// Land on this branch, made where it is not there, instead of the checked-out one
        #[arg(long, value_name = "BRANCH", conflicts_with = "branch")]
        land_on: Option<String>,
        /// Do not run the gates on the trunk now
        #[arg(long)]
        skip_proof: bool,
    },
    /// List the rigs
    List,
    /// Take a rig out of the town; its folder goes into the town's archive, its beads stay
    Remove {
        /// Which
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// The commands that a merge must pass
    #[command(subcommand)]
    Gates(GatesVerb),
    /// Fetch the rig's remote and say where its trunk is
    Fetch {
        /// Which [default: yours, the one you are in, or the only one]
        name: Option<String>,
    },
    /// Take a hold off a rig, once its gates are green on the trunk
    Release {
        /// Which
        name: String,
    },
}

/// Verbs of gates.
#[derive(Debug, Subcommand)]
pub enum GatesVerb {
    /// List them
    List {
        /// Of which rig [default: the one you are in, or the only one]
        rig: Option<String>,
    },
    /// Run them: in your worktree, or on the trunk
    Run {
        /// Of which rig [default: the one you are in, or the only one]
        rig: Option<String>,
    },
    /// Add one to rig.toml
    Add {
        /// Of which rig
        rig: String,
        /// Its name
        name: String,
        /// The command line
        run: String,
        /// Seconds that it may take
        #[arg(long, default_value_t = 1800)]
        timeout: u64,
    },
    /// Remove one from rig.toml
    Remove {
        /// Of which rig
        rig: String,
        /// Its name
        name: String,
    },
}

/// Verbs of beads.
#[derive(Debug, Subcommand)]
pub enum BeadVerb {
    /// Make a bead
    Create {
        /// What it is, in one line
        title: String,
        /// Details; `-` reads them from standard input
        #[arg(long, short, default_value = "")]
        description: String,
        /// When it is done
        #[arg(long, default_value = "")]
        acceptance: String,
        /// 0 (critical) to 4
        #[arg(long, short, value_parser = priority)]
        priority: Option<i64>,
        /// Its kind: task, bug, feature, epic, chore …
        #[arg(long = "type", short = 't')]
        issue_type: Option<String>,
        /// Labels, with commas between
        #[arg(long, short, value_delimiter = ',')]
        labels: Vec<String>,
        /// What must be closed first, with commas between; `type:id` for other kinds of dependency
        #[arg(long, value_delimiter = ',')]
        deps: Vec<String>,
        /// For this rig [default: the one you are in, or the only one]
        #[arg(long)]
        rig: Option<String>,
    },
    /// Show beads whole
    Show {
        /// Their ids, or unique parts of them
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// List beads
    List {
        /// Only of this status
        #[arg(long, short)]
        status: Option<String>,
        /// Only of this kind
        #[arg(long = "type", short = 't')]
        issue_type: Option<String>,
        /// Only held by this one
        #[arg(long, short)]
        assignee: Option<String>,
        /// Only with this label
        #[arg(long, short)]
        label: Option<String>,
        /// Only of this rig
        #[arg(long)]
        rig: Option<String>,
        /// Closed ones and mail too
        #[arg(long)]
        all: bool,
        /// At most so many
        #[arg(long, short = 'n')]
        limit: Option<u32>,
    },
    /// List what can be worked on now
    Ready {
        /// Only of this rig
        #[arg(long)]
        rig: Option<String>,
        /// At most so many
        #[arg(long, short = 'n')]
        limit: Option<u32>,
    },
    /// Change a bead
    Update {
        /// Its id
        id: String,
        /// A new title
        #[arg(long)]
        title: Option<String>,
        /// A new description; `-` reads it from standard input
        #[arg(long, short)]
        description: Option<String>,
        /// A new design
        #[arg(long)]
        design: Option<String>,
        /// New acceptance criteria
        #[arg(long)]
        acceptance: Option<String>,
        /// New notes; `-` reads them from standard input
        #[arg(long)]
        notes: Option<String>,
        /// A new status
        #[arg(long, short)]
        status: Option<String>,
        /// A new priority
        #[arg(long, short, value_parser = priority)]
        priority: Option<i64>,
        /// A new kind
        #[arg(long = "type", short = 't')]
        issue_type: Option<String>,
        /// A new holder; an empty text for nobody
        #[arg(long, short)]
        assignee: Option<String>,
        /// Labels to add
        #[arg(long, value_delimiter = ',')]
        add_label: Vec<String>,
        /// Labels to remove
        #[arg(long, value_delimiter = ',')]
        remove_label: Vec<String>,
    },
    /// Close beads that nobody works on
    Close {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
        /// Why
        #[arg(long, short)]
        reason: Option<String>,
        /// Though it has open children or blockers, or waits in the merge queue
        #[arg(long)]
        force: bool,
    },
    /// What depends on what
    #[command(subcommand)]
    Dep(DepVerb),
    /// Read beads from a JSONL file
    Import {
        /// The file; `-` for standard input
        file: PathBuf,
        /// Take every good line though others can't be read
        #[arg(long)]
        salvage: bool,
    },
    /// Write beads as JSONL to standard output
    Export {
        /// Only of this rig
        #[arg(long)]
        rig: Option<String>,
    },
}

fn priority(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['P', 'p']).unwrap_or(text);
    match digits.parse::<i64>() {
        Ok(number @ 0..=4) => Ok(number),
        _ => Err("use 0 (critical) to 4".to_owned()),
    }
}

/// Verbs of dependencies.
#[derive(Debug, Subcommand)]
pub enum DepVerb {
    /// Make one bead wait for another
    Add {
        /// The bead that waits
        bead: String,
        /// The bead that it waits for
        on: String,
        /// How: blocks, parent-child, related …
        #[arg(long = "type", short = 't', default_value = "blocks")]
        kind: String,
    },
    /// Take it back
    Remove {
        /// The bead that waits
        bead: String,
        /// The bead that it waits for
        on: String,
    },
}

/// Verbs of convoys.
#[derive(Debug, Subcommand)]
pub enum ConvoyVerb {
    /// Make a convoy of beads
    Create {
        /// Its title
        title: String,
        /// Its beads
        beads: Vec<String>,
        /// Beads that become ready are slung by the mayor or a person, not by the deacon
        #[arg(long)]
        manual: bool,
    },
    /// List convoys
    List {
        /// Landed ones too
        #[arg(long)]
        all: bool,
    },
    /// Show a convoy and its beads
    Show {
        /// Its id
        id: String,
    },
    /// Add beads to a convoy
    Add {
        /// Its id
        id: String,
        /// The beads
        #[arg(required = true)]
        beads: Vec<String>,
    },
}

/// Verbs of polecats.
#[derive(Debug, Subcommand)]
pub enum PolecatVerb {
    /// List workers
    List {
        /// Those that are over too
        #[arg(long)]
        all: bool,
    },
    /// Show a worker, its sessions and what is left of it; of a bead all its workers
    Show {
        /// <rig>/polecats/<name>, <rig>/<name>, or a bead
        which: String,
    },
    /// Take a live worker down for good; its work is kept, its bead is free again
    Nuke {
        /// <rig>/polecats/<name>, <rig>/<name>, or its bead
        which: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Give a bead's last work to a fresh worker: its commits, and what was not committed
    Recover {
        /// The bead
        bead: String,
        /// With this kind of agent
        #[arg(long)]
        agent: Option<String>,
    },
}

/// Verbs of snapshots.
#[derive(Debug, Subcommand)]
pub enum SnapshotVerb {
    /// List snapshots
    List {
        /// Only of this bead
        bead: Option<String>,
    },
    /// Show a snapshot: what was not committed, what could not be taken in
    Show {
        /// A bead (its newest), <bead>-<attempt>, or the ref
        which: String,
    },
    /// What a snapshot holds beyond where its attempt began
    Diff {
        /// A bead (its newest), <bead>-<attempt>, or the ref
        which: String,
        /// A line for each file
        #[arg(long)]
        stat: bool,
        /// Only what was not committed
        #[arg(long)]
        uncommitted: bool,
    },
    /// Write a snapshot's files into a new folder
    Restore {
        /// A bead (its newest), <bead>-<attempt>, or the ref
        which: String,
        /// The folder, which must not be there yet
        #[arg(long, value_name = "FOLDER")]
        to: PathBuf,
    },
}

/// Verbs of retention.
#[derive(Debug, Subcommand)]
pub enum RetentionVerb {
    /// Remove what is to go, here and now (the deacon does it once an hour)
    Run {
        /// Say what would go, why, and how big it is
        #[arg(long)]
        dry_run: bool,
    },
}

/// Verbs of merge requests.
#[derive(Debug, Subcommand)]
pub enum MqVerb {
    /// List merge requests
    List {
        /// Only of this rig
        #[arg(long)]
        rig: Option<String>,
        /// Those that are over too
        #[arg(long)]
        all: bool,
    },
    /// Approve green merge requests: they land with the next round
    Approve {
        /// Their ids, or their beads'
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// All that wait for approval
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
}

/// Verbs of the refinery.
#[derive(Debug, Subcommand)]
pub enum RefineryVerb {
    /// Gate and land what waits, here and now
    Run {
        /// Of which rig [default: the one you are in, or the only one]
        rig: Option<String>,
        /// One round (the deacon runs all others)
        #[arg(long, required = true)]
        once: bool,
    },
}

/// Verbs of the witness.
#[derive(Debug, Subcommand)]
pub enum WitnessVerb {
    /// Look at every worker, here and now, and do what is due
    Run {
        /// Of which rig [default: the one you are in, or the only one]
        rig: Option<String>,
        /// One patrol (the deacon runs all others)
        #[arg(long, required = true)]
        once: bool,
    },
}

/// Verbs of mail.
#[derive(Debug, Subcommand)]
pub enum MailVerb {
    /// Send mail
    Send {
        /// To whom: mayor/, overseer, <rig>/witness, <rig>/polecats/<name> …
        #[arg(required = true)]
        to: Vec<String>,
        /// One line
        #[arg(long, short)]
        subject: String,
        /// The text; `-` reads it from standard input
        #[arg(long, short, default_value = "")]
        message: String,
    },
    /// List your mail
    Inbox {
        /// Only what you have not read
        #[arg(long)]
        unread: bool,
        /// Somebody else's, for a person to look at
        #[arg(long, value_name = "ADDRESS")]
        of: Option<String>,
    },
    /// Read a mail
    Read {
        /// Its id
        id: String,
    },
}

/// Verbs of steps.
#[derive(Debug, Subcommand)]
pub enum StepVerb {
    /// Close a step, once its checks pass, and print the next
    Done {
        /// Which [default: the current one]
        step: Option<String>,
        /// What is worth knowing
        #[arg(long)]
        note: Option<String>,
    },
}

/// Verbs of molecules.
#[derive(Debug, Subcommand)]
pub enum MolVerb {
    /// The steps of a bead's molecule, and which are done
    Status {
        /// Which bead [default: the one on your hook]
        bead: Option<String>,
    },
}

/// How a bead is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ParkStatus {
    /// Somebody else has to decide.
    Escalated,
    /// It is put off.
    Deferred,
}

/// Verbs of sessions.
#[derive(Debug, Subcommand)]
pub enum SessionVerb {
    /// List the sessions that run or are to run
    List {
        /// Those of the past too
        #[arg(long)]
        all: bool,
    },
    /// Show a session: processes, runtime, how it ended
    Show {
        /// Its id, or its worker's address
        session: String,
    },
    /// Show a session's terminal in yours; detach with C-b d
    Attach {
        /// Its id, or its worker's address
        session: String,
    },
    /// End a session; the witness starts the work again, in a new one (gt unsling takes the bead back)
    Stop {
        /// Its id, or its worker's address
        session: String,
    },
}

/// Verbs of the deacon.
#[derive(Debug, Subcommand)]
pub enum DeaconVerb {
    /// Be the daemon, in the foreground (`gt up` starts it in the background)
    Run {
        /// Wait until the one that runs has ended, and take its place
        #[arg(long)]
        wait: bool,
    },
}

/// Verbs of boot.
#[derive(Debug, Subcommand)]
pub enum BootVerb {
    /// Start the daemon and start it again when it dies, in the foreground (`gt up` starts this in the background)
    Run {
        /// Start it in the background and leave
        #[arg(long, hide = true)]
        detach: bool,
    },
}
