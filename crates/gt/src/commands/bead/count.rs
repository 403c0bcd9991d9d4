//! `gt bead count`.

use clap::Args;
use gt_ledger::BeadFilter;
use gt_model::bead::Status;
use gt_model::query::{Expr, Field, Op, Test, Value as Asked};
use gt_town::Error;
use serde_json::json;

use crate::commands::bead::filter::{self, OnlyArgs};
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Count beads
#[derive(Debug, Args)]
pub struct CountArgs {
    /// Filter of the beads.
    #[command(flatten)]
    only: OnlyArgs,
    /// Groups.
    #[command(flatten)]
    by: CountBy,
}

/// Property by which beads are grouped.
#[derive(Clone, Copy, Debug, Args)]
#[group(multiple = false)]
struct CountBy {
    /// Group by status
    #[arg(long)]
    by_status: bool,
    /// Group by priority
    #[arg(long)]
    by_priority: bool,
    /// Group by type
    #[arg(long)]
    by_type: bool,
    /// Group by assignee
    #[arg(long)]
    by_assignee: bool,
    /// Group by label
    #[arg(long)]
    by_label: bool,
}

/// Runs `gt bead count`.
pub fn count(args: &CountArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let CountArgs { only, by } = args;
    let mut asked = filter::conditions(only, context)?;
    if only.status.is_empty() {
        let tombstone = Asked::Texts(vec![Status::Tombstone.as_str().to_owned()]);
        asked.any(vec![Expr::Test(Test { field: Field::Status, op: Op::IsNot, value: tombstone })]);
    }
    let filter = BeadFilter { all: true, ..filter::filter(only, asked, 0, context)? };
    let ways = [
        (by.by_status, "status"),
        (by.by_priority, "priority"),
        (by.by_type, "type"),
        (by.by_assignee, "assignee"),
        (by.by_label, "label"),
    ];
    let way = ways.iter().find(|(wanted, _)| *wanted).map(|(_, way)| *way);
    let (total, groups) = context.town.ledger.read(|view| {
        let groups = way.map(|way| view.count_by(way, &filter)).transpose()?.flatten();
        Ok::<_, Error>((view.count(&filter)?, groups))
    })?;
    if console.is_json() {
        let list = |groups: std::collections::BTreeMap<String, u64>| {
            groups.into_iter().map(|(group, count)| json!({ "group": group, "count": count })).collect::<Vec<_>>()
        };
        return console.document(&match groups {
            None => json!({ "count": total }),
            Some(groups) => json!({ "total": total, "groups": list(groups) }),
        });
    }
    console.line(&total.to_string())?;
    for (group, count) in groups.into_iter().flatten() {
        console.line(&format!("{}: {count}", printable(if group.is_empty() { "(none)" } else { &group })))?;
    }
    Ok(0)
}
