//! `gt polecat list`.

use clap::Args;
use gt_town::view::polecat::{self, Polecat};

use super::state;
use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;
use crate::words::Worded;

/// List workers
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Also list ended ones
    #[arg(long)]
    all: bool,
}

/// Runs `gt polecat list`.
pub fn list(args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let polecats = polecat::list(&context.town, args.all)?;
    if console.is_json() {
        return console.facts("gt.polecats/1", "polecats", polecats.worded()?);
    }
    let mut table = Table::new(&["WORKER", "BEAD", "TRY", "STATE", "BRANCH", "ARCHIVE", "SNAPSHOT"]);
    for polecat in &polecats {
        table.row([
            polecat.worker.clone(),
            polecat.bead.0.clone(),
            polecat.attempt.to_string(),
            state(polecat),
            polecat.branch.clone(),
            in_town(context, polecat),
            polecat.snapshot.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    console.table(&table)?;
    Ok(0)
}

fn in_town(context: &Context<'_>, polecat: &Polecat) -> String {
    let Some(path) = &polecat.archive else { return "-".to_owned() };
    path.strip_prefix(&context.town.layout.root).unwrap_or(path).display().to_string()
}
