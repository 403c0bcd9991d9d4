//! `gt bead status`.

use clap::Args;
use gt_model::bead::Status;
use gt_town::Error;
use serde_json::json;

use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Show how many beads there are, by status
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Accepted and ignored.
    #[command(flatten)]
    ignored: Ignored,
}

/// Flags of the Go `bd` that change nothing here, where all of it is quick.
#[derive(Debug, Args)]
struct Ignored {
    #[arg(long, hide = true)]
    all: bool,
    #[arg(long, hide = true)]
    no_activity: bool,
    #[arg(long, hide = true)]
    no_blocked: bool,
}

/// Runs `gt bead status`.
pub fn status(_args: &StatusArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let now = context.town.world().clock().now();
    let numbers = context.town.ledger.read(|view| view.statistics(now).map_err(Error::from))?;
    let of = |status: Status| numbers.by_status.get(status.as_str()).copied().unwrap_or_default();
    let rows = [
        ("total_issues", numbers.total),
        ("open_issues", of(Status::Open)),
        ("in_progress_issues", of(Status::InProgress)),
        ("closed_issues", of(Status::Closed)),
        ("blocked_issues", numbers.blocked),
        ("deferred_issues", of(Status::Deferred)),
        ("ready_issues", numbers.ready),
        ("tombstone_issues", of(Status::Tombstone)),
        ("pinned_issues", numbers.pinned),
        ("epics_eligible_for_closure", numbers.epics_to_close),
    ];
    if console.is_json() {
        let mut summary: serde_json::Map<_, _> =
            rows.iter().map(|(key, count)| ((*key).to_owned(), (*count).into())).collect();
        summary.insert("average_lead_time_hours".to_owned(), numbers.lead_time_hours.into());
        return console.document(&json!({ "summary": summary }));
    }
    if console.is_bd() {
        return bd_statistics(&rows, console);
    }
    for (key, count) in rows {
        let name = key.trim_end_matches("_issues").replace('_', " ");
        console.line(&format!("{name:<27} {count}"))?;
    }
    Ok(0)
}

/// Prints the numbers under the names that `bd` gives them.
fn bd_statistics(rows: &[(&str, u64)], console: &mut Console<'_>) -> CliResult {
    const NAMES: [(&str, &str); 6] = [
        ("total_issues", "Total Issues"),
        ("open_issues", "Open"),
        ("in_progress_issues", "In Progress"),
        ("blocked_issues", "Blocked"),
        ("closed_issues", "Closed"),
        ("ready_issues", "Ready to Work"),
    ];
    for (key, name) in NAMES {
        let count = rows.iter().find(|(found, _)| *found == key).map_or(0, |(_, count)| *count);
        console.line(&format!("{:<15} {count}", format!("{name}:")))?;
    }
    Ok(0)
}
