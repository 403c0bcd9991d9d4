//! `gt bead query`.

use clap::Args;
use gt_ledger::BeadFilter;

use crate::commands::bead::filter;
use crate::commands::bead::found::{SortArgs, print_found, sorted};
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Find beads by a query: `status=open AND priority<=1 AND updated>7d`
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// The query
    #[arg(required = true)]
    words: Vec<String>,
    /// Also closed ones and tombstones, even if the query does not mention status
    #[arg(long, short)]
    all: bool,
    /// Show at most this many; 0: all
    #[arg(long, short = 'n', default_value_t = 50)]
    limit: u32,
    /// In which order.
    #[command(flatten)]
    sort: SortArgs,
}

/// Runs `gt bead query`.
pub fn query(args: &QueryArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let QueryArgs { words, all, limit, sort } = args;
    let limit = *limit;
    let query = filter::typed(&words.join(" "), context)?;
    let all = *all || filter::query_speaks_of_status(&query.expr);
    let filter =
        BeadFilter { all, query: Some(query), limit: Some(limit).filter(|limit| *limit > 0), ..BeadFilter::default() };
    let found = sorted(filter, *sort, context)?;
    print_found(found, limit, context, console)
}
