//! Looking at merge requests, and a person's word on them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gt_model::id::MrId;
use gt_town::Error;
use gt_town::ledger::MergeRequest;
use gt_town::review::{self, GateLog, Shown};

use super::queue::status_text;
use super::{Context, text_or_stdin};
use crate::console::{Console, printable, printable_lines};
use crate::error::{CliError, CliResult};

/// `gt mq show`.
pub fn show(context: &Context<'_>, id: &str, console: &mut Console<'_>) -> CliResult {
    let shown = review::show(&context.town, id)?;
    if console.is_json() {
        return console.facts("gt.merge-request/1", "merge_request", shown);
    }
    say(&shown, console)?;
    Ok(0)
}

/// A merge request on a few lines.
pub fn say(shown: &Shown, console: &mut Console<'_>) -> Result<(), CliError> {
    let mr = &shown.item.mr;
    console.line(&format!(
        "{}  {}  ({})",
        mr.id,
        printable(&shown.title),
        printable(&status_text(&shown.item.status))
    ))?;
    console.line(&format!("  by {} on {}, attempt {}", shown.worker, mr.bead, shown.attempt_number))?;
    let (head, commits) = (mr.head.short(), shown.commits);
    console.line(&format!("  {commits} commits on {} at {head}, to land on {}", printable(&mr.branch), mr.target))?;
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

/// `gt mq diff`.
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

/// A line of a patch in the colours that people know.
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

/// `gt mq log`.
pub fn log(context: &Context<'_>, id: &str, console: &mut Console<'_>) -> CliResult {
    let logs = review::logs(&context.town, id)?;
    if console.is_json() {
        return console.facts("gt.mq-log/1", "log", logs);
    }
    if logs.gates.is_empty() {
        let words = match (&logs.verdict, &logs.failure) {
            (Some(_), _) => "its logs were cleared away",
            (None, Some(_)) => "no gate was run on it",
            (None, None) => "no gate was run on it yet",
        };
        console.note(words)?;
    }
    let mut text: String = logs.gates.iter().map(gate_log).collect();
    if let Some(failure) = &logs.failure {
        let _ = writeln!(text, "{}", printable_lines(failure));
    }
    console.page(&text, &context.process.env)?;
    Ok(0)
}

fn gate_log(log: &GateLog) -> String {
    let cut = if log.cut { ", its end" } else { "" };
    format!("== {} ({}{cut})\n{}\n", printable(&log.gate), log.path.display(), printable_lines(&log.text).trim_end())
}

/// `gt mq checkout`.
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

/// A folder for one merge request of this town, the same each time.
fn temporary(context: &Context<'_>, mr: &MrId) -> PathBuf {
    let base = context.process.env.get("TMPDIR").filter(|dir| !dir.is_empty()).map_or("/tmp", String::as_str);
    let town = gt_model::id::sha256_hex(&context.town.layout.root.display().to_string());
    absolute(context, Path::new(base)).join(format!("gt-{}-{mr}", &town[..8]))
}

fn absolute(context: &Context<'_>, path: &Path) -> PathBuf {
    super::town::absolute(context.process, path)
}

/// `gt mq reject`.
pub fn reject(context: &Context<'_>, id: &str, note: String, console: &mut Console<'_>) -> CliResult {
    let note = text_or_stdin(note)?;
    if note.trim().is_empty() {
        let hint = "gt mq reject <id> --note \"<what is to be done>\"; gt mq cancel takes it out for good".to_owned();
        return Err(CliError::Usage { what: "the worker must be told what is to be done".to_owned(), hint });
    }
    let mr = review::reject(&context.town, &context.caller, id, note.trim())?;
    said(&[mr], "sent back: a fresh worker goes on from it and reads your note", context, console)
}

/// `gt mq hold`.
pub fn hold(context: &Context<'_>, ids: &[String], note: &str, console: &mut Console<'_>) -> CliResult {
    let held = review::hold(&context.town, &context.caller, ids, note)?;
    said(&held, "held, until gt mq retry or gt mq approve", context, console)
}

/// `gt mq retry`.
pub fn retry(context: &Context<'_>, ids: &[String], console: &mut Console<'_>) -> CliResult {
    let retried = review::retry(&context.town, &context.caller, ids)?;
    said(&retried, "held no longer: its turn comes with the next round", context, console)
}

/// `gt mq landed`.
pub fn landed(context: &Context<'_>, id: &str, by: Option<&str>, console: &mut Console<'_>) -> CliResult {
    let landed = review::landed(&context.town, &context.caller, id, by)?;
    said(&[landed], "over: its bead is closed as landed", context, console)
}

/// `gt mq landed --not`.
pub fn not_landed(context: &Context<'_>, id: &str, console: &mut Console<'_>) -> CliResult {
    let taken_off = review::not_landed(&context.town, &context.caller, id)?;
    said(&[taken_off], "off the trunk, on purpose: its bead stays closed, as not landed", context, console)
}

/// `gt mq cancel`.
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
