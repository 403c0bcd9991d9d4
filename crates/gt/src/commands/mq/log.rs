//! `gt mq log`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use gt_model::queue::MrStatus;
use gt_town::Error;
use gt_town::refinery::review::{self, GateLog};

use super::item_text;
use super::show::say;
use crate::console::{Console, printable, printable_lines};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Show the output of a merge request's gates
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Its id, a unique part of it, or its bead's id
    id: String,
    /// Keep printing until the gates end
    #[arg(long, short)]
    follow: bool,
}

/// Runs `gt mq log`.
pub fn log(args: &LogArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let id = args.id.as_str();
    if args.follow && !console.is_json() {
        return follow_log(context, id, console);
    }
    let logs = review::logs(&context.town, id)?;
    if console.is_json() {
        return console.facts("gt.mq-log/1", "log", logs);
    }
    if logs.gates.is_empty() {
        let words = match (&logs.verdict, &logs.failure) {
            (Some(_), _) => "its logs were cleared away",
            (None, Some(_)) => "no gate was run on it",
            (None, None) if logs.running.is_some() => "its gates have printed nothing yet",
            (None, None) => "no gate was run on it yet",
        };
        console.note(words)?;
    }
    if let Some(running) = &logs.running {
        console.note(&format!("{}: gt mq log {} --follow", running.words(&logs.mr), logs.mr))?;
    }
    let mut text: String = logs.gates.iter().map(gate_log).collect();
    if let Some(failure) = &logs.failure {
        let _ = writeln!(text, "{}", printable_lines(failure));
    }
    console.page(&text, &context.process.env)?;
    Ok(0)
}

/// Time between two reads of the gates' output.
const FOLLOW_EVERY: Duration = Duration::from_millis(250);

/// Bytes of a gate's log per read.
const FOLLOW_BYTES: usize = 64 * 1024;

/// Prints the output of a merge request's gates until they end. The gates' result decides the exit code.
fn follow_log(context: &Context<'_>, id: &str, console: &mut Console<'_>) -> CliResult {
    let mr = review::find(&context.town, id)?.id;
    let mut told_to_wait = false;
    let mut at: Option<(PathBuf, u64)> = None;
    loop {
        // Reads the state before the log: output in between is read in the next turn, or by the last one.
        let shown = review::show(&context.town, mr.as_str())?;
        let running = shown.item.gating.as_ref();
        if let Some(log) = running.and_then(|running| running.log.as_ref())
            && at.as_ref().is_none_or(|(path, _)| path != log)
        {
            print_rest(context, &mut at, console)?;
            console.note(&format!("== {}", item_text(&shown.item)))?;
            at = Some((log.clone(), 0));
        }
        print_rest(context, &mut at, console)?;
        if running.is_none() && shown.item.status != MrStatus::Waiting {
            say(&shown, console)?;
            return Ok(u8::from(shown.verdict.is_some_and(|verdict| !verdict.passed)));
        }
        if running.is_none() && !told_to_wait {
            console.note(&format!("{mr} waits for its turn in the merge queue"))?;
        }
        told_to_wait = running.is_none();
        context.town.world().clock().pause(FOLLOW_EVERY);
    }
}

/// Prints the part of a log that was not printed before.
fn print_rest(
    context: &Context<'_>,
    at: &mut Option<(PathBuf, u64)>,
    console: &mut Console<'_>,
) -> Result<(), CliError> {
    let Some((path, offset)) = at else { return Ok(()) };
    let disk = context.town.world().disk();
    while let Some(bytes) = disk.read_part(path, *offset, FOLLOW_BYTES).map_err(Error::from)?.filter(|b| !b.is_empty())
    {
        *offset += bytes.len() as u64;
        let text = printable_lines(&String::from_utf8_lossy(&bytes));
        console.out().write_all(text.as_bytes())?;
        console.out().flush()?;
    }
    Ok(())
}

fn gate_log(log: &GateLog) -> String {
    let cut = if log.cut { ", its end" } else { "" };
    format!("== {} ({}{cut})\n{}\n", printable(&log.gate), log.path.display(), printable_lines(&log.text).trim_end())
}
