//! `gt bead dep cycles`.

use clap::Args;
use gt_model::id::BeadId;
use gt_town::Error;

use crate::commands::bead::shapes;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// List beads that wait for each other in a cycle
#[derive(Debug, Args)]
pub struct CyclesArgs;

/// Runs `gt bead dep cycles`.
pub fn cycles(_args: &CyclesArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let cycles = context.town.ledger.read(|view| {
        let cycles = view.cycles()?;
        cycles.iter().map(|ids| Ok((ids.clone(), view.beads_with(ids)?))).collect::<Result<Vec<_>, Error>>()
    })?;
    if console.is_json() {
        let list: Vec<String> =
            cycles.iter().map(|(_, beads)| format!("[{}]", shapes::all_bare(beads).join(","))).collect();
        return shapes::print_array(&list, console);
    }
    for (ids, _) in &cycles {
        let way: Vec<&str> = ids.iter().chain(ids.first()).map(BeadId::as_str).collect();
        console.line(&printable(&way.join(" -> ")))?;
    }
    if cycles.is_empty() {
        console.say("no bead waits for itself")?;
    }
    Ok(0)
}
