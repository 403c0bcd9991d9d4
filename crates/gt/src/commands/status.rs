//! `gt status`.

use clap::Args;
use gt_town::sync::SyncStatus;
use gt_town::view::observe::{self, Agents, RigStatus, TownStatus};

use super::mq::item_text;
use crate::cli::Group;
use crate::console::{Console, Table, counted, printable, time_text};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::words::{self, Worded};

/// Show the town at a glance: what needs you, the agents, work on its way
#[derive(Debug, Args)]
#[command(display_order = Group::Watch.order())]
pub struct StatusArgs {
    /// Also show what seldom changes: rigs, how workers start, processes, the ledger's remote
    #[arg(long, short)]
    long: bool,
    /// Redraw whenever something changes, until Ctrl-C
    #[arg(long, short, conflicts_with = "json")]
    watch: bool,
}

/// Runs `gt status`.
pub fn status(args: &StatusArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let StatusArgs { long, watch } = *args;
    if watch {
        return watch_status(context, long, console);
    }
    let status = observe::status(&context.town)?;
    if console.is_json() {
        return console.facts("gt.status/1", "status", status.worded()?);
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
            let age = age(context, need.condition.since);
            console.line(&format!("  {}  {}{}", need.condition.key, printable(first), in_brackets(&age)))?;
            console.line(&format!("    {}", words::todo(&need.next)))?;
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
            table.row([agent.agent.address.to_string(), words::agent(&agent.doing), mail]);
        }
        console.table(&table)?;
    }
    if !status.workers.is_empty() {
        console.table(&workers(context, status, long))?;
    }
    if !status.queue.is_empty() {
        let mut table = Table::new(&["MERGE REQUEST", "BEAD", "FOR", "STATUS"]);
        for item in &status.queue {
            let age = age(context, item.mr.submitted_at);
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
        let mut row = vec![worker.worker.clone(), worker.bead.0.clone(), age(context, worker.since)];
        if long {
            let pid = worker.pid.map_or("-".to_owned(), |pid| pid.to_string());
            row.extend([format!("{}.{}", worker.attempt, worker.incarnation), pid]);
        }
        row.extend([format!("{}{refused}", words::worker(&worker.doing)), worker.title.clone()]);
        table.row(row);
    }
    table
}

/// Describes how long ago a time was; empty where the text is no time.
fn age(context: &Context<'_>, at: jiff::Timestamp) -> String {
    let seconds = context.town.world().clock().now().duration_since(at).as_secs();
    rough(u64::try_from(seconds).unwrap_or(0))
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
                time_text(last.at)
            )
        }
        (Some(remote), None) => format!("the ledger was never synced with {}: gt sync", printable(remote)),
        (Some(_), Some(last)) => {
            format!("the ledger was synced with {} at {}", printable(&last.remote), time_text(last.at))
        }
    }
}

/// Prints a rig on two lines.
pub fn say_rig(rig: &RigStatus, console: &mut Console<'_>) -> Result<(), CliError> {
    let Agents { kind, mode, why } = &rig.agents;
    console.line(&format!("rig {}: lands on {} of {} ({})", rig.name, rig.trunk, rig.remote, rig.landing))?;
    console.line(&format!("  workers: {}, {mode} ({why})", kind.as_deref().unwrap_or("no kind is set")))
}
