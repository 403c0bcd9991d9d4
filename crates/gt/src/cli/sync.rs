//! The grammar of what makes several towns one ledger.

use std::path::PathBuf;

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
    /// Change settings of the town in its town.toml; comments in it stay
    ///
    /// `gt config list` shows all, `gt config explain` says what each means and takes. The running daemon hears a change.
    Set {
        /// For example max_polecats=9 or spend.daily_usd=50; an empty value takes a setting out of the file
        #[arg(required = true, value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Make the overseer's key, in a new file: `gt mq approve` and the like want it from now on
    ///
    /// For what lets work land, changes settings, destroys or spends. The file is the owner's only, and hidden from every
    /// sandbox; town.toml keeps its hash and its place ([overseer] confirm, key, key_file). GT_OVERSEER_KEY_FILE names
    /// another place, where the key was moved to, or lies for one call only. To do without it again, take [overseer] out
    /// of town.toml.
    Key {
        /// Where to put it; outside of the town
        file: PathBuf,
    },
}
