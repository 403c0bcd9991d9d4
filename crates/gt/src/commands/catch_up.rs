//! `gt catch-up`.

use clap::Args;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Fetch, and bring your branch up to the trunk without losing any of it
#[derive(Debug, Args)]
#[command(display_order = Group::Agents.order())]
pub struct CatchUpArgs;

/// Runs `gt catch-up`.
pub fn catch_up(_args: &CatchUpArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let caught_up = gt_town::effects::catch_up::catch_up(&context.town, &context.caller)?;
    if console.is_json() {
        return console.facts("gt.caught-up/1", "caught_up", caught_up);
    }
    let trunk = caught_up.trunk.short();
    console.line(&match caught_up.way {
        None => format!("Your branch contains the trunk ({trunk}) already."),
        Some("merge") => {
            format!("Your branch has the trunk ({trunk}) merged in, since it has merge commits. Run the gates again.")
        }
        Some(way) => format!("Your branch is up to the trunk ({trunk}), by a {way}. Run the gates again."),
    })?;
    Ok(0)
}
