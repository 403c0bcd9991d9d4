//! `gt convoy create`.

use clap::Args;
use gt_town::work::{beads, convoy};

use super::state_words;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Create a convoy of beads
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Its title
    title: String,
    /// Its beads
    beads: Vec<String>,
    /// Leave slinging its ready beads to the mayor or a person instead of the deacon
    #[arg(long)]
    manual: bool,
}

/// Runs `gt convoy create`.
pub fn create(args: &CreateArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (town, caller) = (&context.town, &context.caller);
    let members = beads::resolve_all(town, &args.beads)?;
    let convoy = convoy::create(town, caller, &args.title, &members, args.manual)?;
    if console.is_json() {
        return console.facts("gt.convoy/1", "convoy", convoy::show(town, &convoy.id)?);
    }
    let state = convoy::show(town, &convoy.id)?.state;
    let over = if state.is_over() { format!(": {}", state_words(state)) } else { String::new() };
    console.say(&format!("convoy {} made with {} beads{over}", convoy.id, members.len()))?;
    Ok(0)
}
