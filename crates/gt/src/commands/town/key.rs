//! `gt town key`.

use std::path::PathBuf;

use clap::Args;
use gt_town::town::person;

use crate::console::Console;
use crate::context::{Context, absolute};
use crate::error::CliResult;

/// Create the overseer's key in a new file; `gt mq approve` and similar verbs need it from then on
///
/// Verbs that let work land, change settings, destroy or spend need the key. Only the owner can read the file, and every sandbox
/// hides it; town.toml has its hash and its path ([overseer] confirm, key, key_file). GT_OVERSEER_KEY_FILE names another path, if
/// you moved the key or have it there for one call only. To work without a key again, remove [overseer] from town.toml.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// Path of the new file, outside the town
    file: PathBuf,
}

/// Runs `gt town key`.
pub fn key(args: &KeyArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let file = person::make_key(&context.town, &context.caller, &absolute(context.process, &args.file))?;
    if console.is_json() {
        return console.facts("gt.key/1", "file", file.display().to_string());
    }
    console
        .say(&format!("the overseer's key is in {}; sandboxes that are made from now on hide it", file.display()))?;
    console.say(
        "without a sandbox, agents can read every file that you can read: then store it elsewhere, and name it when you need it:",
    )?;
    console.say(&format!("  {}=<file> gt mq approve <merge request>", person::KEY_FILE_VARIABLE))?;
    Ok(0)
}
