//! `gt ledger vacuum`.

use clap::Args;
use serde_json::json;

use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Shrink the ledger's file by its unused space
#[derive(Debug, Args)]
pub struct VacuumArgs;

/// Runs `gt ledger vacuum`.
pub fn vacuum(_args: &VacuumArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (before, after) = context.town.ledger.vacuum()?;
    if console.is_json() {
        return console.facts("gt.vacuum/1", "vacuum", json!({ "bytes_before": before, "bytes_after": after }));
    }
    console.say(&format!("{before} bytes before, {after} after"))?;
    Ok(0)
}
