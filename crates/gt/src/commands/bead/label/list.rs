//! `gt bead label list`.

use clap::Args;
use serde_json::json;

use crate::commands::bead::found_bead;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// List a bead's labels
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The bead
    bead: String,
}

/// Runs `gt bead label list`.
pub fn list(args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let bead = found_bead(&args.bead, context)?;
    if console.is_json() {
        return console.document(&json!(bead.labels));
    }
    for label in &bead.labels {
        console.line(&printable(label))?;
    }
    Ok(0)
}
