//! `gt deacon run`.

use std::time::Duration;

use clap::Args;
use gt_town::patrol::deacon;
use gt_town::town::identity;
use gt_world::real::{Fifo, daemon};

use super::ASKERS_TURN;
use crate::Process;
use crate::cli::Global;
use crate::context::open_town;
use crate::error::CliResult;

/// Run the daemon in the foreground (`gt up` starts it in the background)
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Wait until the daemon that runs has ended, and take its place
    #[arg(long)]
    wait: bool,
}

/// Longer than any deacon lives, and still safe to add to a time.
const FOR_EVER: Duration = Duration::from_hours(24 * 365 * 10);

/// Runs `gt deacon run`.
pub fn run(args: &RunArgs, global: &Global, process: &Process) -> CliResult {
    daemon::stand_apart();
    let town = open_town(global, process)?;
    identity::refuse_agents(&town)?;
    let mut fifo = Fifo::open(&town.layout.wake()).map_err(gt_town::Error::from)?;
    let disk = town.world().disk();
    let deadline = if args.wait { FOR_EVER } else { ASKERS_TURN };
    let held = disk.lock(&town.layout.deacon_lock(), deadline).map_err(gt_town::Error::from)?;
    let Some(_held) = held else {
        return Err(gt_town::Error::refused("a deacon of this town runs already", "gt status").into());
    };
    deacon::run(&town, &mut fifo)?;
    Ok(0)
}
