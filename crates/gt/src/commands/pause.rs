//! `gt pause`.

use clap::Args;
use gt_model::id::RigName;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Stop dispatching new work; work that has begun continues
#[derive(Debug, Args)]
#[command(display_order = Group::Town.order())]
pub struct PauseArgs {
    /// Only in this rig [default: in the whole town]
    rig: Option<String>,
}

/// Runs `gt pause`.
pub fn pause(args: &PauseArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = args.rig.as_deref().map(|name| context.town.rig(name)).transpose()?;
    let name = rig.as_ref().map(gt_town::Rig::name);
    let news = gt_town::town::desired::pause(&context.town, &context.caller, name)?;
    said_of_pause(news, "paused", name, console)
}

/// Reports whether a pause was changed.
pub fn said_of_pause(news: bool, word: &str, rig: Option<&RigName>, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return console.facts("gt.pause/1", word, news);
    }
    let what = rig.map_or("the town".to_owned(), |rig| format!("the rig {rig}"));
    console.say(&format!("{what} {}", if news { format!("is {word}") } else { format!("was {word} already") }))?;
    Ok(0)
}
