//! The grammar of the merge queue and of what patrols by hand.

use clap::Subcommand;

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
