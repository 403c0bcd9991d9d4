//! `gt boot`.

use clap::Subcommand;

use crate::Process;
use crate::cli::{Global, Group};
use crate::error::CliResult;

mod run;

/// Run boot, the process that keeps the daemon alive
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Other.order())]
pub enum BootVerb {
    Run(run::RunArgs),
}

/// Runs a verb of `gt boot`.
pub fn boot(verb: &BootVerb, global: &Global, process: &Process) -> CliResult {
    let BootVerb::Run(args) = verb;
    run::run(args, global, process)
}
