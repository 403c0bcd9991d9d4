//! `gt resume`.

use clap::Args;
use gt_town::admission::{limits, spend};

use super::pause::said_of_pause;
use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Resume dispatching work
#[derive(Debug, Args)]
#[command(display_order = Group::Town.order())]
pub struct ResumeArgs {
    /// Only in this rig [default: in the whole town]
    rig: Option<String>,
    /// With this kind of agent, which was at a limit or could not be used
    #[arg(long, value_name = "KIND", conflicts_with = "rig")]
    agent: Option<String>,
    /// Continue today although the day's cap is reached: the same amount may be spent once more
    #[arg(long, conflicts_with_all = ["rig", "agent"])]
    spend: bool,
}

/// Runs `gt resume`.
pub fn resume(args: &ResumeArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    if args.spend {
        return resume_spending(context, console);
    }
    if let Some(kind) = &args.agent {
        let news = limits::resume(&context.town, &context.caller, kind)?;
        if console.is_json() {
            return console.facts("gt.pause/1", "resumed", news);
        }
        let was = if news { "works again" } else { "was not at a limit" };
        console.say(&format!("the kind {kind} {was}"))?;
        return Ok(0);
    }
    let rig = args.rig.as_deref().map(|name| context.town.rig(name)).transpose()?;
    let name = rig.as_ref().map(gt_town::Rig::name);
    let news = gt_town::town::desired::resume(&context.town, &context.caller, name)?;
    said_of_pause(news, "resumed", name, console)
}

/// Runs `gt resume --spend`.
fn resume_spending(context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let news = spend::resume(&context.town, &context.caller)?;
    if console.is_json() {
        return console.facts("gt.pause/1", "resumed", news);
    }
    console.say(if news {
        "the same amount may be spent once more today"
    } else {
        "neither the day's cap nor that of a turn is reached"
    })?;
    Ok(0)
}
