//! `gt mol list`.

use clap::Args;
use gt_town::Error;
use serde_json::json;

use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// List molecules that have not ended, the newest first
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Also those that have ended
    #[arg(long)]
    all: bool,
}

/// Runs `gt mol list`.
pub fn list(args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let found = context.town.ledger.read(|view| {
        let mut molecules = view.molecules()?;
        molecules.retain(|molecule| args.all || molecule.ended_at.is_none());
        let counted = molecules.into_iter().map(|molecule| Ok((view.step_counts(molecule.id)?, molecule)));
        counted.collect::<Result<Vec<_>, Error>>()
    })?;
    if console.is_json() {
        let facts = found.iter().map(|(counts, molecule)| json!({ "molecule": molecule, "steps": counts }));
        return console.facts("gt.molecules/1", "molecules", facts.collect::<Vec<_>>());
    }
    let mut table = Table::new(&["MOLECULE", "FORMULA", "FOR", "OVER", "STATE"]);
    for (counts, molecule) in found {
        let of = molecule.bead.as_ref().or(molecule.convoy.as_ref()).map(ToString::to_string).unwrap_or_default();
        let state = match molecule.outcome {
            Some(outcome) => outcome.as_str().to_owned(),
            None if counts.failed > 0 => format!("{} failed", counts.failed),
            None => "open".to_owned(),
        };
        table.row([molecule.id.to_string(), molecule.formula, of, format!("{}/{}", counts.over, counts.all), state]);
    }
    console.table(&table)?;
    Ok(0)
}
