//! The grammar of `gt bead`.

use std::path::PathBuf;

use clap::Subcommand;

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
