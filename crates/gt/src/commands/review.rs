//! Verbs with which a person reads merge requests and decides on them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_ledger::MergeRequest;
use gt_model::id::MrId;
use gt_model::queue::MrStatus;
use gt_town::Error;
use gt_town::refinery::review::{self, GateLog, Shown};

use super::queue::item_text;
use crate::console::{Console, counted, printable, printable_lines};
use crate::context::{Context, text_or_stdin};
use crate::error::{CliError, CliResult};

/// Runs `gt mq show`.
pub fn show(context: &Context<'_>, id: &str, console: &mut Console<'_>) -> CliResult {
    let shown = review::show(&context.town, id)?;
    if console.is_json() {
        return console.facts("gt.merge-request/1", "merge_request", shown);
    }
    say(&shown, console)?;
    Ok(0)
}

/// Prints a merge request on a few lines.
pub fn say(shown: &Shown, console: &mut Console<'_>) -> Result<(), CliError> {
    let mr = &shown.item.mr;
    console.line(&format!("{}  {}  ({})", mr.id, printable(&shown.title), printable(&item_text(&shown.item))))?;
    console.line(&format!("  by {} on {}, attempt {}", shown.worker, mr.bead, shown.attempt_number))?;
    let (head, commits) = (mr.head.short(), shown.commits.map_or("commits".to_owned(), |n| counted(n, "commit")));
    console.line(&format!("  {commits} on {} at {head}, to land on {}", printable(&mr.branch), mr.target))?;
    if let Some(verdict) = &shown.verdict {
        let word = if verdict.passed { console.green("green") } else { console.red("red") };
        console.line(&format!("  gates: {word} in {:.1} s; gt mq log {}", verdict.took_ms as f64 / 1000.0, mr.id))?;
    }
    if let Some(failure) = &mr.failure {
        console.line(&format!("  why: {}", printable(failure.lines().next().unwrap_or_default())))?;
    }
    if let Some(commit) = mr.commit_landed.as_ref().filter(|_| mr.ended_at.is_some()) {
        console.line(&format!("  landed as {}", commit.short()))?;
    }
    if let Some(why) = mr.reason() {
        console.line(&format!("  a person has to look at it: {}", printable(why)))?;
    }
    if let Some(dropped) = &mr.dropped {
        console.line(&format!("  not all of its worker's own work is in it: {}", printable(dropped)))?;
    }
    for next in &shown.next {
        console.line(&format!("  next: {next}"))?;
    }
    Ok(())
}

/// Runs `gt mq diff`.
pub fn diff(context: &Context<'_>, id: &str, stat: bool, console: &mut Console<'_>) -> CliResult {
    let diff = review::diff(&context.town, id, stat)?;
    if console.is_json() {
        return console.facts("gt.mq-diff/1", "diff", diff);
    }
    if !diff.conflicts.is_empty() {
        let files = printable(&diff.conflicts.join(", "));
        console.note(&format!("it conflicts with {} in {files}; this is what was submitted", diff.target))?;
    }
    if diff.text.is_empty() {
        console.note(&format!("it changes nothing that is not on {} already", diff.target))?;
    }
    let text = printable_lines(&diff.text);
    let text: String = text.lines().map(|line| painted(line, console) + "\n").collect();
    console.page(&text, &context.process.env)?;
    Ok(0)
}

/// Colours a line of a patch in the usual way.
fn painted(line: &str, console: &Console<'_>) -> String {
    let head = ["diff ", "index ", "+++", "---"].iter().any(|start| line.starts_with(start));
    match line.as_bytes().first() {
        _ if head => console.bold(line),
        Some(b'+') => console.green(line),
        Some(b'-') => console.red(line),
        Some(b'@') => console.cyan(line),
        _ => line.to_owned(),
    }
}

/// Runs `gt mq log`.
pub fn log(context: &Context<'_>, id: &str, follow: bool, console: &mut Console<'_>) -> CliResult {
    if follow && !console.is_json() {
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

/// Runs `gt mq checkout`.
pub fn checkout(
    context: &Context<'_>,
    id: &str,
    folder: Option<&Path>,
    remove: bool,
    console: &mut Console<'_>,
) -> CliResult {
    let mr = review::find(&context.town, id)?.id;
    let folder = folder.map_or_else(|| temporary(context, &mr), |folder| absolute(context, folder));
    if remove {
        review::remove_checkout(&context.town, mr.as_str(), &folder)?;
        if console.is_json() {
            return console.facts("gt.mq-checkout-removed/1", "folder", folder.display().to_string());
        }
        console.say(&format!("{} is gone; {mr} is as it was", folder.display()))?;
        return Ok(0);
    }
    let made = review::checkout(&context.town, mr.as_str(), &folder)?;
    if console.is_json() {
        return console.facts("gt.mq-checkout/1", "checkout", made);
    }
    console.line(&format!("{} at {} is in {}", made.mr, made.head.short(), made.folder.display()))?;
    if let Some(note) = &made.note {
        console.line(&format!("  {}", printable(note)))?;
    }
    console.line("  look, build and run there; it moves no branch and pushes nowhere")?;
    console.line(&format!("  to take it away: gt mq checkout {} {} --remove", made.mr, made.folder.display()))?;
    console.line("to have it in your own clone, type there:")?;
    console.line(&format!("  {}", made.fetch))?;
    Ok(0)
}

/// Returns a folder for one merge request of this town, the same each time.
fn temporary(context: &Context<'_>, mr: &MrId) -> PathBuf {
    let base = context.process.env.get("TMPDIR").filter(|dir| !dir.is_empty()).map_or("/tmp", String::as_str);
    let town = gt_model::id::sha256_hex(&context.town.layout.root.display().to_string());
    absolute(context, Path::new(base)).join(format!("gt-{}-{mr}", &town[..8]))
}

fn absolute(context: &Context<'_>, path: &Path) -> PathBuf {
    crate::context::absolute(context.process, path)
}

/// Runs `gt mq reject`.
pub fn reject(context: &Context<'_>, id: &str, note: String, console: &mut Console<'_>) -> CliResult {
    let note = text_or_stdin(note)?;
    if note.trim().is_empty() {
        let hint = "gt mq reject <id> --note \"<what is to be done>\"; gt mq cancel takes it out for good".to_owned();
        return Err(CliError::Usage { what: "the worker must be told what is to be done".to_owned(), hint });
    }
    let mr = review::reject(&context.town, &context.caller, id, note.trim())?;
    said(&[mr], "sent back: a fresh worker goes on from it and reads your note", context, console)
}

/// Runs `gt mq hold`.
pub fn hold(context: &Context<'_>, ids: &[String], note: &str, console: &mut Console<'_>) -> CliResult {
    let held = review::hold(&context.town, &context.caller, ids, note)?;
    said(&held, "held, until gt mq retry or gt mq approve", context, console)
}

/// Runs `gt mq retry`.
pub fn retry(context: &Context<'_>, ids: &[String], console: &mut Console<'_>) -> CliResult {
    let retried = review::retry(&context.town, &context.caller, ids)?;
    said(&retried, "held no longer: its turn comes with the next round", context, console)
}

/// Runs `gt mq landed`.
pub fn landed(context: &Context<'_>, id: &str, by: Option<&str>, console: &mut Console<'_>) -> CliResult {
    let landed = review::landed(&context.town, &context.caller, id, by)?;
    said(&[landed], "over: its bead is closed as landed", context, console)
}

/// Runs `gt mq landed --not`.
pub fn not_landed(context: &Context<'_>, id: &str, console: &mut Console<'_>) -> CliResult {
    let taken_off = review::not_landed(&context.town, &context.caller, id)?;
    said(&[taken_off], "off the trunk, on purpose: its bead stays closed, as not landed", context, console)
}

/// Runs `gt mq cancel`.
pub fn cancel(context: &Context<'_>, ids: &[String], note: &str, console: &mut Console<'_>) -> CliResult {
    let cancelled = review::cancel(&context.town, &context.caller, ids, note)?;
    said(&cancelled, "out of the queue; its bead is open again, its commits are kept", context, console)
}

fn said(mrs: &[MergeRequest], words: &str, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let ids: Vec<&MrId> = mrs.iter().map(|mr| &mr.id).collect();
    if console.is_json() {
        let now = ids.iter().map(|id| review::show(&context.town, id.as_str())).collect::<Result<Vec<_>, Error>>()?;
        return console.facts("gt.merge-requests/1", "merge_requests", now);
    }
    for id in ids {
        console.say(&format!("{id} is {words}"))?;
    }
    if !context.town.deacon_runs()? {
        console.say("no deacon runs: gt up")?;
    }
    Ok(0)
}
