//! `gt rig list`.

use clap::Args;
use gt_town::rigs::rig;

use crate::console::{Console, Table, printable};
use crate::context::Context;
use crate::error::CliResult;

/// List the rigs
#[derive(Debug, Args)]
pub struct ListArgs;

/// Runs `gt rig list`.
pub fn list(_args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let status = gt_town::view::observe::status(&context.town)?;
    if console.is_json() {
        return console.facts("gt.rigs/1", "rigs", status.rigs);
    }
    let mut table = Table::new(&["RIG", "TRUNK", "LANDING", "GATES", "REMOTE"]);
    for rig in status.rigs {
        table.row([rig.name, rig.trunk, rig.landing, rig.gates.join(" "), rig.remote]);
    }
    console.table(&table)?;
    for rig in context.town.rigs()? {
        if let Some(why) = rig::why_is_held(&context.town, &rig)? {
            console.note(&format!("{} is held: {}", rig.name(), printable(&why)))?;
        }
    }
    for name in rig::unfinished(&context.town)? {
        console
            .note(&format!("gt rig add {name} was interrupted before the rig existed: run it again, it starts over"))?;
    }
    Ok(0)
}
