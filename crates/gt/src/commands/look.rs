//! Verbs that show the town.

use gt_ledger::Event;
use gt_model::address::Address;
use gt_model::bead::BeadType;
use gt_model::convoy::{ConvoyState, MemberState};
use gt_model::id::BeadId;
use gt_town::Error;
use gt_town::effects;
use gt_town::keep::upkeep;
use gt_town::patrol::standing;
use gt_town::refinery::review;
use gt_town::rigs::rig::{self, Negative, Proving, Repeated};
use gt_town::sync::SyncStatus;
use gt_town::view::doctor;
use gt_town::view::observe::{self, Agents, RigStatus, TownStatus, Why};
use gt_town::view::story;
use gt_town::work::beads;

use super::Context;
use super::progress::Ticker;
use super::queue::item_text;
use crate::Process;
use crate::console::{Console, Table, counted, printable, reasons, time_text};
use crate::error::{CliError, CliResult};

/// Runs `gt status`.
pub fn status(context: &Context<'_>, long: bool, watch: bool, console: &mut Console<'_>) -> CliResult {
    if watch {
        return watch_status(context, long, console);
    }
    let status = observe::status(&context.town)?;
    if console.is_json() {
        return console.facts("gt.status/1", "status", status);
    }
    say_status(context, &status, long, console)?;
    Ok(0)
}

/// Time between two checks of `gt status --watch`.
const WATCH_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

/// Number of checks after which `--watch` redraws even if nothing changed, since it shows ages.
const WATCH_AGES: u32 = 10;

fn watch_status(context: &Context<'_>, long: bool, console: &mut Console<'_>) -> CliResult {
    let (mut seen, mut looks) = (None, 0);
    loop {
        let now = context.town.ledger.change_signal()?;
        if seen != Some(now) || looks >= WATCH_AGES {
            (seen, looks) = (Some(now), 0);
            let town = context.town.reopen()?;
            let status = observe::status(&town)?;
            if console.is_terminal() {
                console.line("\u{1b}[H\u{1b}[2J")?;
            } else {
                console.line("")?;
            }
            say_status(context, &status, long, console)?;
            console.out().flush()?;
        }
        looks += 1;
        context.town.world().clock().pause(WATCH_EVERY);
    }
}

/// Prints what needs a person, then work on its way. Prints what seldom changes only on request.
fn say_status(
    context: &Context<'_>,
    status: &TownStatus,
    long: bool,
    console: &mut Console<'_>,
) -> Result<(), CliError> {
    if !status.needs_you.is_empty() {
        let heading = console.red("needs you:");
        console.line(&heading)?;
        for need in &status.needs_you {
            let first = need.condition.text.lines().next().unwrap_or_default();
            let age = age(context, &need.condition.since);
            console.line(&format!("  {}  {}{}", need.condition.key, printable(first), in_brackets(&age)))?;
            console.line(&format!("    {}", need.next))?;
        }
    }
    console.line(&summary(status))?;
    if let Some(hooks) = &status.hooks {
        let text =
            format!("{} calls of agents' hooks failed in the last hour, the last: {}", hooks.last_hour, hooks.last);
        console.line(&console.red(&text))?;
    }
    if status.rigs.is_empty() {
        console.line("no rig yet: gt rig add <name> <url-or-path>")?;
    }
    if long {
        console.line(&sync_text(&status.sync))?;
        for rig in &status.rigs {
            say_rig(rig, console)?;
        }
    }
    if !status.agents.is_empty() {
        let mut table = Table::new(&["AGENT", "DOING", "MAIL"]);
        for agent in &status.agents {
            let mail = if agent.mail == 0 { "-".to_owned() } else { format!("{} new", agent.mail) };
            table.row([agent.agent.address.to_string(), agent.doing.clone(), mail]);
        }
        console.table(&table)?;
    }
    if !status.workers.is_empty() {
        console.table(&workers(context, status, long))?;
    }
    if !status.queue.is_empty() {
        let mut table = Table::new(&["MERGE REQUEST", "BEAD", "FOR", "STATUS"]);
        for item in &status.queue {
            let age = age(context, &item.mr.submitted_at);
            table.row([item.mr.id.0.clone(), item.mr.bead.0.clone(), age, item_text(item)]);
        }
        console.table(&table)?;
    }
    Ok(())
}

/// Summarises the counts in one line.
fn summary(status: &TownStatus) -> String {
    let deacon = if status.deacon { "the town is up" } else { "the town is down: gt up" };
    let mut parts = vec![deacon.to_owned()];
    if !status.workers.is_empty() {
        parts.push(counted(status.workers.len() as u64, "worker"));
    }
    if !status.queue.is_empty() {
        parts.push(counted(status.queue.len() as u64, "merge request"));
    }
    parts.push(format!("{} ready", counted(status.ready as u64, "bead")));
    parts.join("; ")
}

fn workers(context: &Context<'_>, status: &TownStatus, long: bool) -> Table {
    let more: &[&str] = if long { &["TRY", "PID"] } else { &[] };
    let mut table = Table::new(&[&["WORKER", "BEAD", "FOR"], more, &["DOING", "TITLE"]].concat());
    for worker in &status.workers {
        let refused = worker.refused.as_ref().map(|why| format!("; refused: {why}")).unwrap_or_default();
        let mut row = vec![worker.worker.clone(), worker.bead.0.clone(), age(context, &worker.since)];
        if long {
            let pid = worker.pid.map_or("-".to_owned(), |pid| pid.to_string());
            row.extend([format!("{}.{}", worker.attempt, worker.incarnation), pid]);
        }
        row.extend([format!("{}{refused}", worker.doing), worker.title.clone()]);
        table.row(row);
    }
    table
}

/// Describes how long ago a time was; empty where the text is no time.
fn age(context: &Context<'_>, at: &str) -> String {
    let now = context.town.world().clock().now();
    let since = at.parse::<jiff::Timestamp>().ok().map(|at| now.duration_since(at).as_secs());
    since.map(|seconds| rough(u64::try_from(seconds).unwrap_or(0))).unwrap_or_default()
}

/// Formats seconds in the largest unit that fits.
fn rough(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn in_brackets(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" ({text})") }
}

fn sync_text(sync: &SyncStatus) -> String {
    match (&sync.remote, &sync.last) {
        (None, None) => "ledger: not synced to a remote (gt town set sync.remote=<url>)".to_owned(),
        (None, Some(last)) => {
            format!(
                "the ledger was synced with {} at {}; no [sync] remote is set",
                printable(&last.remote),
                time_text(&last.at)
            )
        }
        (Some(remote), None) => format!("the ledger was never synced with {}: gt sync", printable(remote)),
        (Some(_), Some(last)) => {
            format!("the ledger was synced with {} at {}", printable(&last.remote), time_text(&last.at))
        }
    }
}

/// Prints a rig on two lines.
pub fn say_rig(rig: &RigStatus, console: &mut Console<'_>) -> Result<(), CliError> {
    let Agents { kind, mode, why } = &rig.agents;
    console.line(&format!("rig {}: lands on {} of {} ({})", rig.name, rig.trunk, rig.remote, rig.landing))?;
    console.line(&format!("  workers: {}, {mode} ({why})", kind.as_deref().unwrap_or("no kind is set")))
}

/// Runs `gt log`.
pub fn log(
    context: &Context<'_>,
    bead: Option<&str>,
    last: u32,
    follow: bool,
    all: bool,
    console: &mut Console<'_>,
) -> CliResult {
    let town = &context.town;
    let bead: Option<BeadId> = bead.map(|text| town.ledger.read(|view| beads::resolve(view, text))).transpose()?;
    let all = all || console.is_json();
    let events = town.ledger.read(|view| match all {
        true => view.last_events(bead.as_ref(), last),
        false => view.last_news(bead.as_ref(), last),
    })?;
    if console.is_json() && !follow {
        return console.facts("gt.log/1", "events", events);
    }
    let mut seen = 0;
    for event in &events {
        say_event(event, console)?;
        seen = event.seq;
    }
    if follow { follow_log(context, bead.as_ref(), seen, all, console) } else { Ok(0) }
}

/// Time between two checks of the change signal.
const FOLLOW_EVERY: std::time::Duration = std::time::Duration::from_millis(250);

fn follow_log(
    context: &Context<'_>,
    bead: Option<&BeadId>,
    mut seen: i64,
    all: bool,
    console: &mut Console<'_>,
) -> CliResult {
    let town = &context.town;
    let mut signal = None;
    loop {
        let now = town.ledger.change_signal()?;
        if signal != Some(now) {
            signal = Some(now);
            for event in town.ledger.read(|view| view.events(seen, bead, 1000).map_err(Error::from))? {
                if all || event.is_news() {
                    say_event(&event, console)?;
                }
                seen = event.seq;
            }
        }
        town.world().clock().pause(FOLLOW_EVERY);
    }
}

fn say_event(event: &Event, console: &mut Console<'_>) -> Result<(), CliError> {
    if console.is_json() {
        let line = serde_json::to_string(event).map_err(|e| CliError::Io(e.into()))?;
        return console.line(&line);
    }
    let time = event.at.get(11..19).unwrap_or(&event.at);
    let bead = event.bead.as_ref().map_or("-", BeadId::as_str);
    let subject = if bead == event.subject { String::new() } else { printable(&event.subject) };
    console.line(&format!("{time}  {bead}  {}  {subject}  by {}", event.event, printable(&event.actor)))
}

/// Runs `gt why`.
pub fn why(context: &Context<'_>, id: &str, console: &mut Console<'_>) -> CliResult {
    if let Ok(rig) = context.town.rig(id) {
        return why_rig(context, &rig, console);
    }
    if let Some(agent) = story::standing_agent(id) {
        return why_agent(context, &agent, console);
    }
    if id.contains('/') {
        return super::keep::show(context, id, console);
    }
    let id = context.town.ledger.read(|view| match beads::resolve(view, id) {
        Ok(bead) => Ok(bead),
        // A part of a merge request's id is enough where it is unique.
        Err(error) => review::find_in(view, id).map(|mr| mr.bead).map_err(|_| error),
    })?;
    let bead = context.town.ledger.read(|view| beads::require(view, &id))?;
    if bead.issue_type == BeadType::Convoy {
        return why_convoy(context, &id, console);
    }
    let why = observe::why(&context.town, &id)?;
    if console.is_json() {
        return console.facts("gt.why/1", "why", why);
    }
    say_why(&why, console)?;
    Ok(0)
}

fn say_why(why: &Why, console: &mut Console<'_>) -> Result<(), CliError> {
    console.line(&reasons(&why.answer))?;
    if let Some(next) = &why.next {
        console.line(&format!("next: {next}"))?;
    }
    for blocker in &why.blockers {
        console.line(&format!(
            "  waits for {} ({}, {}): {}",
            blocker.id,
            blocker.kind,
            blocker.status,
            printable(&blocker.title)
        ))?;
    }
    for attempt in &why.attempts {
        let end = attempt.outcome.map_or("live", gt_ledger::AttemptOutcome::as_str);
        console.line(&format!("  attempt {} by {}: {end}", attempt.number, attempt.address()))?;
        if let Some(reason) = &attempt.why {
            let first = reason.lines().next().unwrap_or_default();
            console.line(&format!("    since the one before: {}", printable(first)))?;
        }
    }
    if !why.cost.is_nothing() {
        console.line(&format!("  took so far: {}", printable(&why.cost.words())))?;
    }
    for item in &why.merge_requests {
        console.line(&format!("  {}: {}", item.mr.id, item_text(item)))?;
        if let Some(failure) = &item.mr.failure {
            console.line(&format!("    {}", printable(failure.lines().next().unwrap_or_default())))?;
        }
    }
    for effect in &why.effects {
        let tried = match &effect.last_error {
            Some(error) => format!(" (tried {}, last: {})", gt_model::words::times(effect.tries), printable(error)),
            None => String::new(),
        };
        console.line(&format!("  to be done: {}{tried}", effect.effect.words()))?;
    }
    for condition in &why.conditions {
        console.line(&format!(
            "  {} since {}: {}",
            condition.key,
            time_text(&condition.since),
            printable(&condition.text)
        ))?;
    }
    Ok(())
}

/// Prints what a standing agent waits for: what it is doing, its mail, and what is wrong with it.
fn why_agent(context: &Context<'_>, agent: &Address, console: &mut Console<'_>) -> CliResult {
    let status = standing::status(&context.town, agent)?;
    let subject = agent.to_string();
    let mut conditions = context.town.ledger.read(|view| view.conditions().map_err(Error::from))?;
    conditions.retain(|condition| condition.subject == subject);
    if console.is_json() {
        let facts = serde_json::json!({ "agent": status, "conditions": conditions });
        return console.facts("gt.why-agent/1", "why", facts);
    }
    super::mayor::say(&status, console)?;
    for condition in conditions {
        console.line(&format!(
            "  {} since {}: {}",
            condition.kind,
            time_text(&condition.since),
            printable(&condition.text)
        ))?;
    }
    Ok(0)
}

/// Prints the beads that a convoy waits for: those that are not over.
fn why_convoy(context: &Context<'_>, id: &BeadId, console: &mut Console<'_>) -> CliResult {
    let mut convoy = story::convoy_story(&context.town, id)?;
    let beads = convoy.members.len();
    let not_landed = convoy.members.iter().filter(|member| member.state == MemberState::NotLanded).count();
    convoy.members.retain(|member| member.state == MemberState::Open);
    if console.is_json() {
        return console.facts("gt.why-convoy/1", "convoy", convoy);
    }
    let answer = match convoy.state {
        ConvoyState::OnItsWay => None,
        ConvoyState::Landed => Some(format!("{id} has landed: each of its beads has")),
        ConvoyState::Closed if not_landed == 0 => Some(format!("{id} was closed by hand")),
        ConvoyState::Closed => Some(format!("{id} is closed: {not_landed} of its beads did not land")),
        ConvoyState::Empty if beads == 0 => Some(format!("{id} is empty: it has no beads")),
        ConvoyState::Empty => Some(format!("{id} is empty: each of its beads was deleted")),
    };
    if let Some(answer) = answer {
        console.line(&answer)?;
        if convoy.state == ConvoyState::Empty {
            console.line(&format!("next: gt convoy add {id} <bead>, or gt bead close {id}"))?;
        }
        return Ok(0);
    }
    console.line(&format!("{id} waits for {} of its beads", convoy.members.len()))?;
    for member in &convoy.members {
        console.line(&format!("  {}", printable(&member.answer)))?;
        if let Some(next) = &member.next {
            console.line(&format!("    next: {next}"))?;
        }
    }
    Ok(0)
}

fn why_rig(context: &Context<'_>, rig: &gt_town::Rig, console: &mut Console<'_>) -> CliResult {
    let conditions = context.town.ledger.read(|view| view.conditions().map_err(Error::from))?;
    let name = rig.name().to_string();
    let about = |subject: &str| subject == name || subject.starts_with(&format!("{name}:"));
    let conditions: Vec<_> = conditions.into_iter().filter(|c| about(&c.subject)).collect();
    if console.is_json() {
        return console.facts("gt.why-rig/1", "conditions", conditions);
    }
    if conditions.is_empty() {
        console.line(&format!("nothing holds the rig {name}"))?;
    }
    for condition in conditions {
        console.line(&format!(
            "{} since {}: {}",
            condition.kind,
            time_text(&condition.since),
            reasons(&condition.text)
        ))?;
    }
    Ok(0)
}

/// Runs `gt doctor`.
pub fn doctor(
    context: &Context<'_>,
    retry: bool,
    fix: bool,
    deep: bool,
    process: &Process,
    console: &mut Console<'_>,
) -> CliResult {
    if fix {
        for mended in upkeep::fix(&context.town, &context.caller)? {
            console.say(&format!("{}: mended {}", mended.rig, printable(&mended.what)))?;
        }
    }
    if retry {
        let count = effects::retry_given_up(&context.town, &context.caller)?;
        let starts = gt_town::patrol::retry::starts(&context.town, &context.caller)?;
        console.say(&format!("{count} acts will be tried again, {starts} workers started again"))?;
    }
    if context.caller.is_overseer() {
        break_again(context, deep, process, console)?;
    }
    let mut checks = doctor::doctor(&context.town)?;
    checks.push(path_check(process));
    // With `retry` the verb has done its task, even if checks report faults.
    let well = retry || checks.iter().all(|check| check.ok);
    if console.is_json() {
        console.facts("gt.doctor/1", "checks", checks)?;
        return Ok(if well { 0 } else { 1 });
    }
    for check in &checks {
        let mark = match (check.ok, check.warn) {
            (true, false) => console.green("ok  "),
            (true, true) => "warn".to_owned(),
            (false, _) => console.red("FAIL"),
        };
        console.line(&format!("{mark}  {}: {}", check.name, printable(&check.detail)))?;
        if let Some(hint) = &check.hint {
            console.line(&format!("      hint: {hint}"))?;
        }
    }
    Ok(if well { 0 } else { 1 })
}

/// Repeats the negative proof of each rig where it is due, or of all rigs on request.
fn break_again(
    context: &Context<'_>,
    deep: bool,
    process: &Process,
    console: &mut Console<'_>,
) -> Result<(), CliError> {
    let negative = if deep { Negative::Always } else { Negative::WhereCheap };
    for rig in context.town.rigs()? {
        let progress = Ticker::new(process, console);
        let proving = Proving { progress: &progress, negative, optional: &[] };
        let repeated = rig::repeat(&context.town, &context.caller, &rig, &proving);
        drop(progress);
        let why = match repeated {
            Ok(Repeated::Done | Repeated::NotDue) => continue,
            Ok(Repeated::Busy) => "they are at work".to_owned(),
            // The gates' own check reports why nothing can be proved now.
            Err(error) => error.to_string(),
        };
        console.note(&format!("{}: its gates were not tried: {why}", rig.name()))?;
    }
    Ok(())
}

/// Reports another `gt` or `bd` in the overseer's PATH. That is no fault, since agents get ours.
fn path_check(process: &Process) -> doctor::Check {
    let others: Vec<String> = super::town::others_in_path(process).iter().map(|p| p.display().to_string()).collect();
    let detail =
        if others.is_empty() { "no other gt or bd".to_owned() } else { format!("others: {}", others.join(", ")) };
    doctor::Check { name: "PATH".to_owned(), ok: true, warn: false, detail, hint: None }
}
