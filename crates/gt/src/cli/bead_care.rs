//! Verbs of `gt bead` (`bd`) for what is remembered, and for whether texts and ledger are in order.

use clap::{Args, Subcommand, ValueEnum};

/// What is remembered, and whether all is well.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum CareVerb {
    /// Remember something for every session to come: `bd prime` tells it
    Remember {
        /// What
        text: String,
        /// What it is called [default: from its first words]; of the same name, the newer one stays
        #[arg(long)]
        key: Option<String>,
    },
    /// List what is remembered
    Memories {
        /// Only what has this in it
        search: Option<String>,
    },
    /// Say one thing that is remembered, whole
    Recall {
        /// What it is called
        key: String,
    },
    /// Remember something no longer
    Forget {
        /// What it is called
        key: String,
    },
    /// Say of which beads the texts lack what their kind needs
    Lint {
        /// Only these beads [default: all open ones]
        ids: Vec<String>,
        /// Only of this kind
        #[arg(long = "type", short = 't')]
        issue_type: Option<String>,
        /// Of this status, or `all`
        #[arg(long, short)]
        status: Option<String>,
    },
    /// Say whether the ledger can be read, and how quickly
    Ping,
    /// Say which dependencies are on beads that are not there
    RepairDeps {
        /// Remove them
        #[arg(long)]
        fix: bool,
    },
    /// Say what state the ledger is in; an older one is brought up to date when it is opened
    Migrate {
        /// For agents: more of it
        #[arg(long)]
        inspect: bool,
        #[arg(long, hide = true)]
        dry_run: bool,
        #[arg(long, hide = true)]
        yes: bool,
    },
    /// Check the ledger: file, cycles, dependencies on what is not there
    Doctor(DoctorArgs),
}

// Flags of `doctor`.
#[derive(Clone, Copy, Debug, Args)]
pub struct DoctorArgs {
    /// Only this check: validate is of the beads' data, pollution of beads that tests left
    #[arg(long, value_enum)]
    pub check: Option<DoctorCheck>,
    /// Remove dependencies on beads that are not there
    #[arg(long)]
    pub fix: bool,
    /// With --check=pollution: delete those beads
    #[arg(long)]
    pub clean: bool,
    /// Without asking
    #[arg(long, short)]
    pub yes: bool,
}

/// A check of the doctor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DoctorCheck {
    /// Of the beads' data.
    Validate,
    /// Of beads that tests left.
    Pollution,
}
