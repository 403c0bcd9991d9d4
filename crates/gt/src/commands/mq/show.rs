//! `gt mq show`.

use clap::Args;
use gt_town::refinery::review::{self, Shown};

use super::item_text;
use crate::console::{Console, counted, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Show a merge request: its worker, what its gates found, what to do next
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Its id, a unique part of it, or its bead's id
    id: String,
}

/// Runs `gt mq show`.
pub fn show(args: &ShowArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let shown = review::show(&context.town, &args.id)?;
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
