//! `gt bead comment`.

use clap::Args;
use gt_town::work::beads;

use crate::commands::bead::text::TextArgs;
use crate::commands::bead::{shapes, words};
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Comment on a bead
#[derive(Debug, Args)]
pub struct CommentArgs {
    /// The bead
    id: String,
    /// The comment.
    #[command(flatten)]
    text: TextArgs,
}

/// Runs `gt bead comment`.
pub fn comment(args: &CommentArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    add_comment(&args.id, &args.text, None, context, console)
}

/// Adds a comment to a bead.
pub fn add_comment(
    id: &str,
    text: &TextArgs,
    author: Option<&str>,
    context: &Context<'_>,
    console: &mut Console<'_>,
) -> CliResult {
    let text = text.read(context)?;
    let id = context.town.ledger.read(|view| beads::resolve(view, id))?;
    let caller = match author {
        Some(name) => context.caller.clone().called(Some(name)),
        None => context.caller.clone(),
    };
    let bead = beads::comment(&context.town, &caller, &id, &text)?;
    if console.is_json() {
        return console.document(&shapes::comments(&bead).pop().unwrap_or_default());
    }
    words::say(console, &format!("commented on {id}"), &format!("✓ Comment added to {id}"))?;
    Ok(0)
}
