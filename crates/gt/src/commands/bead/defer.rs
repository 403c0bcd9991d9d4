//! `gt bead defer`.

use clap::Args;
use gt_town::work::beads;

use crate::commands::bead::changing::{Meant, Outcome, each};
use crate::commands::bead::typed;
use crate::commands::bead::words::Act;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Defer beads until a date
#[derive(Debug, Args)]
pub struct DeferArgs {
    /// Their ids
    #[arg(required = true)]
    ids: Vec<String>,
    /// Until this time: +2d, tomorrow, 2026-02-01 [default: until undefer]
    #[arg(long)]
    until: Option<String>,
}

/// Runs `gt bead defer`.
pub fn defer(args: &DeferArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let until = args.until.as_deref();
    typed::warn_of_past(&[until], context, console)?;
    let until = until.map(|text| typed::future("--until", text, context)).transpose()?;
    each(&args.ids, &Meant::All, Act::Defer, context, console, |id| {
        Ok(Outcome::Done(Box::new(beads::defer(&context.town, &context.caller, id, until)?)))
    })
}
