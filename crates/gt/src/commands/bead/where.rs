//! `gt bead where`.

use clap::Args;
use serde_json::json;

use super::place::prefix;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Print where the ledger is
#[derive(Debug, Args)]
pub struct WhereArgs;

/// Runs `gt bead where`.
pub fn r#where(_args: &WhereArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let path = context.town.ledger.path();
    let prefix = context.town.ledger.read(|view| prefix(view, context))?;
    if console.is_json() {
        let folder = path.parent();
        return console.document(&json!({ "path": folder, "database_path": path, "prefix": prefix }));
    }
    console.line(&format!("{}\nprefix {prefix}", path.display()))?;
    Ok(0)
}
