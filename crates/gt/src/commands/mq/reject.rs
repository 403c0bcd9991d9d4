//! `gt mq reject`.

use clap::Args;
use gt_town::refinery::review;

use super::said;
use crate::console::Console;
use crate::context::{Context, text_or_stdin};
use crate::error::{CliError, CliResult};

/// Send a merge request back: a new worker continues from it and gets your note
#[derive(Debug, Args)]
pub struct RejectArgs {
    /// Its id, a unique part of it, or its bead's id
    id: String,
    /// What to change; `-` reads it from standard input
    #[arg(long, short)]
    note: String,
}

/// Runs `gt mq reject`.
pub fn reject(args: &RejectArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let note = text_or_stdin(args.note.clone())?;
    if note.trim().is_empty() {
        let hint =
            "gt mq reject <id> --note \"<what to change>\"; gt mq cancel takes it out of the queue for good".to_owned();
        return Err(CliError::Usage { what: "the worker needs a note that says what to change".to_owned(), hint });
    }
    let mr = review::reject(&context.town, &context.caller, &args.id, note.trim())?;
    said(&[mr], "sent back: a new worker continues from it and reads your note", context, console)
}
