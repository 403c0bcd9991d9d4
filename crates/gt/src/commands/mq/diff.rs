//! `gt mq diff`.

use clap::Args;
use gt_town::refinery::review;

use crate::console::{Console, printable, printable_lines};
use crate::context::Context;
use crate::error::CliResult;

/// Show what a merge request would change on the trunk, as last fetched
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Its id, a unique part of it, or its bead's id
    id: String,
    /// One line per file
    #[arg(long)]
    stat: bool,
}

/// Runs `gt mq diff`.
pub fn diff(args: &DiffArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let diff = review::diff(&context.town, &args.id, args.stat)?;
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
