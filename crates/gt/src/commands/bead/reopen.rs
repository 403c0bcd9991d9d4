//! `gt bead reopen`.

use clap::Args;
use gt_model::bead::Status;
use gt_town::work::beads;

use crate::commands::bead::changing::{Meant, Outcome, each};
use crate::commands::bead::words::Act;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Reopen closed or deleted beads
#[derive(Debug, Args)]
pub struct ReopenArgs {
    /// Their ids
    #[arg(required = true)]
    ids: Vec<String>,
    /// Why; stored as a comment
    #[arg(long, short)]
    reason: Option<String>,
}

/// Runs `gt bead reopen`.
pub fn reopen(args: &ReopenArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let reason = args.reason.as_deref();
    let as_bd = console.is_bd();
    each(&args.ids, &Meant::Each, Act::Reopen, context, console, |id| {
        let before = context.town.ledger.read(|view| beads::require(view, id))?;
        if as_bd && before.status == Status::Open {
            return Ok(Outcome::Already(format!("{id} is already open")));
        }
        Ok(Outcome::Done(Box::new(beads::reopen(&context.town, &context.caller, id, reason)?)))
    })
}
