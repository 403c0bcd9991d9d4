//! The grammar of `gt bead`, which is `bd`: verbs and flags as the Go `bd` 1.x has them, as far as there is an engine
//! behind them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::bead_care::CareVerb;
use super::bead_list::{CountBy, ListArgs, OnlyArgs, ReadyArgs, SortArgs, priority};
use super::bead_nouns::{ConfigVerb, DepVerb, EpicVerb, LabelVerb};
use super::ledger::ImportFlags;

// `gt bead`.
#[derive(Debug, Args)]
pub struct BeadArgs {
    /// Flags of every verb of beads.
    #[command(flatten)]
    pub flags: BeadFlags,
    /// The verb.
    #[command(subcommand)]
    pub verb: BeadVerb,
}

/// A number of minutes as people write it.
fn minutes(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "an estimate must be a non-negative number of minutes".to_owned())
}

// Flags of every verb of beads. Those of the Go `bd` that mean nothing here are taken and do nothing.
#[derive(Clone, Debug, Default, Args)]
pub struct BeadFlags {
    /// Who you are, in what you make and change [default: $BD_ACTOR]; an agent is who its session is
    #[arg(long, global = true, value_name = "NAME")]
    pub actor: Option<String>,
    /// The ledger's file, or its folder [default: $BEADS_DB, $BEADS_DIR, the town, or found upwards from here]
    #[arg(long, global = true, value_name = "PATH")]
    pub db: Option<PathBuf>,
    /// Nothing: every change is kept at once
    #[arg(long, global = true, hide = true)]
    no_auto_flush: bool,
    /// Nothing: files are read when you say so
    #[arg(long, global = true, hide = true)]
    no_auto_import: bool,
    /// Nothing: there is no server
    #[arg(long, global = true, hide = true)]
    no_daemon: bool,
    /// Nothing: nothing is opened for longer than a verb
    #[arg(long, global = true, hide = true)]
    sandbox: bool,
    /// Called as `bd`: where the two differ, as the Go `bd` does it.
    #[arg(skip)]
    pub as_bd: bool,
}

/// Verbs of beads.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum BeadVerb {
    /// Make a ledger in this folder's .beads; inside a town there is one already
    Init(InitArgs),
    /// Make beads
    #[command(visible_alias = "new")]
    Create(Box<CreateArgs>),
    /// Make a bead and print nothing but its id
    Q(Box<CreateArgs>),
    /// Show beads whole
    #[command(visible_alias = "view")]
    Show {
        /// Their ids, or unique parts of them
        #[arg(required_unless_present = "id")]
        ids: Vec<String>,
        /// An id that looks like a flag
        #[arg(long, allow_hyphen_values = true)]
        id: Vec<String>,
        /// One line each
        #[arg(long)]
        short: bool,
        /// Taken and ignored.
        #[command(flatten)]
        taken: ShowTaken,
    },
    /// What became of a bead: what changed, when, and by whom
    History {
        /// The bead
        id: String,
        /// At most so many changes, the newest; 0: all
        #[arg(long, short = 'n', default_value_t = 0)]
        limit: u32,
    },
    /// List beads
    List(Box<ListArgs>),
    /// List what can be worked on now
    Ready(Box<ReadyArgs>),
    /// List what waits for other beads, and for which
    Blocked {
        /// Only below this bead
        #[arg(long)]
        parent: Option<String>,
        /// Only of this rig
        #[arg(long)]
        rig: Option<String>,
        /// At most so many; 0: all
        #[arg(long, short = 'n', default_value_t = 0)]
        limit: u32,
    },
    /// Change beads
    Update(Box<UpdateArgs>),
    /// Close beads that nobody works on
    #[command(visible_alias = "done")]
    Close {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
        /// Why
        #[arg(long, short, visible_aliases = ["message", "resolution", "comment"], short_alias = 'm')]
        reason: Option<String>,
        /// Though it has open children or blockers, or waits in the merge queue
        #[arg(long, short)]
        force: bool,
        /// Say what became ready by it
        #[arg(long)]
        suggest_next: bool,
        /// In which session
        #[arg(long, hide = true)]
        session: Option<String>,
    },
    /// Open closed or deleted beads again
    Reopen {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
        /// Why; becomes a remark
        #[arg(long, short)]
        reason: Option<String>,
    },
    /// Delete beads; what is left is a tombstone, and `reopen` brings them back
    Delete {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
        /// Without asking
        #[arg(long, short, visible_alias = "yes")]
        force: bool,
        /// Why
        #[arg(long, short)]
        reason: Option<String>,
        /// Only say what would be deleted
        #[arg(long)]
        dry_run: bool,
    },
    /// Put beads off
    Defer {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
        /// Until then: +2d, tomorrow, 2026-02-01 [default: until undefer]
        #[arg(long)]
        until: Option<String>,
    },
    /// Take back that beads are put off
    Undefer {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// What depends on what
    #[command(subcommand)]
    Dep(DepVerb),
    /// Labels
    #[command(subcommand)]
    Label(LabelVerb),
    /// Add a line to a bead's notes
    Note {
        /// The bead
        id: String,
        /// What to note; `-` reads it from standard input
        text: Vec<String>,
        /// Read it from standard input
        #[arg(long)]
        stdin: bool,
        /// Read it from a file
        #[arg(long, short)]
        file: Option<PathBuf>,
    },
    /// Change a text of a bead in your editor
    Edit {
        /// The bead
        id: String,
        /// Which text
        #[command(flatten)]
        text: EditArgs,
    },
    /// Close a bead because another one takes its place
    Supersede {
        /// The bead that is given up
        id: String,
        /// The bead that takes its place
        #[arg(long, value_name = "BEAD")]
        with: String,
    },
    /// Close a bead because another one says the same
    Duplicate {
        /// The bead that is given up
        id: String,
        /// The bead that stays
        #[arg(long, value_name = "BEAD")]
        of: String,
    },
    /// Remark on a bead
    Comment {
        /// The bead
        id: String,
        /// What to say; `-` reads it from standard input
        text: Vec<String>,
        /// Read it from standard input
        #[arg(long)]
        stdin: bool,
        /// Read it from a file
        #[arg(long, short)]
        file: Option<PathBuf>,
    },
    /// A bead's remarks: `comments <id>`, `comments add <id> <text>`
    Comments {
        /// The bead; or `add`, a bead and a text
        #[arg(required = true)]
        words: Vec<String>,
        /// Read the text from a file
        #[arg(long, short)]
        file: Option<PathBuf>,
        /// Read the text from standard input
        #[arg(long)]
        stdin: bool,
        /// Who says so [default: you]; an agent is who its session is
        #[arg(long, short)]
        author: Option<String>,
        #[arg(long, hide = true)]
        local_time: bool,
    },
    /// Find beads by words of their texts
    Search {
        /// The words; their beginnings are enough
        #[arg(required_unless_present = "query")]
        words: Vec<String>,
        /// The same
        #[arg(long)]
        query: Option<String>,
        /// Which beads.
        #[command(flatten)]
        only: Box<OnlyArgs>,
        /// At most so many; 0: all
        #[arg(long, short = 'n', default_value_t = 50)]
        limit: u32,
    },
    /// Find beads by a query: `status=open AND priority<=1 AND updated>7d`
    Query {
        /// The query
        #[arg(required = true)]
        words: Vec<String>,
        /// Closed ones and tombstones too, though the query does not speak of status
        #[arg(long, short)]
        all: bool,
        /// At most so many; 0: all
        #[arg(long, short = 'n', default_value_t = 50)]
        limit: u32,
        /// In which order.
        #[command(flatten)]
        sort: SortArgs,
    },
    /// How many beads there are of each kind
    #[command(visible_alias = "stats")]
    Status {
        /// Taken and ignored.
        #[command(flatten)]
        taken: StatusTaken,
    },
    /// Count beads
    Count {
        /// Which beads.
        #[command(flatten)]
        only: Box<OnlyArgs>,
        /// By what.
        #[command(flatten)]
        by: CountBy,
    },
    /// List beads that nobody has touched for long
    Stale {
        /// For so many days, one at least
        #[arg(long, short, default_value_t = 30, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
        days: u32,
        /// Only of this status
        #[arg(long, short)]
        status: Option<String>,
        /// At most so many; 0: all
        #[arg(long, short = 'n', default_value_t = 50)]
        limit: u32,
    },
    /// Epics
    #[command(subcommand)]
    Epic(EpicVerb),
    /// Read beads from a JSONL file, and merge them with those that are here
    Import {
        /// The file; `-` for standard input [default: standard input, or .beads/issues.jsonl]
        file: Option<PathBuf>,
        /// The same
        #[arg(long, short, hide = true, conflicts_with = "file")]
        input: Option<PathBuf>,
        /// How.
        #[command(flatten)]
        how: ImportFlags,
    },
    /// Write beads as JSONL
    Export {
        /// Only of this rig
        #[arg(long)]
        rig: Option<String>,
        /// Into this file instead of standard output
        #[arg(long, short)]
        output: Option<PathBuf>,
        /// Ephemeral ones too
        #[arg(long)]
        wisps: bool,
    },
    /// For agents: how to work with beads here
    Prime {
        /// With the verbs for hygiene and for things that are remembered
        #[arg(long)]
        full: bool,
    },
    /// For people: the first steps
    Quickstart,
    /// Print what tells a coding agent of the beads here, and where it goes; nothing is written
    Setup {
        /// The agent's client
        #[arg(required_unless_present = "list")]
        client: Option<SetupClient>,
        /// Print the text alone, for example to append it to a file
        #[arg(long)]
        print: bool,
        /// Which clients are known
        #[arg(long)]
        list: bool,
    },
    /// What is remembered, and whether all is well
    #[command(flatten)]
    Care(CareVerb),
    /// Which level of `bd` this is, and which gt
    Version,
    /// Where the ledger is
    Where,
    /// The ledger at one glance
    Info {
        /// With its tables
        #[arg(long)]
        schema: bool,
    },
    /// The ledger's own settings
    #[command(subcommand)]
    Config(ConfigVerb),
}

// Which text `edit` is about; the description where none is named.
#[derive(Clone, Copy, Debug, Args)]
#[group(multiple = false)]
pub struct EditArgs {
    /// The description, as without a flag
    #[arg(long)]
    pub description: bool,
    /// The title
    #[arg(long)]
    pub title: bool,
    /// The design
    #[arg(long)]
    pub design: bool,
    /// The notes
    #[arg(long)]
    pub notes: bool,
    /// The acceptance criteria
    #[arg(long)]
    pub acceptance: bool,
}

/// A client of coding agents that `setup` has words for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SetupClient {
    /// Claude Code.
    Claude,
    /// Codex.
    Codex,
    /// Cursor.
    Cursor,
}

// Flags of `show` that change nothing here: everything is shown anyway.
#[derive(Debug, Args)]
pub struct ShowTaken {
    #[arg(long, hide = true)]
    long: bool,
    #[arg(long, hide = true)]
    include_dependents: bool,
    #[arg(long, hide = true)]
    include_comments: bool,
}

// Flags of `status` that change nothing here: all of it is quick.
#[derive(Debug, Args)]
pub struct StatusTaken {
    #[arg(long, hide = true)]
    all: bool,
    #[arg(long, hide = true)]
    no_activity: bool,
    #[arg(long, hide = true)]
    no_blocked: bool,
}

// Flags of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// What new ids begin with [default: the folder's name]
    #[arg(long, short)]
    pub prefix: Option<String>,
    /// Only if there is an issues.jsonl; its beads are taken in without this flag too
    #[arg(long)]
    pub from_jsonl: bool,
    /// Nothing: no hooks are installed and nothing is asked
    #[arg(long, hide = true)]
    skip_hooks: bool,
    #[arg(long, hide = true)]
    stealth: bool,
    #[arg(long, hide = true)]
    non_interactive: bool,
    #[arg(long, hide = true)]
    skip_agents: bool,
}

// Flags of `create` and `q`.
#[derive(Clone, Debug, Args)]
pub struct CreateArgs {
    /// What it is, in one line
    pub title: Option<String>,
    /// The same
    #[arg(long = "title", value_name = "TITLE", conflicts_with = "title")]
    pub title_flag: Option<String>,
    /// Details; `-` reads them from standard input
    #[arg(long, short, visible_alias = "body", allow_hyphen_values = true)]
    pub description: Option<String>,
    /// Read the details from a file; `-` for standard input
    #[arg(long, visible_alias = "description-file", value_name = "FILE")]
    pub body_file: Option<PathBuf>,
    /// With a title: read the details from standard input. Without: a title a line, a bead each, each kept at once
    #[arg(long)]
    pub stdin: bool,
    /// Make a bead of each `## ` heading of this Markdown file, all or none
    #[arg(long, short, conflicts_with_all = ["title", "title_flag", "stdin"])]
    pub file: Option<PathBuf>,
    /// Make all beads of this plan, with what they depend on, or none: JSON with nodes and edges; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["title", "title_flag", "stdin", "file", "id"])]
    pub graph: Option<PathBuf>,
    /// How it is to be done
    #[arg(long, allow_hyphen_values = true)]
    pub design: Option<String>,
    /// When it is done
    #[arg(long, visible_alias = "acceptance-criteria", allow_hyphen_values = true)]
    pub acceptance: Option<String>,
    /// What is known already
    #[arg(long, allow_hyphen_values = true)]
    pub notes: Option<String>,
    /// 0 (critical) to 4, or P0 to P4
    #[arg(long, short, value_parser = priority)]
    pub priority: Option<i64>,
    /// Its kind: task, bug, feature, epic, chore …
    #[arg(long = "type", short = 't')]
    pub issue_type: Option<String>,
    /// Labels, with commas between
    #[arg(long, short, visible_alias = "label", value_delimiter = ',')]
    pub labels: Vec<String>,
    /// Who holds it
    #[arg(long, short)]
    pub assignee: Option<String>,
    /// What must be closed first, with commas between; `type:id` for other kinds of dependency
    #[arg(long, value_delimiter = ',')]
    pub deps: Vec<String>,
    /// Of what it is a part: its id is then this one's with a number
    #[arg(long)]
    pub parent: Option<String>,
    /// This very id
    #[arg(long, conflicts_with = "parent", allow_hyphen_values = true)]
    pub id: Option<String>,
    /// Not ready before then: +2d, tomorrow, 2026-02-01
    #[arg(long)]
    pub defer: Option<String>,
    /// To be done by then: +2d, tomorrow, 2026-02-01
    #[arg(long)]
    pub due: Option<String>,
    /// What it is in another system, for example gh-9
    #[arg(long)]
    pub external_ref: Option<String>,
    /// The specification that it follows
    #[arg(long)]
    pub spec_id: Option<String>,
    /// How many minutes it may take
    #[arg(long, short, allow_negative_numbers = true, value_parser = minutes)]
    pub estimate: Option<u32>,
    /// JSON for tools
    #[arg(long, allow_hyphen_values = true)]
    pub metadata: Option<String>,
    /// Not exported, and gone some day
    #[arg(long)]
    pub ephemeral: bool,
    /// For this rig [default: the one you are in, or the only one]
    #[arg(long)]
    pub rig: Option<String>,
    /// Print nothing but the id
    #[arg(long)]
    pub silent: bool,
    /// Only say what would be made
    #[arg(long)]
    pub dry_run: bool,
    /// Nothing: any prefix is fine
    #[arg(long, hide = true)]
    force: bool,
}

// Flags of `update`.
#[derive(Clone, Debug, Args)]
pub struct UpdateArgs {
    /// Their ids
    #[arg(required = true)]
    pub ids: Vec<String>,
    /// Take it: it is yours and in progress, or somebody else's and you are told
    #[arg(long, conflicts_with_all = ["status", "assignee"])]
    pub claim: bool,
    /// A new title
    #[arg(long, allow_hyphen_values = true)]
    pub title: Option<String>,
    /// A new description; `-` reads it from standard input
    #[arg(long, short, visible_alias = "body", allow_hyphen_values = true)]
    pub description: Option<String>,
    /// Read the description from a file; `-` for standard input
    #[arg(long, visible_alias = "description-file", value_name = "FILE", conflicts_with = "description")]
    pub body_file: Option<PathBuf>,
    /// Read the description from standard input
    #[arg(long, conflicts_with_all = ["description", "body_file"])]
    pub stdin: bool,
    /// A new design
    #[arg(long, allow_hyphen_values = true)]
    pub design: Option<String>,
    /// New acceptance criteria
    #[arg(long, visible_alias = "acceptance-criteria", allow_hyphen_values = true)]
    pub acceptance: Option<String>,
    /// New notes; `-` reads them from standard input
    #[arg(long, allow_hyphen_values = true)]
    pub notes: Option<String>,
    /// A line more of notes
    #[arg(long, conflicts_with = "notes", allow_hyphen_values = true)]
    pub append_notes: Option<String>,
    /// A new status
    #[arg(long, short)]
    pub status: Option<String>,
    /// A new priority
    #[arg(long, short, value_parser = priority)]
    pub priority: Option<i64>,
    /// A new kind
    #[arg(long = "type", short = 't')]
    pub issue_type: Option<String>,
    /// A new holder; an empty text for nobody
    #[arg(long, short)]
    pub assignee: Option<String>,
    /// Labels to add
    #[arg(long, value_delimiter = ',')]
    pub add_label: Vec<String>,
    /// Labels to remove
    #[arg(long, value_delimiter = ',')]
    pub remove_label: Vec<String>,
    /// These labels and no others
    #[arg(long, value_delimiter = ',')]
    pub set_labels: Option<Vec<String>>,
    /// Below this bead now; an empty text for none
    #[arg(long)]
    pub parent: Option<String>,
    /// Not ready before then; an empty text takes it back
    #[arg(long)]
    pub defer: Option<String>,
    /// To be done by then; an empty text takes it back
    #[arg(long)]
    pub due: Option<String>,
    /// What it is in another system; an empty text for nothing
    #[arg(long)]
    pub external_ref: Option<String>,
    /// The specification that it follows; an empty text for none
    #[arg(long)]
    pub spec_id: Option<String>,
    /// How many minutes it may take
    #[arg(long, short, allow_negative_numbers = true, value_parser = minutes)]
    pub estimate: Option<u32>,
    /// JSON for tools; keys that it does not name stay
    #[arg(long, allow_hyphen_values = true)]
    pub metadata: Option<String>,
    /// One key of it
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "metadata")]
    pub set_metadata: Vec<String>,
    /// Take one key of it away
    #[arg(long, value_name = "KEY", conflicts_with = "metadata")]
    pub unset_metadata: Vec<String>,
    /// In which session
    #[arg(long, hide = true)]
    session: Option<String>,
}
