//! `gt unsling`.

use clap::Args;
use gt_town::work::{beads, sling};

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Take beads back from their workers; their work is kept
#[derive(Debug, Args)]
#[command(display_order = Group::Assign.order())]
pub struct UnslingArgs {
    /// The beads
    #[arg(required = true)]
    beads: Vec<String>,
}

/// Runs `gt unsling`.
pub fn unsling(args: &UnslingArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let ids = beads::resolve_all(&context.town, &args.beads)?;
    let mut taken = Vec::new();
    for id in &ids {
        taken.push(sling::unsling(&context.town, &context.caller, id)?);
    }
    if console.is_json() {
        return console.facts("gt.unslung/1", "attempts", taken);
    }
    for attempt in &taken {
        console.say(&format!(
            "{} taken back from {}; its work stays on {}",
            attempt.bead,
            attempt.address(),
            attempt.branch
        ))?;
    }
    Ok(0)
}
