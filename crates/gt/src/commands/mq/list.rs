//! `gt mq list`.

use clap::Args;

use super::item_text;
use super::items;
use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// List merge requests
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only of this rig
    #[arg(long)]
    rig: Option<String>,
    /// Also list those that have ended
    #[arg(long)]
    all: bool,
}

/// Runs `gt mq list`.
pub fn list(args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let items = items(context, args.rig.as_deref(), args.all)?;
    if console.is_json() {
        return console.facts("gt.queue/1", "merge_requests", items);
    }
    let mut table = Table::new(&["MERGE REQUEST", "BEAD", "RIG", "STATUS", "HEAD"]);
    for item in items {
        let head = item.mr.head.short().to_owned();
        let status = item_text(&item);
        table.row([item.mr.id.0, item.mr.bead.0, item.mr.rig.to_string(), status, head]);
    }
    console.table(&table)?;
    Ok(0)
}
