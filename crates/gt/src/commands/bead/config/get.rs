//! `gt bead config get`.

use clap::Args;
use gt_town::sync::solo;
use serde_json::json;

use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Print a setting
#[derive(Debug, Args)]
pub struct GetArgs {
    /// Its key
    key: String,
}

/// Runs `gt bead config get`.
pub fn get(args: &GetArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let key = &args.key;
    let all = context.town.ledger.read(solo::settings)?;
    let value = all.get(key);
    if console.is_json() {
        return console.document(&json!({ "key": key, "value": value.cloned().unwrap_or_default() }));
    }
    match value {
        Some(value) => console.line(&printable(value))?,
        None => console.line(&format!("{} (not set)", printable(key)))?,
    }
    Ok(0)
}
