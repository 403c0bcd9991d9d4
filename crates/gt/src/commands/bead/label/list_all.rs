//! `gt bead label list-all`.

use clap::Args;
use gt_town::Error;
use serde_json::{Value, json};

use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// List all labels, and how many beads have each
#[derive(Debug, Args)]
pub struct ListAllArgs;

/// Runs `gt bead label list-all`.
pub fn list_all(_args: &ListAllArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let all = context.town.ledger.read(|view| view.labels().map_err(Error::from))?;
    if console.is_json() {
        let list: Vec<Value> = all.iter().map(|(label, count)| json!({ "label": label, "count": count })).collect();
        return console.document(&Value::from(list));
    }
    let mut table = Table::new(&["LABEL", "BEADS"]);
    for (label, count) in &all {
        table.row([label.clone(), count.to_string()]);
    }
    console.table(&table)?;
    Ok(0)
}
