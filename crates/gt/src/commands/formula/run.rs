//! `gt formula run`.

use clap::Args;
use gt_ledger::Molecule;
use gt_town::molecules::{self, Order};

use super::{rig, vars};
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Run a formula by itself: beads and a convoy for its steps and legs, workers for the beads, then the synthesis
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The formula
    formula: String,
    /// Value of a variable
    #[arg(long = "var", value_name = "NAME=VALUE")]
    vars: Vec<String>,
    /// The rig [default: the one here, or the only one]
    #[arg(long)]
    rig: Option<String>,
}

/// Runs `gt formula run`.
pub fn run(args: &RunArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (rig, vars) = (rig(context, args.rig.as_deref())?, vars(&args.vars)?);
    let order = Order { formula: &args.formula, vars: &vars, rig: rig.as_ref(), bead: None, is_ephemeral: None };
    let molecule = molecules::pour(&context.town, &context.caller, &order)?;
    report("gt.formula-run/1", &molecule, context, console)
}

/// Reports a poured molecule.
pub fn report(schema: &str, molecule: &Molecule, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return console.facts(schema, "molecule", molecule);
    }
    console.say(&format!("{} is poured from {}", molecule.id, molecule.formula))?;
    match (&molecule.bead, &molecule.convoy) {
        (Some(bead), _) => console.say(&format!("next: gt sling {bead}; its worker follows {}", molecule.id))?,
        (None, Some(convoy)) => console.say(&format!("its beads are in convoy {convoy}: gt convoy show {convoy}"))?,
        (None, None) => {}
    }
    console.say(&format!("gt mol status {} says where it is", molecule.id))?;
    if molecule.bead.is_none() && !context.town.deacon_runs()? {
        console.say("no deacon runs, so nothing begins: gt up starts it")?;
    }
    Ok(0)
}
