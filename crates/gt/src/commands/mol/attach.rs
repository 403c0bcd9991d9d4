//! `gt mol attach`.

use clap::Args;
use gt_town::molecules;
use gt_town::work::beads;

use super::id;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Attach a poured molecule to a bead, whose next worker follows it
#[derive(Debug, Args)]
pub struct AttachArgs {
    /// The molecule
    molecule: String,
    /// The bead
    bead: String,
}

/// Runs `gt mol attach`.
pub fn attach(args: &AttachArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let bead = context.town.ledger.read(|view| beads::resolve(view, &args.bead))?;
    let molecule = molecules::attach(&context.town, &context.caller, id(&args.molecule)?, &bead)?;
    if console.is_json() {
        return console.facts("gt.mol-attach/1", "molecule", molecule);
    }
    console.say(&format!("{} is attached to {bead}; next: gt sling {bead}", molecule.id))?;
    Ok(0)
}
