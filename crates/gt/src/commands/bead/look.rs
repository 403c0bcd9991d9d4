//! Verbs that show beads and change nothing.

use gt_ledger::{BeadFilter, BeadOrder, ReadyFilter, ReadyOrder};
use gt_model::bead::{Bead, BeadType, Status};
use gt_model::query::{Expr, Field, Op, Test, Value as Asked};
use gt_town::Error;
use gt_town::work::beads;
use serde_json::json;

use super::change;
use super::filter;
use super::prefix_of;
use super::shapes;
use super::typed;
use super::words;
use crate::cli::{CountBy, ListArgs, OnlyArgs, ReadyArgs, ReadySort, SortArg, SortArgs};
use crate::console::{Console, Table, printable, printable_lines};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Runs `list`.
pub fn list(args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let mut asked = filter::conditions(&args.only, context)?;
    if !args.all && !args.include_infra && args.only.issue_type.is_empty() && args.only.id.is_empty() {
        asked.no_infra();
    }
    if !args.include_templates && !args.all {
        asked.flag(Field::Template, false);
    }
    if args.pinned {
        asked.flag(Field::Pinned, true);
    }
    if args.ready {
        asked.flag(Field::Ready, true);
    }
    if args.deferred {
        let put_off = Test { field: Field::Deferred, op: Op::IsNot, value: Asked::Nothing };
        let status = Test { field: Field::Status, op: Op::Is, value: Asked::Texts(vec!["deferred".to_owned()]) };
        asked.any(vec![Expr::Test(put_off), Expr::Test(status)]);
    }
    let mut filter = filter::filter(&args.only, asked, args.limit, context)?;
    filter.all |= args.all;
    let found = sorted(filter, args.sort, context)?;
    print_found(found, args.limit, context, console)
}

/// Returns beads in the requested order, one more than the limit where there are more.
fn sorted(filter: BeadFilter, sort: SortArgs, context: &Context<'_>) -> Result<Vec<Bead>, CliError> {
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
fn print_found(mut found: Vec<Bead>, limit: u32, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
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

fn table(found: &[Bead]) -> Table {
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

/// Runs `ready`.
pub fn ready(args: &ReadyArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    if args.explain {
        return explain(args, context, console);
    }
    let now = context.town.world().clock().now();
    let asked = filter::conditions(&args.only, context)?;
    let wanted = ReadyFilter {
        filter: filter::filter(&args.only, asked, args.limit.saturating_add(u32::from(args.limit > 0)), context)?,
        order: match args.sort {
            ReadySort::Priority => ReadyOrder::Priority,
            ReadySort::Oldest => ReadyOrder::Oldest,
            ReadySort::Hybrid => ReadyOrder::Hybrid,
        },
        epics: args.only.issue_type.iter().any(|word| word == BeadType::Epic.as_str()),
    };
    let found = context.town.ledger.read(|view| view.ready_by(now, &wanted).map_err(Error::from))?;
    if args.claim {
        return change::claim_first(&found, context, console);
    }
    print_found(found, args.limit, context, console)
}

/// Runs `ready --explain`: prints which beads are ready and which are not, and why.
fn explain(args: &ReadyArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let now = context.town.world().clock().now();
    let asked = filter::conditions(&args.only, context)?;
    let filter = filter::filter(&args.only, asked, 0, context)?;
    let wanted = ReadyFilter { filter: filter.clone(), order: ReadyOrder::Priority, epics: true };
    let (ready, blocked, cycles) = context.town.ledger.read(|view| {
        let ready = view.ready_by(now, &wanted)?;
        let ready = ready.into_iter().map(|bead| Ok((shapes::ready(view, &bead)?, bead)));
        let blocked = view.blocked(&filter)?.into_iter().map(|bead| {
            let ids: Vec<_> = view.blockers(&bead.id)?.into_iter().map(|blocker| blocker.id).collect();
            Ok((view.beads_with(&ids)?, bead))
        });
        let (ready, blocked) = (ready.collect::<Result<Vec<_>, Error>>()?, blocked.collect::<Result<Vec<_>, Error>>()?);
        Ok::<_, Error>((ready, blocked, view.cycles()?))
    })?;
    if console.is_json() {
        let ready_shapes: Vec<&str> = ready.iter().map(|(shape, _)| shape.as_str()).collect();
        let blocked_shapes: Vec<String> = blocked.iter().map(|(by, bead)| shapes::held_back(bead, by)).collect();
        let counts = json!({ "total_ready": ready.len(), "total_blocked": blocked.len(), "cycle_count": cycles.len() });
        let document = format!(
            "{{\"ready\":[{}],\"blocked\":[{}],\"cycles\":{},\"summary\":{counts}}}",
            ready_shapes.join(","),
            blocked_shapes.join(","),
            json!(cycles)
        );
        return shapes::print(&document, console);
    }
    for (_, bead) in &ready {
        let over = bead.dependencies.iter().filter(|dep| shapes::holds_back(&dep.kind)).count();
        let why = if over == 0 {
            "waits for nothing".to_owned()
        } else {
            format!("all {over} that it waited for are closed")
        };
        let (id, title) = (printable(bead.id.as_str()), printable(&bead.title));
        console.line(&format!("ready    {id}  {title}: {why}"))?;
    }
    for (by, bead) in &blocked {
        let (id, title) = (printable(bead.id.as_str()), printable(&bead.title));
        let by: Vec<String> = by.iter().map(|bead| printable(&format!("{} ({})", bead.id, bead.status))).collect();
        console.line(&format!("blocked  {id}  {title}: waits for {}", by.join(", ")))?;
    }
    for cycle in &cycles {
        let way: Vec<&str> = cycle.iter().map(|id| id.as_str()).collect();
        console.line(&printable(&format!("circle   {}", way.join(" -> "))))?;
    }
    console.say(&format!("{} ready, {} blocked", ready.len(), blocked.len()))?;
    Ok(0)
}

/// Runs `blocked`.
pub fn blocked(
    parent: Option<String>,
    rig: Option<&str>,
    limit: u32,
    context: &Context<'_>,
    console: &mut Console<'_>,
) -> CliResult {
    let only = OnlyArgs { parent, ..OnlyArgs::default() };
    let asked = filter::conditions(&only, context)?;
    let filter = BeadFilter { prefix: prefix_of(context, rig)?, ..filter::filter(&only, asked, limit, context)? };
    let found = context.town.ledger.read(|view| view.blocked(&filter).map_err(Error::from))?;
    if console.is_json() {
        let shapes = context.town.ledger.read(|view| shapes::blocked(view, found))?;
        return shapes::print_array(&shapes, console);
    }
    let mut table = Table::new(&["BEAD", "P", "TITLE", "WAITS FOR"]);
    for bead in &found {
        let by = context.town.ledger.read(|view| view.blockers(&bead.id).map_err(Error::from))?;
        let by: Vec<String> = by.into_iter().map(|blocker| blocker.id.0).collect();
        table.row([bead.id.0.clone(), bead.priority.to_string(), bead.title.clone(), by.join(", ")]);
    }
    console.table(&table)?;
    Ok(0)
}

/// Runs `search`.
pub fn search(text: &str, only: &OnlyArgs, limit: u32, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let mut asked = filter::conditions(only, context)?;
    if only.issue_type.is_empty() {
        asked.no_infra();
    }
    let filter = filter::filter(only, asked, limit.saturating_add(u32::from(limit > 0)), context)?;
    // As in `bd`, a search also finds closed beads. It finds deleted ones only on request.
    let filter = BeadFilter { all: true, ..filter };
    let mut found = context.town.ledger.read(|view| view.search(text, &filter).map_err(Error::from))?;
    if !filter::speaks_of_status(only) {
        found.retain(|bead| bead.status != Status::Tombstone);
    }
    print_found(found, limit, context, console)
}

/// Runs `query`.
pub fn query(
    text: &str,
    all: bool,
    limit: u32,
    sort: SortArgs,
    context: &Context<'_>,
    console: &mut Console<'_>,
) -> CliResult {
    let query = filter::typed(text, context)?;
    let all = all || filter::query_speaks_of_status(&query.expr);
    let filter =
        BeadFilter { all, query: Some(query), limit: Some(limit).filter(|limit| *limit > 0), ..BeadFilter::default() };
    let found = sorted(filter, sort, context)?;
    print_found(found, limit, context, console)
}

/// Runs `stale`.
pub fn stale(
    days: u32,
    status: Option<String>,
    limit: u32,
    context: &Context<'_>,
    console: &mut Console<'_>,
) -> CliResult {
    let now = context.town.world().clock().now();
    let before = now.checked_sub(jiff::SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(now);
    let filter = BeadFilter {
        status: status.map(|word| typed::status(&word, context)).transpose()?,
        limit: Some(limit).filter(|limit| *limit > 0),
        ..BeadFilter::default()
    };
    let found = context.town.ledger.read(|view| view.stale(before, &filter).map_err(Error::from))?;
    print_beads(found, context, console)
}

/// Runs `count`.
pub fn count(only: &OnlyArgs, by: CountBy, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
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
        console.line(&format!("{}: {count}", printable(if group.is_empty() { "(nobody)" } else { &group })))?;
    }
    Ok(0)
}

/// Runs `status`, or `stats`.
pub fn statistics(context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
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

/// Returns the beads to show. `bd` treats a deleted bead as missing, and shows the others all the same.
fn shown(
    texts: &[String],
    context: &Context<'_>,
    console: &mut Console<'_>,
) -> Result<(Vec<Bead>, Option<CliError>), CliError> {
    let as_bd = console.is_bd();
    let one = |text: &String| {
        context.town.ledger.read(|view| {
            let bead = beads::require(view, &beads::resolve(view, text)?)?;
            let is_gone = as_bd && bead.status == Status::Tombstone;
            if is_gone {
                Err(Error::UnknownBead(format!("{text}` (deleted; `bd reopen {} brings it back)", bead.id)))
            } else {
                Ok(bead)
            }
        })
    };
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    for text in texts {
        match one(text) {
            Ok(bead) => found.push(bead),
            Err(error) => refused.push(CliError::from(error)),
        }
    }
    if !as_bd && !refused.is_empty() {
        return Err(refused.remove(0));
    }
    let last = if found.is_empty() { refused.pop() } else { None };
    for error in refused {
        console.refusal(&words::failure(error));
    }
    Ok((found, last))
}

/// Runs `show`.
pub fn show(ids: &[String], short: bool, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (found, none) = shown(ids, context, console)?;
    if let Some(error) = none {
        return Err(error);
    }
    if console.is_json() {
        let shapes = context
            .town
            .ledger
            .read(|view| found.iter().map(|bead| shapes::detailed(view, bead)).collect::<Result<Vec<_>, Error>>())?;
        return shapes::print_array(&shapes, console);
    }
    if short {
        console.table(&table(&found))?;
        return Ok(0);
    }
    for bead in &found {
        say_bead(bead, console)?;
    }
    Ok(0)
}

/// Prints the kind and state of a bead in a line; as `bd`, in lines that scripts look for.
fn say_kind(bead: &Bead, console: &mut Console<'_>) -> Result<(), CliError> {
    let (status, kind) = (printable(bead.status.as_str()), printable(bead.issue_type.as_str()));
    let holder = bead.assignee.as_deref().map(printable);
    if !console.is_bd() {
        let holder = holder.map(|holder| format!(", held by {holder}")).unwrap_or_default();
        return console.line(&format!("{status} {kind} of priority {}{holder}", bead.priority));
    }
    console.line(&format!("Status: {status}\nPriority: P{}\nType: {kind}", bead.priority))?;
    if let Some(holder) = holder {
        console.line(&format!("Assignee: {holder}"))?;
    }
    Ok(())
}

fn say_bead(bead: &Bead, console: &mut Console<'_>) -> Result<(), CliError> {
    console.line(&format!("{}  {}", printable(bead.id.as_str()), printable(&bead.title)))?;
    say_kind(bead, console)?;
    if let Some(until) = &bead.defer_until {
        console.line(&format!("put off until {}", printable(&until.text)))?;
    }
    if !bead.labels.is_empty() {
        console.line(&format!("labels: {}", printable(&bead.labels.join(", "))))?;
    }
    if let Some(reason) = &bead.close_reason {
        console.line(&format!("closed: {}", printable(reason)))?;
    }
    for (name, text) in [
        ("description", &bead.description),
        ("design", &bead.design),
        ("acceptance criteria", &bead.acceptance_criteria),
        ("notes", &bead.notes),
    ] {
        if !text.is_empty() {
            console.line(&format!("\n{name}:\n{}", printable_lines(text)))?;
        }
    }
    if console.is_bd() && !bead.dependencies.is_empty() {
        console.line(&format!("\nDependencies ({}):", bead.dependencies.len()))?;
    }
    for dep in &bead.dependencies {
        console.line(&printable(&format!("{} {}", dep.kind, dep.depends_on_id)))?;
    }
    for comment in &bead.comments {
        let (author, at) = (printable(&comment.author), printable(&comment.created_at));
        console.line(&format!("{author} ({at}): {}", printable_lines(&comment.text)))?;
    }
    Ok(())
}
