//! `gt bead config unset`.

use clap::Args;
use gt_town::sync::solo;
use serde_json::json;

use crate::commands::bead::words;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Remove a setting
#[derive(Debug, Args)]
pub struct UnsetArgs {
    /// Its key
    key: String,
}

/// Runs `gt bead config unset`.
pub fn unset(args: &UnsetArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let key = &args.key;
    solo::set(&context.town, &context.caller, key, None)?;
    if console.is_json() {
        return console.document(&json!({ "key": key, "status": "unset" }));
    }
    words::say(console, &format!("{key} is no longer set"), &format!("Unset {key}"))?;
    Ok(0)
}
