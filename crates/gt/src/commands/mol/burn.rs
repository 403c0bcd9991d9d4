//! `gt mol burn`.

use clap::Args;
use gt_town::molecules::steps;

use super::id;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Throw a molecule away with its steps; beads that were made for them stay
#[derive(Debug, Args)]
pub struct BurnArgs {
    /// The molecule
    molecule: String,
}

/// Runs `gt mol burn`.
pub fn burn(args: &BurnArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let molecule = steps::burn(&context.town, &context.caller, id(&args.molecule)?)?;
    if console.is_json() {
        return console.facts("gt.mol-burn/1", "molecule", molecule);
    }
    console.say(&format!("{} is burned", molecule.id))?;
    Ok(0)
}
