//! The grammar of agents' verbs: steps, molecules, the end.

use clap::{Subcommand, ValueEnum};

/// Verbs of steps.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
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
#[command(defer = true)]
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
