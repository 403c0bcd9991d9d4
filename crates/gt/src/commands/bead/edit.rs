//! `gt bead edit`.

use clap::Args;
use gt_ledger::BeadChange;
use gt_town::work::beads;

use crate::commands::bead::{found_bead, shapes, words};
use crate::console::Console;
use crate::context::Context;
use crate::editor;
use crate::error::CliResult;

/// Edit a text of a bead in your editor
#[derive(Debug, Args)]
pub struct EditArgs {
    /// The bead
    id: String,
    /// Text to edit.
    #[command(flatten)]
    which: Which,
}

/// Text to edit; the description if none is named.
#[derive(Clone, Copy, Debug, Args)]
#[group(multiple = false)]
struct Which {
    /// Edit the description, which is the default
    #[arg(long)]
    description: bool,
    /// Edit the title
    #[arg(long)]
    title: bool,
    /// Edit the design
    #[arg(long)]
    design: bool,
    /// Edit the notes
    #[arg(long)]
    notes: bool,
    /// Edit the acceptance criteria
    #[arg(long)]
    acceptance: bool,
}

/// Runs `gt bead edit`.
pub fn edit(args: &EditArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let which = args.which;
    let before = found_bead(&args.id, context)?;
    let old = match which {
        Which { title: true, .. } => &before.title,
        Which { design: true, .. } => &before.design,
        Which { notes: true, .. } => &before.notes,
        Which { acceptance: true, .. } => &before.acceptance_criteria,
        _ => &before.description,
    };
    let edited = editor::edit(old, ".md", &context.process.env)?;
    let new = edited.text.trim().to_owned();
    if new == old.trim() {
        console.say("nothing was changed")?;
        return Ok(0);
    }
    let change = match which {
        Which { title: true, .. } => BeadChange { title: Some(new), ..BeadChange::default() },
        Which { design: true, .. } => BeadChange { design: Some(new), ..BeadChange::default() },
        Which { notes: true, .. } => BeadChange { notes: Some(new), ..BeadChange::default() },
        Which { acceptance: true, .. } => BeadChange { acceptance_criteria: Some(new), ..BeadChange::default() },
        _ => BeadChange { description: Some(new), ..BeadChange::default() },
    };
    match beads::update(&context.town, &context.caller, &before.id, &change) {
        Ok(bead) if console.is_json() => shapes::print(&shapes::bare(&bead), console),
        Ok(bead) => {
            console.say(&words::Act::Change.line(&bead, console))?;
            Ok(0)
        }
        Err(error) => {
            let kept = edited.keep()?;
            console.note(&format!("what you wrote is kept in {}", kept.display()))?;
            Err(error.into())
        }
    }
}
