//! `gt bead repair-deps`.

use clap::Args;
use gt_model::id::BeadId;
use gt_town::Error;
use gt_town::work::beads;
use serde_json::{Value, json};

use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// List dependencies on missing beads
#[derive(Debug, Args)]
pub struct RepairDepsArgs {
    /// Remove them
    #[arg(long)]
    fix: bool,
}

/// Removes dependencies on missing beads. Returns their number.
pub fn remove_dangling(context: &Context<'_>) -> Result<usize, CliError> {
    let found = context.town.ledger.read(|view| Ok::<_, Error>(view.dangling()?))?;
    for (id, on) in &found {
        beads::remove_dependency(&context.town, &context.caller, id, on)?;
    }
    Ok(found.len())
}

/// Runs `gt bead repair-deps`.
pub fn repair_deps(args: &RepairDepsArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let fix = args.fix;
    let found = context.town.ledger.read(|view| Ok::<_, Error>(view.dangling()?))?;
    let fixed = if fix { remove_dangling(context)? } else { 0 };
    if console.is_json() {
        let one = |(id, on): &(BeadId, BeadId)| json!({ "issue_id": id, "depends_on_id": on });
        let orphans: Vec<Value> = found.iter().map(one).collect();
        return console.document(&json!({ "orphans_found": orphans.len(), "orphans": orphans, "fixed": fixed }));
    }
    let word = if fix { "no longer depends on" } else { "depends on" };
    for (id, on) in &found {
        console.line(&printable(&format!("{id} {word} {on}, which does not exist")))?;
    }
    if found.is_empty() {
        console.say("every dependency is on an existing bead")?;
    }
    Ok(0)
}
