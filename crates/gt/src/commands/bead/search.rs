//! `gt bead search`.

use clap::Args;
use gt_ledger::BeadFilter;
use gt_model::bead::Status;
use gt_town::Error;

use crate::commands::bead::filter::{self, OnlyArgs};
use crate::commands::bead::found::print_found;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Find beads by words in their texts
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// The words, or their beginnings
    #[arg(required_unless_present = "query")]
    words: Vec<String>,
    /// The words
    #[arg(long)]
    query: Option<String>,
    /// Filter of the beads.
    #[command(flatten)]
    only: OnlyArgs,
    /// Show at most this many; 0: all
    #[arg(long, short = 'n', default_value_t = 50)]
    limit: u32,
}

/// Runs `gt bead search`.
pub fn search(args: &SearchArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let SearchArgs { words, query, only, limit } = args;
    let (text, limit) = (words.iter().chain(query).cloned().collect::<Vec<_>>().join(" "), *limit);
    let mut asked = filter::conditions(only, context)?;
    if only.issue_type.is_empty() {
        asked.no_infra();
    }
    let filter = filter::filter(only, asked, limit.saturating_add(u32::from(limit > 0)), context)?;
    // As in `bd`, a search also finds closed beads. It finds deleted ones only on request.
    let filter = BeadFilter { all: true, ..filter };
    let mut found = context.town.ledger.read(|view| view.search(&text, &filter).map_err(Error::from))?;
    if !filter::speaks_of_status(only) {
        found.retain(|bead| bead.status != Status::Tombstone);
    }
    print_found(found, limit, context, console)
}
