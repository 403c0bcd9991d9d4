//! `gt mol steps`.

use clap::Args;
use gt_town::Error;

use super::molecule;
use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// List the steps of a molecule: what comes after what
#[derive(Debug, Args)]
pub struct StepsArgs {
    /// The molecule, or a bead [default: the one on your hook]
    molecule: Option<String>,
}

/// Runs `gt mol steps`.
pub fn steps(args: &StepsArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let molecule = molecule(context, args.molecule.as_deref())?;
    let steps = context.town.ledger.read(|view| view.steps_of(molecule.id).map_err(Error::from))?;
    if console.is_json() {
        return console.facts("gt.mol-steps/1", "steps", steps);
    }
    let mut table = Table::new(&["STEP", "STATE", "AFTER", "BEAD", "TITLE"]);
    for step in steps {
        let bead = step.bead.map(|bead| bead.0).unwrap_or_default();
        table.row([step.step.id, step.state.to_string(), step.step.needs.join(", "), bead, step.step.title]);
    }
    console.table(&table)?;
    Ok(0)
}
