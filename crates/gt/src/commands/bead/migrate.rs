//! `gt bead migrate`.

use clap::Args;
use gt_ledger::BeadFilter;
use gt_town::Error;
use serde_json::json;

use super::info::schema;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Show the state of the ledger; opening an older one updates it
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Show more, for agents
    #[arg(long)]
    inspect: bool,
    #[arg(long, hide = true)]
    dry_run: bool,
    #[arg(long, hide = true)]
    yes: bool,
}

/// Runs `gt bead migrate`.
pub fn migrate(_args: &MigrateArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let schema = schema(context)?;
    let count = context
        .town
        .ledger
        .read(|view| Ok::<_, Error>(view.count(&BeadFilter { all: true, ..BeadFilter::default() })?))?;
    if console.is_json() {
        return console.document(&json!({
            "registered_migrations": [],
            "current_state": {
                "schema_version": schema["schema_version"], "issue_count": count, "config": schema["config"],
                "missing_config": [], "db_exists": true,
            },
            "warnings": [],
            "invariants_to_check": [],
        }));
    }
    let version = schema["schema_version"].as_str().unwrap_or_default().to_owned();
    console
        .line(&format!("there is nothing to migrate: opening a ledger updates it (schema {version}, {count} beads)"))?;
    Ok(0)
}
