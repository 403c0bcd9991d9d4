//! `gt bead blocked`.

use clap::Args;
use gt_ledger::BeadFilter;
use gt_town::Error;

use crate::commands::bead::filter::{self, OnlyArgs};
use crate::commands::bead::{prefix_of, shapes};
use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// List beads that wait for others, and for which
#[derive(Debug, Args)]
pub struct BlockedArgs {
    /// Only children of this bead
    #[arg(long)]
    parent: Option<String>,
    /// Only of this rig
    #[arg(long)]
    rig: Option<String>,
    /// Show at most this many; 0: all
    #[arg(long, short = 'n', default_value_t = 0)]
    limit: u32,
}

/// Runs `gt bead blocked`.
pub fn blocked(args: &BlockedArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let only = OnlyArgs { parent: args.parent.clone(), ..OnlyArgs::default() };
    let asked = filter::conditions(&only, context)?;
    let filter = BeadFilter {
        prefix: prefix_of(context, args.rig.as_deref())?,
        ..filter::filter(&only, asked, args.limit, context)?
    };
    let now = context.town.world().clock().now();
    let found = context.town.ledger.read(|view| view.blocked(&filter).map_err(Error::from))?;
    if console.is_json() {
        let shapes = context.town.ledger.read(|view| shapes::blocked(view, now, found))?;
        return shapes::print_array(&shapes, console);
    }
    let mut table = Table::new(&["BEAD", "P", "TITLE", "WAITS FOR"]);
    for bead in &found {
        let by = context.town.ledger.read(|view| view.blockers(now, &bead.id).map_err(Error::from))?;
        let by: Vec<String> = by.into_iter().map(|blocker| blocker.id.0).collect();
        table.row([bead.id.0.clone(), bead.priority.to_string(), bead.title.clone(), by.join(", ")]);
    }
    console.table(&table)?;
    Ok(0)
}
