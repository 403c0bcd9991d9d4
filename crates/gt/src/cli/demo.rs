//! The grammar of `gt demo`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::session::RuntimeArg;

// The demo.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DemoArgs {
    /// Verify a kept demo instead
    #[command(subcommand)]
    pub verb: Option<DemoVerb>,
    /// Make town and project in this new or empty folder [default: a temporary one]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Keep the folder, to look at it afterwards
    #[arg(long)]
    pub keep: bool,
    /// Workers at once; the story needs two that meet
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=30))]
    pub polecats: u32,
    /// Vary the workers' pace by this seed
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Sessions in terminals of the town's tmux, or without
    #[arg(long, value_enum, default_value_t = RuntimeArg::Headless)]
    pub runtime: RuntimeArg,
}

// Verbs of the demo.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum DemoVerb {
    /// Check a finished demo from the outside: git, the process table, the ledger read-only
    Verify {
        /// The demo's folder
        dir: PathBuf,
    },
}
