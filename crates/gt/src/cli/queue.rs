//! The grammar of the merge queue and of what patrols by hand.

use std::path::PathBuf;

use clap::Subcommand;

/// Verbs of merge requests. Each takes a merge request's id, a unique part of it, or its bead's.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
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
    /// Show one: whose work it is, what the gates said, what to type next
    Show {
        /// Its id, or its bead's
        id: String,
    },
    /// What it would change on the trunk, as last fetched
    Diff {
        /// Its id, or its bead's
        id: String,
        /// A line for each file
        #[arg(long)]
        stat: bool,
    },
    /// What the gates printed
    Log {
        /// Its id, or its bead's
        id: String,
        /// Go on as they print, until they have said what they have to say
        #[arg(long, short)]
        follow: bool,
    },
    /// Put its files into a folder to try them; says the line that brings it into your own clone
    Checkout {
        /// Its id, or its bead's
        id: String,
        /// A new folder [default: one for temporary files]
        folder: Option<PathBuf>,
        /// Take that folder away again
        #[arg(long)]
        remove: bool,
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
    /// Send one back: a fresh worker goes on from it and is told your note
    Reject {
        /// Its id, or its bead's
        id: String,
        /// What is to be done; `-` reads it from standard input
        #[arg(long, short)]
        note: String,
    },
    /// Keep them from landing until you say retry or approve
    Hold {
        /// Their ids, or their beads'
        #[arg(required = true)]
        ids: Vec<String>,
        /// Why
        #[arg(long, short, default_value = "")]
        note: String,
    },
    /// Take a hold off, whoever put it on: their turn comes with the next round
    #[command(visible_alias = "release")]
    Retry {
        /// Their ids, or their beads'
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Say that its work is on the trunk, by that commit: its bead is closed as landed
    Landed {
        /// Its id, or its bead's
        id: String,
        /// The commit [default: the one that is thought to have its work]
        #[arg(long, value_name = "COMMIT")]
        by: Option<String>,
        /// It had landed, and was taken off the trunk on purpose: its bead stays closed, as not landed
        #[arg(long, conflicts_with = "by")]
        not: bool,
    },
    /// Take them out of the queue for good; their beads are open again, their commits are kept
    Cancel {
        /// Their ids, or their beads'
        #[arg(required = true)]
        ids: Vec<String>,
        /// Why
        #[arg(long, short, default_value = "")]
        note: String,
    },
}

/// Verbs of the refinery.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum RefineryVerb {
    /// Gate and land what waits, here and now
    Run {
        /// Of which rig [default: the one you are in, or the only one]
        rig: Option<String>,
        /// One round (the deacon runs all others)
        #[arg(long, required = true)]
        once: bool,
    },
    /// Run the gates on the trunk without any cache, and say whether what landed with caches is confirmed
    Confirm {
        /// Of which rig [default: the one you are in, or the only one]
        rig: Option<String>,
    },
}

/// Verbs of the witness.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
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
