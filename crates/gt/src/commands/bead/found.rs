//! Sorts and prints the beads that a verb found.

use clap::{Args, ValueEnum};
use gt_ledger::{BeadFilter, BeadOrder};
use gt_model::bead::Bead;
use gt_town::Error;

use super::shapes;
use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Order in which beads are listed.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct SortArgs {
    /// Sort in this order
    #[arg(long, value_enum)]
    sort: Option<SortArg>,
    /// Reverse the order
    #[arg(long, short)]
    reverse: bool,
}

/// Order of beads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SortArg {
    /// By priority, then age.
    Priority,
    /// The newest first.
    Created,
    /// The last changed first.
    Updated,
    /// The last closed first.
    Closed,
    /// By id.
    Id,
    /// By title.
    Title,
    /// By status.
    Status,
    /// By type.
    Type,
    /// By assignee.
    Assignee,
}

/// Returns beads in the requested order, one more than the limit where there are more.
pub fn sorted(filter: BeadFilter, sort: SortArgs, context: &Context<'_>) -> Result<Vec<Bead>, CliError> {
    let order = match sort.sort {
        Some(SortArg::Created) => BeadOrder::Created,
        Some(SortArg::Updated) => BeadOrder::Updated,
        Some(SortArg::Closed) => BeadOrder::Closed,
        Some(SortArg::Id) => BeadOrder::Id,
        _ => BeadOrder::Priority,
    };
    let by_hand = matches!(sort.sort, Some(SortArg::Title | SortArg::Status | SortArg::Type | SortArg::Assignee));
    let cut = filter.limit.map(|limit| limit.saturating_add(1));
    // SQLite can't apply some orders, nor a reversed one: read all beads for these.
    let limit = if by_hand || sort.reverse { None } else { cut };
    let filter = BeadFilter { order, limit, ..filter };
    let mut found = context.town.ledger.read(|view| view.beads(&filter).map_err(Error::from))?;
    match sort.sort {
        Some(SortArg::Title) => found.sort_by_key(|bead| bead.title.to_lowercase()),
        Some(SortArg::Status) => found.sort_by(|a, b| a.status.as_str().cmp(b.status.as_str())),
        Some(SortArg::Type) => found.sort_by(|a, b| a.issue_type.as_str().cmp(b.issue_type.as_str())),
        Some(SortArg::Assignee) => found.sort_by(|a, b| a.assignee.cmp(&b.assignee)),
        _ => {}
    }
    if sort.reverse {
        found.reverse();
    }
    found.truncate(cut.map_or(usize::MAX, |cut| cut as usize));
    Ok(found)
}

/// Prints the beads found, up to the limit, and says whether there are more.
pub fn print_found(mut found: Vec<Bead>, limit: u32, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let has_more = limit > 0 && found.len() > limit as usize;
    if has_more {
        found.truncate(limit as usize);
    }
    print_beads(found, context, console)?;
    if has_more {
        console.note(&format!("there are more than these {limit}; --limit 0 shows all"))?;
    }
    Ok(0)
}

/// Prints beads with their counts, or as a table.
pub fn print_beads(found: Vec<Bead>, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        let shapes = context.town.ledger.read(|view| shapes::counted(view, found))?;
        return shapes::print_array(&shapes, console);
    }
    console.table(&table(&found))?;
    Ok(0)
}

/// Returns a table of beads.
pub fn table(found: &[Bead]) -> Table {
    let mut table = Table::new(&["BEAD", "P", "TYPE", "STATUS", "HOLDER", "TITLE"]);
    for bead in found {
        table.row([
            bead.id.0.clone(),
            bead.priority.to_string(),
            bead.issue_type.to_string(),
            bead.status.to_string(),
            bead.assignee.clone().unwrap_or_default(),
            bead.title.clone(),
        ]);
    }
    table
}
