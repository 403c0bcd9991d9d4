//! `gt mol graph`.

use clap::Args;
use gt_model::formula::Step;
use gt_town::Error;

use super::molecule;
use crate::commands::formula::graph::{self as drawn, Form};
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Draw the steps of a molecule with their states
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// The molecule, or a bead [default: the one on your hook]
    molecule: Option<String>,
    #[command(flatten)]
    form: Form,
}

/// Runs `gt mol graph`.
pub fn graph(args: &GraphArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let molecule = molecule(context, args.molecule.as_deref())?;
    let steps = context.town.ledger.read(|view| view.steps_of(molecule.id).map_err(Error::from))?;
    drawn::require(steps.len(), &molecule.id.to_string())?;
    let steps: Vec<(&Step, Option<String>)> =
        steps.iter().map(|step| (&step.step, Some(step.state.to_string()))).collect();
    drawn::draw("gt.mol-graph/1", &steps, args.form, console)
}
