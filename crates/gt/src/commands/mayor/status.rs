//! `gt mayor status`.

use clap::Args;
use gt_model::address::Address;
use gt_town::patrol::standing;

use super::say;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;
use crate::words::Worded;

/// Show what the mayor is doing
#[derive(Debug, Args)]
pub struct StatusArgs;

/// Runs `gt mayor status`.
pub fn status(_args: &StatusArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let status = standing::status(&context.town, &Address::Mayor)?;
    if console.is_json() {
        return console.facts("gt.agent/1", "agent", status.worded()?);
    }
    say(&status, console)?;
    Ok(0)
}
