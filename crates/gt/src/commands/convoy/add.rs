//! `gt convoy add`.

use clap::Args;
use gt_town::work::{beads, convoy};

use super::one;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Add beads to a convoy
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Its id
    id: String,
    /// The beads
    #[arg(required = true)]
    beads: Vec<String>,
}

/// Runs `gt convoy add`.
pub fn add(args: &AddArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (town, caller) = (&context.town, &context.caller);
    let members = beads::resolve_all(town, &args.beads)?;
    let convoy = convoy::add(town, caller, &one(context, &args.id)?, &members)?;
    if console.is_json() {
        return console.facts("gt.convoy/1", "convoy", convoy::show(town, &convoy.id)?);
    }
    console.say(&format!("convoy {} has them", convoy.id))?;
    Ok(0)
}
