//! What models took.

use clap::{Args, ValueEnum};
use gt_town::admission::usage::By;

// Arguments of `gt cost`.
#[derive(Clone, Debug, Args)]
pub struct CostArgs {
    /// Told apart by this
    #[arg(long, value_enum, default_value = "day")]
    pub by: ByArg,
    /// Only since then: the last days (7d, today is 1d), or a date (2026-11-22)
    #[arg(long, value_name = "DAYS|DATE")]
    pub since: Option<String>,
}

/// By what costs are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ByArg {
    /// Bead
    Bead,
    /// Who worked
    Worker,
    /// Rig
    Rig,
    /// Model
    Model,
    /// Convoy
    Convoy,
    /// Day
    Day,
    /// Kind of agent
    Agent,
}

impl From<ByArg> for By {
    fn from(by: ByArg) -> Self {
        match by {
            ByArg::Bead => Self::Bead,
            ByArg::Worker => Self::Worker,
            ByArg::Rig => Self::Rig,
            ByArg::Model => Self::Model,
            ByArg::Convoy => Self::Convoy,
            ByArg::Day => Self::Day,
            ByArg::Agent => Self::Agent,
        }
    }
}
