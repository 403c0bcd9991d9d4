//! `gt log`.

use clap::Args;
use gt_ledger::Event;
use gt_model::id::BeadId;
use gt_town::Error;
use gt_town::work::beads;

use crate::Process;
use crate::cli::{Global, Group};
use crate::console::{Console, printable};
use crate::context::Context;
use crate::diagnosis::{Wanted, show_logs};
use crate::error::{CliError, CliResult};

/// Show events, the newest last
#[derive(Debug, Args)]
#[command(display_order = Group::Watch.order())]
pub struct LogArgs {
    /// Show only events of this bead
    bead: Option<String>,
    /// Number of events to show
    #[arg(long, short = 'n', default_value_t = 30)]
    last: u32,
    /// Keep printing new events
    #[arg(long, short)]
    follow: bool,
    /// Also show mail, and how the town carries things out; `--json` always shows all
    #[arg(long)]
    all: bool,
    /// Show the log of the town's daemon instead; with --json, one document a line
    #[arg(long, conflicts_with = "all")]
    deacon: bool,
    /// Show the log of the daemon, and of verbs that were called with --log-level or GT_LOG
    #[arg(long, conflicts_with_all = ["all", "deacon"])]
    debug: bool,
}

/// Runs `gt log`.
pub fn log(args: &LogArgs, global: &Global, process: &Process, console: &mut Console<'_>) -> CliResult {
    let LogArgs { last, follow, all, deacon, debug, .. } = *args;
    let bead = args.bead.as_deref();
    if deacon || debug {
        return show_logs(Wanted { verbs: debug, bead, last, follow }, global, process, console);
    }
    let context = &Context::open(global, process)?;
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
    let time = event.at.strftime("%H:%M:%S");
    let bead = event.bead.as_ref().map_or("-", BeadId::as_str);
    let subject = if bead == event.subject { String::new() } else { printable(&event.subject) };
    console.line(&format!("{time}  {bead}  {}  {subject}  by {}", event.event, printable(&event.actor)))
}
