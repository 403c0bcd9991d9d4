//! `gt crew list`.

use clap::Args;
use gt_town::patrol::standing;

use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;
use crate::words::{self, Worded};

/// List the workspaces
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only of this rig
    rig: Option<String>,
}

/// Runs `gt crew list`.
pub fn list(args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = args.rig.as_deref().map(|name| context.town.rig(name)).transpose()?;
    let mut crew = standing::all(&context.town)?;
    crew.retain(|status| status.agent.rig().is_some_and(|of| rig.as_ref().is_none_or(|rig| rig.name() == of)));
    if console.is_json() {
        return console.facts("gt.crew/1", "crew", crew.worded()?);
    }
    let mut table = Table::new(&["CREW", "AGENT", "FOLDER"]);
    for status in crew {
        table.row([status.agent.address.to_string(), words::agent(&status.doing), status.folder]);
    }
    console.table(&table)?;
    Ok(0)
}
