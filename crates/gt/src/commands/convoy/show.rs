//! `gt convoy show`.

use clap::Args;
use gt_town::work::convoy;

use super::one;
use super::state_words;
use super::status_words;
use crate::console::{Console, Table, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Show a convoy and its beads
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Its id
    id: String,
}

/// Runs `gt convoy show`.
pub fn show(args: &ShowArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let convoy = convoy::show(&context.town, &one(context, &args.id)?)?;
    if console.is_json() {
        return console.facts("gt.convoy/1", "convoy", convoy);
    }
    let state = state_words(convoy.state);
    console.line(&format!("{}  {}  ({state})", convoy.id, printable(&convoy.title)))?;
    let mut table = Table::new(&["BEAD", "STATUS", "TITLE"]);
    for member in convoy.members {
        table.row([member.id.0, status_words(&member.status, member.state), member.title]);
    }
    console.table(&table)?;
    Ok(0)
}
