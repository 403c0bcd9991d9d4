//! Verbs for what the town keeps of finished work: polecats, snapshots, retention.

use gt_ledger::AttemptOutcome;
use gt_model::retention::{Reason, Standing};
use gt_town::Error;
use gt_town::keep::retention::{self, How, Report, size_text};
use gt_town::view::polecat::{self, Polecat, PolecatDetail};
use gt_town::work::{beads, snapshots};
use gt_world::Change;

use crate::cli::{PolecatVerb, RetentionVerb, SnapshotVerb};
use crate::console::{Console, Table, printable, printable_lines, time_text};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Runs `gt polecat …`.
pub fn polecat(verb: PolecatVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        PolecatVerb::List { all } => list(context, all, console),
        PolecatVerb::Show { which } => show(context, &which, console),
        PolecatVerb::Nuke { which, yes, dry_run } => nuke(context, &which, yes, dry_run, console),
        PolecatVerb::Recover { bead, agent } => recover(context, &bead, agent, console),
    }
}

fn list(context: &Context<'_>, all: bool, console: &mut Console<'_>) -> CliResult {
    let polecats = polecat::list(&context.town, all)?;
    if console.is_json() {
        return console.facts("gt.polecats/1", "polecats", polecats);
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

fn state(polecat: &Polecat) -> String {
    let outcome = polecat.outcome.map(AttemptOutcome::as_str);
    polecat.doing.as_deref().or(outcome).unwrap_or("over").to_owned()
}

fn in_town(context: &Context<'_>, polecat: &Polecat) -> String {
    let Some(path) = &polecat.archive else { return "-".to_owned() };
    path.strip_prefix(&context.town.layout.root).unwrap_or(path).display().to_string()
}

/// Runs `gt polecat show`, and `gt why` for a worker.
pub fn show(context: &Context<'_>, which: &str, console: &mut Console<'_>) -> CliResult {
    let found = polecat::show(&context.town, which)?;
    if console.is_json() {
        return console.facts("gt.polecat/1", "polecats", found);
    }
    for detail in &found {
        say_polecat(detail, console)?;
    }
    if found.last().is_some_and(|newest| newest.polecat.ended_at.is_some()) {
        let bead = &found[found.len() - 1].polecat.bead;
        console.line(&format!("to go on from its work: gt polecat recover {bead}"))?;
    }
    Ok(0)
}

fn say_polecat(detail: &PolecatDetail, console: &mut Console<'_>) -> Result<(), CliError> {
    let polecat = &detail.polecat;
    let heading = format!("{} on {} (attempt {}): {}", polecat.worker, polecat.bead, polecat.attempt, state(polecat));
    console.line(&printable(&heading))?;
    let ended = polecat.ended_at.map(|at| format!(", ended {}", time_text(at))).unwrap_or_default();
    console.line(&format!("  began {}{ended}", time_text(polecat.opened_at)))?;
    let at = polecat.branch_at.as_ref().map_or("gone".to_owned(), |at| format!("at {}", at.short()));
    console.line(&format!("  branch {} ({at})", polecat.branch))?;
    if let Some(archive) = &polecat.archive {
        console.line(&format!("  files in {}", archive.display()))?;
    }
    if let Some(snapshot) = &polecat.snapshot {
        console.line(&format!("  snapshot {snapshot}"))?;
    }
    for incarnation in &detail.incarnations {
        let end = incarnation.exit.as_ref().map_or("not over", |exit| exit.reason.as_str());
        let end = incarnation.cause.as_deref().unwrap_or(end);
        console.line(&format!("  session {}: {}", incarnation.id, printable(end)))?;
    }
    if !detail.cost.is_nothing() {
        console.line(&format!("  took so far: {}", printable(&detail.cost.words())))?;
    }
    if let Some(witness) = &detail.witness {
        console.line(&format!("  verdict: {}", printable(&witness.words)))?;
        for fact in &witness.facts {
            console.line(&format!("    {}", printable(fact)))?;
        }
    }
    Ok(())
}

fn nuke(context: &Context<'_>, which: &str, yes: bool, dry_run: bool, console: &mut Console<'_>) -> CliResult {
    let attempt = polecat::nuke(&context.town, &context.caller, which, true)?;
    if !dry_run && !yes {
        let what = format!("this takes {} down, which works on {}", attempt.address(), attempt.bead);
        return Err(Error::refused(what, format!("its work is kept; gt polecat nuke {which} --yes does it")).into());
    }
    if !dry_run {
        polecat::nuke(&context.town, &context.caller, which, false)?;
    }
    if console.is_json() {
        return console.facts("gt.polecat-nuked/1", "attempt", attempt);
    }
    let word = if dry_run { "would be taken down" } else { "is taken down" };
    console.say(&format!("{} {word}; {} is free again", attempt.address(), attempt.bead))?;
    let snapshot = format!("{}{}-{}", snapshots::SNAPSHOTS, attempt.slug(), attempt.number);
    console.say(&format!("its work is kept in {snapshot} and in {}/.archive", attempt.rig))?;
    console
        .say(&format!("to look at it: gt snapshot show {0}; to go on from it: gt polecat recover {0}", attempt.bead))?;
    Ok(0)
}

fn recover(context: &Context<'_>, bead: &str, agent: Option<String>, console: &mut Console<'_>) -> CliResult {
    let bead = context.town.ledger.read(|view| beads::resolve(view, bead))?;
    let recovered = polecat::recover(&context.town, &context.caller, &bead, agent)?;
    if console.is_json() {
        return console.facts("gt.recovered/1", "recovered", recovered);
    }
    for attempt in &recovered.slung.attempts {
        console.say(&format!("{} -> {} (attempt {})", attempt.bead, attempt.address(), attempt.number))?;
    }
    let files = if recovered.uncommitted { ", with the files that were not committed" } else { "" };
    console.say(&format!("it goes on from attempt {} at {}{files}", recovered.from, recovered.head.short()))?;
    if !context.town.deacon_runs()? {
        console.say("queued: no deacon runs; gt up starts it")?;
    }
    Ok(0)
}

/// Runs `gt snapshot …`.
pub fn snapshot(verb: SnapshotVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        SnapshotVerb::List { bead } => list_snapshots(context, bead.as_deref(), console),
        SnapshotVerb::Show { which } => show_snapshot(context, &which, console),
        SnapshotVerb::Diff { which, stat, uncommitted } => {
            let text = snapshots::diff(&context.town, &which, uncommitted, stat)?;
            if console.is_json() {
                return console.facts("gt.snapshot-diff/1", "diff", text);
            }
            console.line(printable_lines(&text).trim_end_matches('\n'))?;
            Ok(0)
        }
        SnapshotVerb::Restore { which, to } => {
            let to = context.process.cwd.join(to);
            let (found, to) = snapshots::restore(&context.town, &which, &to)?;
            if console.is_json() {
                return console.facts("gt.snapshot-restored/1", "folder", to.display().to_string());
            }
            console.say(&format!("the files of {} are in {}", found.name, to.display()))?;
            Ok(0)
        }
    }
}

fn list_snapshots(context: &Context<'_>, bead: Option<&str>, console: &mut Console<'_>) -> CliResult {
    let bead = bead.map(|text| context.town.ledger.read(|view| beads::resolve(view, text))).transpose()?;
    let listed = snapshots::list(&context.town, bead.as_ref())?;
    if console.is_json() {
        return console.facts("gt.snapshots/1", "snapshots", listed);
    }
    let mut table = Table::new(&["SNAPSHOT", "RIG", "WORKER", "TAKEN", "COMMIT"]);
    for row in listed {
        let worker = row.worker.unwrap_or_else(|| "-".to_owned());
        let taken = row.taken_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        table.row([row.name, row.rig.to_string(), worker, taken, row.commit.short().to_owned()]);
    }
    console.table(&table)?;
    Ok(0)
}

fn show_snapshot(context: &Context<'_>, which: &str, console: &mut Console<'_>) -> CliResult {
    let shown = snapshots::show(&context.town, which)?;
    if console.is_json() {
        return console.facts("gt.snapshot/1", "snapshot", shown);
    }
    let taken = shown.listed.taken_at.map_or_else(|| "an unknown time".to_owned(), |at| at.to_string());
    console.line(&format!("{} at {}, of {taken}", shown.listed.name, shown.listed.commit.short()))?;
    for (key, value) in &shown.trailers {
        console.line(&printable(&format!("  {key}: {value}")))?;
    }
    console.line(&format!("not committed, on {}: {}", shown.head.short(), count(shown.changed.len(), "path")))?;
    for (path, change) in &shown.changed {
        let letter = match change {
            Change::Added => 'A',
            Change::Removed => 'D',
            Change::Changed => 'M',
        };
        console.line(&format!("  {letter} {}", printable(path)))?;
    }
    for path in &shown.skipped {
        console.line(&format!("  could not be taken in: {}", printable(path)))?;
    }
    if !shown.earlier.is_empty() {
        let earlier: Vec<&str> = shown.earlier.iter().map(gt_model::id::Sha::short).collect();
        console.line(&format!("earlier ones: {}", earlier.join(" ")))?;
    }
    Ok(0)
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Runs `gt retention …`.
pub fn retention(verb: &RetentionVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let RetentionVerb::Run { dry_run, landed } = verb;
    let report = retention::run(&context.town, &context.caller, How { dry_run: *dry_run, landed: *landed })?;
    let code = u8::from(!report.failed.is_empty());
    if console.is_json() {
        console.facts("gt.retention/1", "retention", report)?;
        return Ok(code);
    }
    say_report(&report, *dry_run, console)?;
    Ok(code)
}

fn say_report(report: &Report, dry_run: bool, console: &mut Console<'_>) -> Result<(), CliError> {
    if !report.going.is_empty() {
        let mut table = Table::new(&["KIND", "NAME", "BEAD", "OVER SINCE", "SIZE", "WHY"]);
        for going in &report.going {
            let bead = going.bead.as_ref().map_or("-", |bead| bead.as_str()).to_owned();
            let since = going.since.map_or_else(|| "-".to_owned(), |at| at.strftime("%Y-%m-%d").to_string());
            let size = if going.bytes == 0 { "-".to_owned() } else { size_text(going.bytes) };
            let why = match (going.reason, going.standing) {
                (Reason::FreeDisk, _) => "the disk is too full",
                (Reason::Age, Standing::Unlanded) => "old, though it never landed",
                (Reason::Age, _) => "old enough",
                (Reason::Landed, _) => "it has landed",
            };
            table.row([going.kind.as_str().to_owned(), going.name.clone(), bead, since, size, why.to_owned()]);
        }
        console.table(&table)?;
    }
    let (word, bytes) = (if dry_run { "would go" } else { "went" }, report.going.iter().map(|going| going.bytes).sum());
    let events = if report.events > 0 { format!(", {} events", report.events) } else { String::new() };
    let things = count(report.going.len(), "thing");
    console.line(&format!("{things} {word}, {}{events}; {} free before", size_text(bytes), size_text(report.free)))?;
    for name in &report.unknown {
        console.line(&format!("kept, since nothing is known of it: {}", printable(name)))?;
    }
    for name in &report.only_copies {
        console.line(&format!("kept, since git has not all of it: {}", printable(name)))?;
    }
    for what in &report.failed {
        let line = console.red(&format!("failed: {}", printable(what)));
        console.line(&line)?;
    }
    Ok(())
}
