//! `gt bead info`.

use clap::Args;
use gt_ledger::BeadFilter;
use gt_town::Error;
use gt_town::sync::solo;
use gt_town::work::beads;
use serde_json::{Value, json};

use super::place::prefix;
use super::version::LEVEL;
use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Show the ledger at a glance
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// Include its tables
    #[arg(long)]
    schema: bool,
}

/// Runs `gt bead info`.
pub fn info(args: &InfoArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let schema = args.schema.then(|| schema(context)).transpose()?;
    let path = context.town.ledger.path();
    let now = context.town.world().clock().now();
    let (prefix, numbers, config) = context
        .town
        .ledger
        .read(|view| Ok::<_, Error>((prefix(view, context)?, view.statistics(now)?, solo::settings(view)?)))?;
    if console.is_json() {
        let mut document = json!({
            "database_path": path,
            "mode": "direct",
            "issue_count": numbers.total,
            "issue_prefix": prefix,
            "config": config,
            "version": LEVEL,
            "gt_version": env!("CARGO_PKG_VERSION"),
        });
        if let Some(schema) = schema {
            document["schema"] = schema;
        }
        return console.document(&document);
    }
    console.line(&format!("ledger  {}\nprefix  {prefix}\nbeads   {}", path.display(), numbers.total))?;
    if let Some(schema) = schema {
        console.line(&format!("tables  version {}: {}", schema["schema_version"], schema["tables"]))?;
    }
    Ok(0)
}

/// Describes the ledger's tables.
pub fn schema(context: &Context<'_>) -> Result<Value, CliError> {
    let (version, tables) = context.town.ledger.tables()?;
    let (ids, prefix) = context.town.ledger.read(|view| {
        let some = view.beads(&BeadFilter { all: true, limit: Some(3), ..BeadFilter::default() })?;
        let prefix = beads::prefix_for(view, context.rig_here().as_deref(), &context.caller)?;
        Ok::<_, Error>((some.into_iter().map(|bead| bead.id).collect::<Vec<_>>(), prefix))
    })?;
    let detected = ids.first().map(|id| id.prefix().to_owned()).unwrap_or_default();
    Ok(json!({
        "tables": tables, "schema_version": version.to_string(), "config": { "issue_prefix": prefix },
        "sample_issue_ids": ids, "detected_prefix": detected,
    }))
}
