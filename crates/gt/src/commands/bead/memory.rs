//! Verbs of memory: `remember`, `memories`, `recall`, `forget`.

use gt_town::town::memory;
use gt_town::work::beads;
use serde_json::json;

use super::change::usage;
use crate::console::{Console, printable, printable_lines};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Runs `remember`.
pub fn remember(text: &str, key: Option<String>, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let key = key.unwrap_or_else(|| memory::key_of(text));
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

/// Runs `memories`.
pub fn list(search: Option<&str>, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let mut all = context.town.ledger.read(memory::all)?;
    if let Some(search) = search.map(str::to_lowercase) {
        all.retain(|key, text| key.to_lowercase().contains(&search) || text.to_lowercase().contains(&search));
    }
    if console.is_json() {
        return console.document(&json!(all));
    }
    if all.is_empty() {
        console.say(if search.is_some() { "nothing like that is remembered" } else { "nothing is remembered" })?;
    }
    for (key, text) in &all {
        console.line(&format!("[{}]: {}", printable(key), printable(text)))?;
    }
    Ok(0)
}

/// Runs `recall`.
pub fn recall(key: &str, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let text = context.town.ledger.read(memory::all)?.remove(key).ok_or_else(|| unknown(key))?;
    if console.is_json() {
        return console.document(&json!({ "key": key, "value": text, "found": true }));
    }
    console.line(&printable_lines(&text))?;
    Ok(0)
}

/// Runs `forget`.
pub fn forget(key: &str, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let gone = memory::forget(&context.town, &context.caller, key)?.ok_or_else(|| unknown(key))?;
    if console.is_json() {
        return console.document(&json!({ "key": key, "deleted": "true" }));
    }
    console.say(&format!("Forgot [{}]: {}", printable(key), printable(&gone)))?;
    Ok(0)
}

fn unknown(key: &str) -> CliError {
    usage(&format!("nothing is remembered as `{key}`"), "gt bead memories lists what is")
}
