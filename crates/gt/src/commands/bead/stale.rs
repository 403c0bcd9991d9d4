//! `gt bead stale`.

use clap::Args;
use gt_ledger::BeadFilter;
use gt_town::Error;

use crate::commands::bead::found::print_beads;
use crate::commands::bead::typed;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// List beads that have not changed for a long time
#[derive(Debug, Args)]
pub struct StaleArgs {
    /// For this many days, at least one
    #[arg(long, short, default_value_t = 30, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    days: u32,
    /// Only with this status
    #[arg(long, short)]
    status: Option<String>,
    /// Show at most this many; 0: all
    #[arg(long, short = 'n', default_value_t = 50)]
    limit: u32,
}

/// Runs `gt bead stale`.
pub fn stale(args: &StaleArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let StaleArgs { days, status, limit } = args;
    let now = context.town.world().clock().now();
    let before = now.checked_sub(jiff::SignedDuration::from_hours(24 * i64::from(*days))).unwrap_or(now);
    let filter = BeadFilter {
        status: status.as_ref().map(|word| typed::status(word, context)).transpose()?,
        limit: Some(*limit).filter(|limit| *limit > 0),
        ..BeadFilter::default()
    };
    let found = context.town.ledger.read(|view| view.stale(before, &filter).map_err(Error::from))?;
    print_beads(found, context, console)
}
