//! `gt deacon`.

use std::time::Duration;

use clap::Subcommand;
use gt_town::Town;
use gt_world::real::daemon::Daemon;

use crate::Process;
use crate::cli::{Global, Group};
use crate::error::CliResult;

mod run;

/// Run the town's daemon
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Other.order())]
pub enum DeaconVerb {
    Run(run::RunArgs),
}

/// Runs a verb of `gt deacon`.
pub fn deacon(verb: &DeaconVerb, global: &Global, process: &Process) -> CliResult {
    let DeaconVerb::Run(args) = verb;
    run::run(args, global, process)
}

/// Checking a lock briefly takes it; callers wait at most this long.
pub const ASKERS_TURN: Duration = Duration::from_secs(1);

/// Describes a process of this program that serves the town: `deacon` or `boot`.
pub fn daemon<'a>(log_level: Option<&'a str>, process: &'a Process, town: &'a Town, role: &'a str) -> Daemon<'a> {
    Daemon { gt: &process.outside.gt, town: &town.layout.root, role, log_level }
}
