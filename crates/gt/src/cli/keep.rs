//! The grammar of what is kept: polecats, snapshots, retention.

use std::path::PathBuf;

use clap::Subcommand;

/// Verbs of polecats.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
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
#[command(defer = true)]
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
#[command(defer = true)]
pub enum RetentionVerb {
    /// Remove what is to go, here and now (the deacon does it once an hour)
    Run {
        /// Say what would go, why, and how big it is
        #[arg(long)]
        dry_run: bool,
        /// Let go at once of archived worktrees whose beads have landed, where git has all of them
        #[arg(long)]
        landed: bool,
    },
}
