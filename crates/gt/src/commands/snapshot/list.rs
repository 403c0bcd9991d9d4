//! `gt snapshot list`.

use clap::Args;
use gt_town::work::{beads, snapshots};

use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// List snapshots
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only of this bead
    bead: Option<String>,
}

/// Runs `gt snapshot list`.
pub fn list(args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let bead =
        args.bead.as_deref().map(|text| context.town.ledger.read(|view| beads::resolve(view, text))).transpose()?;
    let listed = snapshots::list(&context.town, bead.as_ref())?;
    if console.is_json() {
        return console.facts("gt.snapshots/1", "snapshots", listed);
    }
    let mut table = Table::new(&["SNAPSHOT", "RIG", "WORKER", "TAKEN", "COMMIT"]);
    for row in listed {
        let worker = row.worker.unwrap_or_else(|| "-".to_owned());
        let taken = row.taken_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        table.row([row.name, row.rig.to_string(), worker, taken, row.commit.short().to_owned()]);
    }
    console.table(&table)?;
    Ok(0)
}
