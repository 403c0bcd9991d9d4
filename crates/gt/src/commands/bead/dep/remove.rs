//! `gt bead dep remove`.

use clap::Args;
use gt_model::id::BeadId;
use gt_town::work::beads;
use serde_json::json;

use crate::commands::bead::words;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Remove a dependency
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// The bead that waits
    bead: String,
    /// The bead that it waits for
    on: String,
}

/// Runs `gt bead dep remove`.
pub fn remove(args: &RemoveArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let RemoveArgs { bead, on } = args;
    let one = |text: &str| context.town.ledger.read(|view| beads::resolve(view, text));
    // The bead on the other end need not exist.
    let (bead, on) = (one(bead)?, one(on).unwrap_or_else(|_| BeadId::from(on.as_str())));
    beads::remove_dependency(&context.town, &context.caller, &bead, &on)?;
    if console.is_json() {
        return console.document(&json!({ "status": "removed", "issue_id": bead, "depends_on_id": on }));
    }
    let said = format!("{bead} no longer depends on {on}");
    words::say(console, &said, &format!("✓ Removed dependency: {said}"))?;
    Ok(0)
}
