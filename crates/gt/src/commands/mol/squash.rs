//! `gt mol squash`.

use clap::Args;
use gt_town::molecules::steps;

use super::id;
use crate::console::{Console, printable_lines};
use crate::context::Context;
use crate::error::CliResult;

/// Replace the steps of an ended molecule by a summary
#[derive(Debug, Args)]
pub struct SquashArgs {
    /// The molecule
    molecule: String,
    /// The summary [default: each step with its end and its note]
    #[arg(long)]
    summary: Option<String>,
}

/// Runs `gt mol squash`.
pub fn squash(args: &SquashArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let molecule = steps::squash(&context.town, &context.caller, id(&args.molecule)?, args.summary.as_deref())?;
    if console.is_json() {
        return console.facts("gt.mol-squash/1", "molecule", molecule);
    }
    console.say(&format!("{} is squashed:", molecule.id))?;
    console.say(printable_lines(molecule.digest.as_deref().unwrap_or_default()).trim_end())?;
    Ok(0)
}
