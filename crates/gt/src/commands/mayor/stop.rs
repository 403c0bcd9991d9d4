//! `gt mayor stop`.

use clap::Args;
use gt_model::address::Address;
use gt_town::patrol::standing;

use super::said_of_stop;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Stop the mayor until you start it again
#[derive(Debug, Args)]
pub struct StopArgs;

/// Runs `gt mayor stop`.
pub fn stop(_args: &StopArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let status = standing::stop(&context.town, &context.caller, &Address::Mayor)?;
    said_of_stop(&status, "gt mayor start, or gt mayor ask", console)
}
