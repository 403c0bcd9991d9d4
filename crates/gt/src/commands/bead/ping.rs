//! `gt bead ping`.

use std::time::Duration;

use clap::Args;
use gt_ledger::BeadFilter;
use gt_town::Error;
use serde_json::json;

use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Check that the ledger can be read, and how fast
#[derive(Debug, Args)]
pub struct PingArgs;

/// Runs `gt bead ping`: the ledger is open already, so this sends it one query.
pub fn ping(_args: &PingArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let clock = context.town.world().clock();
    let begin = clock.now();
    context.town.ledger.read(|view| Ok::<_, Error>(view.count(&BeadFilter { all: true, ..BeadFilter::default() })?))?;
    let took = Duration::try_from(clock.now().duration_since(begin)).unwrap_or_default().as_millis();
    let took = u64::try_from(took).unwrap_or(u64::MAX);
    if console.is_json() {
        return console
            .document(&json!({ "status": "ok", "resolve_ms": 0, "store_ms": 0, "query_ms": took, "total_ms": took }));
    }
    console.line(&format!("bd ping: ok ({took} ms)"))?;
    Ok(0)
}
