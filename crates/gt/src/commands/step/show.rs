//! `gt step show`.

use clap::Args;
use gt_ledger::MoleculeStep;
use gt_town::Error;
use gt_town::molecules::steps::{self, Named};
use gt_town::molecules::words;

use crate::commands::formula::say_step;
use crate::console::{Console, printable_lines};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Show a step: its texts, its state, what it waits for, and what its command printed
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The step of your molecule, or <molecule>/<step>
    step: String,
}

/// Runs `gt step show`.
pub fn show(args: &ShowArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let named = Named::parse(&args.step);
    let (molecule, step, all) = context.town.ledger.read(|view| {
        let (molecule, step) = steps::find(view, &context.caller, &named)?;
        let all = view.steps_of(molecule.id)?;
        Ok::<_, Error>((molecule, step, all))
    })?;
    let waits = words::waits_for(&all, &step);
    if console.is_json() {
        let facts = serde_json::json!({ "molecule": molecule.id, "step": step, "waits_for": waits });
        return console.facts("gt.step-show/1", "step", facts);
    }
    say_step(&step.step, console)?;
    console.line("")?;
    let waits = waits.map(|waits| format!(": {waits}")).unwrap_or_default();
    console.line(&format!("{} of {}{waits}", step.state, molecule.id))?;
    say_results(&step, console)?;
    Ok(0)
}

fn say_results(step: &MoleculeStep, console: &mut Console<'_>) -> Result<(), CliError> {
    if step.tries > 0 {
        console.line(&format!("failed runs: {}", step.tries))?;
    }
    for (name, text) in [("note", &step.note), ("output", &step.output)] {
        if let Some(text) = text.as_ref().filter(|text| !text.is_empty()) {
            console.line(&format!("{name}:"))?;
            console.line(printable_lines(text).trim_end())?;
        }
    }
    Ok(())
}
