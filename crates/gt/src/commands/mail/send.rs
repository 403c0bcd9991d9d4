//! `gt mail send`.

use clap::{Args, ValueEnum};
use gt_ledger::Priority;
use gt_town::mail::post;

use crate::console::Console;
use crate::context::{Context, text_or_stdin};
use crate::error::CliResult;

/// Send mail
#[derive(Debug, Args)]
pub struct SendArgs {
    /// Recipients: mayor/, overseer, <rig>/witness, <rig>/polecats/<name> …
    #[arg(required = true)]
    to: Vec<String>,
    /// The subject, in one line
    #[arg(long, short)]
    subject: String,
    /// The text; `-` reads it from standard input
    #[arg(long, short, default_value = "")]
    message: String,
    /// How soon the recipient should read it
    #[arg(long, short, value_enum, default_value_t)]
    priority: PriorityArg,
}

/// How soon the recipient should read a mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum PriorityArg {
    /// Before its turn ends.
    Urgent,
    /// After its next tool call.
    High,
    /// With its next prompt.
    #[default]
    Normal,
    /// At any time.
    Low,
}

/// Runs `gt mail send`.
pub fn send(args: &SendArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let SendArgs { to, subject, message, priority } = args;
    let body = text_or_stdin(message.clone())?;
    let priority = match priority {
        PriorityArg::Urgent => Priority::Urgent,
        PriorityArg::High => Priority::High,
        PriorityArg::Normal => Priority::Normal,
        PriorityArg::Low => Priority::Low,
    };
    let id = post::send_from(&context.town, &context.caller, to, subject, &body, priority)?;
    if console.is_json() {
        return console.facts("gt.mail-sent/1", "id", id);
    }
    console.say(&format!("sent {id} to {}", to.join(", ")))?;
    Ok(0)
}
