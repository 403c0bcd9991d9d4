//! `gt formula which`.

use clap::Args;

use super::rig;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Say where a formula comes from: its own text first, then overlays and the formulas that it refers to
#[derive(Debug, Args)]
pub struct WhichArgs {
    /// The formula
    formula: String,
    /// As this rig sees it
    #[arg(long)]
    rig: Option<String>,
}

/// Runs `gt formula which`.
pub fn which(args: &WhichArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = rig(context, args.rig.as_deref())?;
    let found = context.town.formula(rig.as_ref(), &args.formula)?;
    let origins: Vec<String> = found.origins.iter().map(ToString::to_string).collect();
    if console.is_json() {
        return console.facts("gt.formula-which/1", "from", origins);
    }
    for origin in origins {
        console.line(&origin)?;
    }
    Ok(0)
}
