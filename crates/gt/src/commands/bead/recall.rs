//! `gt bead recall`.

use clap::Args;
use gt_town::town::memory;
use serde_json::json;

use crate::console::{Console, printable_lines};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Print a memory in full
#[derive(Debug, Args)]
pub struct RecallArgs {
    /// Its name
    key: String,
}

/// Runs `gt bead recall`.
pub fn recall(args: &RecallArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let key = args.key.as_str();
    let text = context.town.ledger.read(memory::all)?.remove(key).ok_or_else(|| unknown(key))?;
    if console.is_json() {
        return console.document(&json!({ "key": key, "value": text, "found": true }));
    }
    console.line(&printable_lines(&text))?;
    Ok(0)
}

/// Error for a name without a memory.
pub fn unknown(key: &str) -> CliError {
    CliError::usage(&format!("no memory is called `{key}`"), "gt bead memories lists all")
}
