//! `gt boot run`.

use std::time::Duration;

use clap::Args;
use gt_town::patrol::boot::{self, BootEnd, DeaconProcess};
use gt_town::town::identity;
use gt_world::real::daemon;

use crate::Process;
use crate::cli::Global;
use crate::commands::deacon::{ASKERS_TURN, daemon as process_of};
use crate::context::open_town;
use crate::diagnosis;
use crate::error::CliResult;

/// Start the daemon, and restart it when it dies, in the foreground (`gt up` starts this in the background)
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Start it in the background, and return
    #[arg(long, hide = true)]
    detach: bool,
}

/// The deacon's process, as boot sees it.
struct Deacon(daemon::Watched);

impl DeaconProcess for Deacon {
    fn wait(&self, at_most: Duration) -> Option<Option<i32>> {
        self.0.wait(at_most)
    }

    fn kill(&self) {
        self.0.kill();
    }
}

/// Runs `gt boot run`.
pub fn run(args: &RunArgs, global: &Global, process: &Process) -> CliResult {
    daemon::stand_apart();
    let town = open_town(global, process)?;
    identity::refuse_agents(&town)?;
    let level = diagnosis::level(global, process);
    if args.detach {
        process_of(level, process, &town, "boot").leave_running().map_err(gt_town::Error::from)?;
        return Ok(0);
    }
    let held = town.world().disk().lock(&town.layout.boot_lock(), ASKERS_TURN).map_err(gt_town::Error::from)?;
    let Some(_held) = held else {
        return Err(gt_town::Error::refused("boot of this town runs already", "gt status").into());
    };
    // Waits for a deacon that an earlier boot left, then replaces it.
    let start = || Ok(Deacon(process_of(level, process, &town, "deacon").start_watched(&["--wait"])?));
    match boot::run(&town, start)? {
        BootEnd::Finished => Ok(0),
        BootEnd::GaveUp => Ok(1),
    }
}
