//! `gt config edit`.

use clap::Args;
use gt_town::town::{config, person};

use super::whose;
use crate::console::Console;
use crate::context::Context;
use crate::editor;
use crate::error::CliResult;

/// Edit the settings file in your editor ($VISUAL, $EDITOR); a file that can't be used is not applied
#[derive(Debug, Args)]
pub struct EditArgs {
    /// The rig's file [default: the town's]
    #[arg(long)]
    rig: Option<String>,
}

/// Runs `gt config edit`.
pub fn edit(args: &EditArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = args.rig.as_deref().map(|name| context.town.rig(name)).transpose()?;
    let whose = whose(rig.as_ref());
    person::require(&context.caller, "edits settings")?;
    let before = config::text(&context.town, whose)?;
    let edited = editor::edit(&before, ".toml", &context.process.env)?;
    if edited.text == before {
        console.say("nothing was changed")?;
        return Ok(0);
    }
    if let Err(error) = config::replace(&context.town, &context.caller, whose, &before, &edited.text) {
        let kept = edited.keep()?;
        console.note(&format!("nothing was changed; what you wrote is in {}", kept.display()))?;
        return Err(error.into());
    }
    console.say(&format!("{} is changed", whose.file(&context.town).display()))?;
    Ok(0)
}
