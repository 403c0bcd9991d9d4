//! `gt mq landed`.

use clap::Args;
use gt_town::refinery::review;

use super::said;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Record that a merge request's work is on the trunk, and close its bead as landed
#[derive(Debug, Args)]
pub struct LandedArgs {
    /// Its id, a unique part of it, or its bead's id
    id: String,
    /// The commit [default: the one that seems to contain its work]
    #[arg(long, value_name = "COMMIT")]
    by: Option<String>,
    /// Record that it had landed and was removed from the trunk on purpose: its bead stays closed, as not landed
    #[arg(long, conflicts_with = "by")]
    not: bool,
}

/// Runs `gt mq landed`.
pub fn landed(args: &LandedArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let LandedArgs { id, by, not } = args;
    if *not {
        return not_landed(context, id, console);
    }
    let landed = review::landed(&context.town, &context.caller, id, by.as_deref())?;
    said(&[landed], "over: its bead is closed as landed", context, console)
}

/// Runs `gt mq landed --not`.
fn not_landed(context: &Context<'_>, id: &str, console: &mut Console<'_>) -> CliResult {
    let taken_off = review::not_landed(&context.town, &context.caller, id)?;
    said(&[taken_off], "off the trunk, on purpose: its bead stays closed, as not landed", context, console)
}
