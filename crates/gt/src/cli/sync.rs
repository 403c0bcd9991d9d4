//! The grammar of what makes several towns one ledger.

use clap::{Args, Subcommand};

// `gt sync`.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// With this repository [default: as `[sync] remote` in town.toml says]
    #[arg(long, value_name = "URL")]
    pub remote: Option<String>,
    /// Only say what would change here
    #[arg(long)]
    pub dry_run: bool,
}

/// Verbs of the town itself.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum TownVerb {
    /// Make a town that was copied or moved here one that can be written again
    Adopt,
}
