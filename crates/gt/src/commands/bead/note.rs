//! `gt bead note`.

use clap::Args;
use gt_ledger::BeadChange;
use gt_town::work::beads;

use crate::commands::bead::text::TextArgs;
use crate::commands::bead::{shapes, words};
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Add a line to a bead's notes
#[derive(Debug, Args)]
pub struct NoteArgs {
    /// The bead
    id: String,
    /// The line.
    #[command(flatten)]
    text: TextArgs,
}

/// Runs `gt bead note`.
pub fn note(args: &NoteArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let text = args.text.read(context)?;
    let line = text.trim_end_matches('\n');
    if line.trim().is_empty() {
        return Err(CliError::usage("the note is empty", "bd note <id> \"what you found\""));
    }
    let id = context.town.ledger.read(|view| beads::resolve(view, &args.id))?;
    let change = BeadChange { more_notes: Some(line.to_owned()), ..BeadChange::default() };
    let bead = beads::update(&context.town, &context.caller, &id, &change)?;
    if console.is_json() {
        return shapes::print(&shapes::bare(&bead), console);
    }
    let id = printable(bead.id.as_str());
    words::say(console, &format!("noted on {id}"), &format!("✓ Note added to {id}"))?;
    Ok(0)
}
