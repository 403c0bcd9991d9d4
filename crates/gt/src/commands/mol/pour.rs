//! `gt mol pour`.

use clap::Args;
use gt_town::molecules::{self, Order};
use gt_town::work::beads;

use crate::commands::formula::{rig, run, vars};
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Pour a formula: make a molecule of it, for the next worker of a bead, or to run by itself
#[derive(Debug, Args)]
pub struct PourArgs {
    /// The formula
    formula: String,
    /// Value of a variable
    #[arg(long = "var", value_name = "NAME=VALUE")]
    vars: Vec<String>,
    /// Bead whose next worker follows it [default: it runs by itself]
    #[arg(long)]
    bead: Option<String>,
    /// The rig [default: the one here, or the only one]
    #[arg(long)]
    rig: Option<String>,
    /// Forget its steps when it ends [default: as the formula says]
    #[arg(long, visible_alias = "wisp", conflicts_with = "durable")]
    ephemeral: bool,
    /// Keep its steps when it ends [default: as the formula says]
    #[arg(long)]
    durable: bool,
}

/// Runs `gt mol pour`.
pub fn pour(args: &PourArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (rig, vars) = (rig(context, args.rig.as_deref())?, vars(&args.vars)?);
    let bead =
        args.bead.as_ref().map(|bead| context.town.ledger.read(|view| beads::resolve(view, bead))).transpose()?;
    let is_ephemeral = (args.ephemeral || args.durable).then_some(args.ephemeral);
    let order = Order { formula: &args.formula, vars: &vars, rig: rig.as_ref(), bead: bead.as_ref(), is_ephemeral };
    let molecule = molecules::pour(&context.town, &context.caller, &order)?;
    run::report("gt.mol-pour/1", &molecule, context, console)
}
