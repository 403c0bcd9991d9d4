//! `gt bead undefer`.

use clap::Args;
use gt_model::bead::Status;
use gt_town::work::beads;

use crate::commands::bead::changing::{Meant, Outcome, each};
use crate::commands::bead::words::Act;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// End the deferral of beads
#[derive(Debug, Args)]
pub struct UndeferArgs {
    /// Their ids
    #[arg(required = true)]
    ids: Vec<String>,
}

/// Runs `gt bead undefer`.
pub fn undefer(args: &UndeferArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    each(&args.ids, &Meant::All, Act::Undefer, context, console, |id| {
        let before = context.town.ledger.read(|view| beads::require(view, id))?;
        if before.status != Status::Deferred && before.defer_until.is_none() {
            return Ok(Outcome::Already(format!("{id} is not deferred: it is {}", before.status)));
        }
        Ok(Outcome::Done(Box::new(beads::undefer(&context.town, &context.caller, id)?)))
    })
}
