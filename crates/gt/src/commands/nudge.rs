//! `gt nudge`.

use clap::Args;
use gt_town::moments::nudge;

use crate::cli::Group;
use crate::console::Console;
use crate::context::{Context, text_or_stdin};
use crate::error::CliResult;

/// Wake an idle agent, and say whether it has heard
#[derive(Debug, Args)]
#[command(display_order = Group::Beside.order())]
pub struct NudgeArgs {
    /// Its address: <rig>/polecats/<name>, mayor/ …
    address: String,
    /// First send it this as a mail; `-` reads it from standard input
    #[arg(long, short)]
    message: Option<String>,
}

/// Runs `gt nudge`.
pub fn nudge(args: &NudgeArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let message = args.message.clone().map(text_or_stdin).transpose()?;
    let nudged = nudge::nudge(&context.town, &context.caller, &args.address, message.as_deref())?;
    if console.is_json() {
        return console.facts("gt.nudge/1", "nudged", nudged);
    }
    if let Some(mail) = &nudged.mail {
        console.say(&format!("sent {mail}"))?;
    }
    console.say(&match nudged.woken {
        true => format!("{} has heard", nudged.address),
        false => format!("{} is at work: nothing to wake; its mail reaches it as it works", nudged.address),
    })?;
    Ok(0)
}
