//! `gt rig gates list`.

use clap::Args;

use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// List the gates
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The rig [default: the one you are in, or the only one]
    rig: Option<String>,
}

/// Runs `gt rig gates list`.
pub fn list(args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = context.rig(args.rig.as_deref())?;
    if console.is_json() {
        return console.facts("gt.gates/1", "gates", rig.settings.gate);
    }
    let mut table = Table::new(&["GATE", "TIMEOUT", "COMMAND"]);
    for gate in rig.settings.gate {
        table.row([gate.name, format!("{} s", gate.timeout_seconds), gate.run]);
    }
    console.table(&table)?;
    Ok(0)
}
