//! `gt bead remember`.

use clap::Args;
use gt_town::town::memory;
use gt_town::work::beads;
use serde_json::json;

use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Store a memory for all later sessions; `bd prime` prints it
#[derive(Debug, Args)]
pub struct RememberArgs {
    /// The memory
    text: String,
    /// Its name [default: its first words]; it replaces a memory with the same name
    #[arg(long)]
    key: Option<String>,
}

/// Runs `gt bead remember`.
pub fn remember(args: &RememberArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let text = args.text.as_str();
    let key = args.key.clone().unwrap_or_else(|| memory::key_of(text));
    let rig = context.rig_here();
    let prefix = context.town.ledger.read(|view| beads::prefix_for(view, rig.as_deref(), &context.caller))?;
    let is_update = memory::remember(&context.town, &context.caller, &prefix, &key, text)?;
    if console.is_json() {
        let action = if is_update { "updated" } else { "remembered" };
        return console.document(&json!({ "key": key, "value": text, "action": action }));
    }
    let word = if is_update { "Updated" } else { "Remembered" };
    console.say(&format!("{word} [{}]: {}", printable(&key), printable(text)))?;
    Ok(0)
}
