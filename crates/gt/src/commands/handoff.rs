//! `gt handoff`.

use clap::Args;
use gt_town::work::handoff;

use crate::cli::Group;
use crate::console::Console;
use crate::context::{Context, text_or_stdin};
use crate::error::CliResult;

/// Leave a message for your successor; your session ends with your turn, and a new one continues
#[derive(Debug, Args)]
#[command(display_order = Group::Agents.order())]
pub struct HandoffArgs {
    /// The subject, in one line
    #[arg(long, short, default_value = "")]
    subject: String,
    /// What your successor must know; `-` reads it from standard input
    #[arg(long, short, default_value = "")]
    message: String,
}

/// Runs `gt handoff`.
pub fn handoff(args: &HandoffArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let handed =
        handoff::handoff(&context.town, &context.caller, &args.subject, &text_or_stdin(args.message.clone())?)?;
    if console.is_json() {
        return console.facts("gt.handoff/1", "handed-off", handed);
    }
    console.line("Your successor gets that first. End your turn.")?;
    Ok(0)
}
