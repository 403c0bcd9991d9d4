//! `gt bead memories`.

use clap::Args;
use gt_town::town::memory;
use serde_json::json;

use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// List memories
#[derive(Debug, Args)]
pub struct MemoriesArgs {
    /// Only those that contain this
    search: Option<String>,
}

/// Runs `gt bead memories`.
pub fn memories(args: &MemoriesArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let search = args.search.as_deref();
    let mut all = context.town.ledger.read(memory::all)?;
    if let Some(search) = search.map(str::to_lowercase) {
        all.retain(|key, text| key.to_lowercase().contains(&search) || text.to_lowercase().contains(&search));
    }
    if console.is_json() {
        return console.document(&json!(all));
    }
    if all.is_empty() {
        console.say(if search.is_some() { "no memory contains that" } else { "there are no memories" })?;
    }
    for (key, text) in &all {
        console.line(&format!("[{}]: {}", printable(key), printable(text)))?;
    }
    Ok(0)
}
