//! `gt bead forget`.

use clap::Args;
use gt_town::town::memory;
use serde_json::json;

use super::recall::unknown;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Delete a memory
#[derive(Debug, Args)]
pub struct ForgetArgs {
    /// Its name
    key: String,
}

/// Runs `gt bead forget`.
pub fn forget(args: &ForgetArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let key = args.key.as_str();
    let gone = memory::forget(&context.town, &context.caller, key)?.ok_or_else(|| unknown(key))?;
    if console.is_json() {
        return console.document(&json!({ "key": key, "deleted": "true" }));
    }
    console.say(&format!("Forgot [{}]: {}", printable(key), printable(&gone)))?;
    Ok(0)
}
