//! `gt mol status`.

use clap::Args;
use gt_ledger::{Molecule, MoleculeStep};
use gt_town::Error;
use gt_town::molecules::{upgrade, words};
use serde_json::{Value, json};

use super::molecule;
use crate::console::{Console, Table, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Show where the steps of a molecule are, and what they wait for
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The molecule, or a bead [default: the one on your hook]
    bead: Option<String>,
}

/// Runs `gt mol status`.
pub fn status(args: &StatusArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let molecule = molecule(context, args.bead.as_deref())?;
    say(&molecule, context, console)
}

/// Prints where a molecule is.
pub fn say(molecule: &Molecule, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (attempt, steps) = context.town.ledger.read(|view| {
        let attempt = molecule.attempt.map(|attempt| view.attempt(attempt)).transpose()?.flatten();
        Ok::<_, Error>((attempt, view.steps_of(molecule.id)?))
    })?;
    let is_newer = upgrade::newer(&context.town, molecule).is_some();
    if console.is_json() {
        let steps = steps.iter().map(|step| facts(&steps, step)).collect::<Result<Vec<_>, CliError>>()?;
        let document = json!({
            "schema": "gt.molecule/1", "molecule": molecule, "attempt": attempt, "steps": steps, "newer": is_newer,
        });
        return console.document(&document);
    }
    let of = attempt.map(|attempt| format!("{} attempt {}: ", attempt.bead, attempt.number));
    let end = molecule.outcome.map(|outcome| format!(", {}", outcome.as_str())).unwrap_or_default();
    console.line(&format!("{}{} ({}{end})", of.unwrap_or_default(), printable(&molecule.formula), molecule.id))?;
    if is_newer {
        let id = molecule.id;
        console.line(&format!(
            "a newer {} exists: gt mol upgrade {id} moves steps that have not begun",
            molecule.formula
        ))?;
    }
    let mut table = Table::new(&["STEP", "STATE", "TITLE", "WAITS FOR"]);
    for step in &steps {
        let waits = words::waits_for(&steps, step).unwrap_or_default();
        table.row([step.step.id.as_str(), step.state.as_str(), &step.step.title, &waits]);
    }
    console.table(&table)?;
    Ok(0)
}

/// Returns a step as JSON, with what it waits for.
fn facts(steps: &[MoleculeStep], step: &MoleculeStep) -> Result<Value, CliError> {
    let mut facts = serde_json::to_value(step).map_err(|e| CliError::Io(e.into()))?;
    facts["waits_for"] = json!(words::waits_for(steps, step));
    Ok(facts)
}
