//! `gt agent list`.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;

use super::source;
use crate::console::{Console, Table, printable};
use crate::context::Context;
use crate::error::CliResult;

/// List the kinds of agent
#[derive(Debug, Args)]
pub struct ListArgs;

/// Runs `gt agent list`.
pub fn list(_args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let town = &context.town;
    let kinds: BTreeSet<&String> = town.settings.agents.keys().chain(town.outside.presets.keys()).collect();
    let mut rows = Vec::new();
    for kind in kinds {
        // Lists a kind that can't start too; showing it says why.
        let command = town.agent(kind).map(|preset| preset.command.join(" ")).unwrap_or_default();
        let of_town = town.settings.agent.as_deref() == Some(kind);
        rows.push((kind, source(context, kind), of_town, command));
    }
    if console.is_json() {
        let facts: Vec<_> = rows
            .iter()
            .map(|(kind, source, of_town, command)| {
                json!({ "kind": kind, "source": source, "of_town": of_town, "command": command })
            })
            .collect();
        return console.facts("gt.agents/1", "agents", facts);
    }
    let mut table = Table::new(&["KIND", "FROM", "TOWN'S", "COMMAND"]);
    for (kind, source, of_town, command) in rows {
        table.row([kind.as_str(), source, if of_town { "yes" } else { "" }, &printable(&command)]);
    }
    console.table(&table)?;
    Ok(0)
}
