//! `gt bead config set`.

use clap::Args;
use gt_town::sync::solo;
use serde_json::json;

use crate::commands::bead::words;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Change a setting
#[derive(Debug, Args)]
pub struct SetArgs {
    /// Its key
    key: String,
    /// Its value
    value: String,
}

/// Runs `gt bead config set`.
pub fn set(args: &SetArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let SetArgs { key, value } = args;
    solo::set(&context.town, &context.caller, key, Some(value))?;
    if console.is_json() {
        return console.document(&json!({ "key": key, "value": value }));
    }
    let said = format!("{key} = {}", printable(value));
    words::say(console, &said, &format!("Set {said}"))?;
    Ok(0)
}
