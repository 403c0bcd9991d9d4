//! `gt witness run`.

use clap::Args;
use gt_town::effects::Scope;
use gt_town::patrol::witness;
use gt_town::patrol::witness::Watch;
use gt_town::town::observed::Observed;
use gt_town::town::person;
use gt_town::{effects, refinery};

use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// Check every worker, and act where needed, now
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The rig [default: the one you are in, or the only one]
    rig: Option<String>,
    /// Run one patrol (the deacon runs all others)
    #[arg(long, required = true)]
    once: bool,
}

/// Runs `gt witness run --once`.
pub fn run(args: &RunArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (town, rig) = (&context.town, context.rig(args.rig.as_deref())?);
    person::require_or(&context.caller, "runs patrols", refinery::PATROLS)?;
    let mut observed = Observed::impatient();
    let findings = witness::patrol(town, &rig, &mut Watch::default(), &mut observed)?;
    effects::run_all(town, Scope::All, &mut observed)?;
    if console.is_json() {
        return console.facts("gt.patrol/1", "findings", findings);
    }
    let mut table = Table::new(&["WORKER", "BEAD", "VERDICT"]);
    for finding in findings {
        table.row([finding.worker.to_string(), finding.bead.0, finding.verdict.text()]);
    }
    console.table(&table)?;
    Ok(0)
}
