//! `gt bead prime`.

use clap::Args;
use gt_town::town::memory;

use super::BeadFlags;
use crate::Process;
use crate::cli::Global;
use crate::commands::bead::place;
use crate::console::{Console, printable};
use crate::error::CliResult;

/// Print how to work with beads here, for agents
#[derive(Debug, Args)]
pub struct PrimeArgs {
    /// Include the verbs for upkeep and for memories
    #[arg(long)]
    full: bool,
}

/// Runs `gt bead prime`: prints how to work here, and the memories. Without a ledger there are none.
pub fn prime(
    args: &PrimeArgs,
    flags: &BeadFlags,
    global: &Global,
    process: &Process,
    console: &mut Console<'_>,
) -> CliResult {
    console.line(PRIME)?;
    if args.full {
        console.line(PRIME_FULL)?;
    }
    let remembered = match place::open(flags, global, process) {
        Ok(context) => context.town.ledger.read(memory::all)?,
        Err(_) => return Ok(0),
    };
    if !remembered.is_empty() {
        console.line("\nWhat was remembered:")?;
    }
    for (key, text) in &remembered {
        console.line(&format!("- [{}] {}", printable(key), printable(text)))?;
    }
    Ok(0)
}

const PRIME: &str = "\
# Beads: the work that is to be done here

- `bd ready` lists what can be worked on now; `bd show <id>` says what one is about.
- `bd update <id> --claim` takes one: it is yours, or you are told whose it is.
- `bd create \"Title\" -t bug -p 1 -d \"What and why\"` makes one; `--deps discovered-from:<id>` says what it came from.
- `bd dep add <id> <other>` makes one wait for another; `bd blocked` lists what waits.
- `bd note <id> \"…\"` keeps what you found; `bd comment <id> \"…\"` remarks.
- `bd close <id> --reason \"…\" --suggest-next` when it is done. There is nothing else to save: every change is stored at once.";

const PRIME_FULL: &str = "
## Quality

- `bd lint` names beads whose texts lack what their kind needs; `bd doctor` checks the ledger, `bd dep cycles` its graph.
- `bd search`, before you make one: another may say the same. `bd duplicate <id> --of <other>` closes one of the two.

## Over time

- `bd defer <id> --until +2d` defers one, `bd undefer` ends that; `bd supersede <old> --with <new>` replaces one.
- `bd stale` lists beads that have not changed for a long time; `bd epic close-eligible` closes epics whose parts are done.
- `bd remember \"…\"` stores a memory for all later sessions: conventions, traps. `bd memories`, `bd forget <key>`.";
