//! `gt retention run`.

use clap::Args;
use gt_model::retention::{Reason, Standing};
use gt_town::keep::retention::{self, How, Report, size_text};

use crate::console::{Console, Table, counted, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Delete now what is due (the deacon does so once an hour)
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Only say what would be deleted, why, and how large it is
    #[arg(long)]
    dry_run: bool,
    /// Also delete archived worktrees of landed beads, whatever their age, if git has everything in them
    #[arg(long)]
    landed: bool,
}

/// Runs `gt retention run`.
pub fn run(args: &RunArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let RunArgs { dry_run, landed } = args;
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
    let things = counted(report.going.len() as u64, "thing");
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
