//! `gt polecat show`.

use clap::Args;
use gt_town::view::polecat::{self, PolecatDetail};

use super::state;
use crate::console::{Console, printable, time_text};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::words::Worded;

/// Show a worker, its sessions, and what is left of it; or all workers of a bead
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// <rig>/polecats/<name>, <rig>/<name>, or a bead
    which: String,
}

/// Runs `gt polecat show`.
pub fn show(args: &ShowArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    show_named(context, &args.which, console)
}

/// Shows a worker, or all workers of a bead. `gt show` and `gt why` do so, too.
pub fn show_named(context: &Context<'_>, which: &str, console: &mut Console<'_>) -> CliResult {
    let found = polecat::show(&context.town, which)?;
    if console.is_json() {
        return console.facts("gt.polecat/1", "polecats", found.worded()?);
    }
    for detail in &found {
        say_polecat(detail, console)?;
    }
    if found.last().is_some_and(|newest| newest.polecat.ended_at.is_some()) {
        let bead = &found[found.len() - 1].polecat.bead;
        console.line(&format!("to continue its work: gt polecat recover {bead}"))?;
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
