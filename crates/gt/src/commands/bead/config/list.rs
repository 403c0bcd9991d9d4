//! `gt bead config list`.

use clap::Args;
use gt_town::sync::solo;
use serde_json::json;

use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// List all settings
#[derive(Debug, Args)]
pub struct ListArgs;

/// Runs `gt bead config list`.
pub fn list(_args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let all = context.town.ledger.read(solo::settings)?;
    if console.is_json() {
        return console.document(&json!(all));
    }
    for (key, value) in all {
        console.line(&format!("{} = {}", printable(&key), printable(&value)))?;
    }
    Ok(0)
}
