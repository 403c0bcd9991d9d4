//! `gt ledger check`.

use clap::Args;

use crate::commands::bead;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Check the ledger's file, and what is in it
#[derive(Debug, Args)]
pub struct CheckArgs;

/// Runs `gt ledger check`.
pub fn check(_args: &CheckArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    bead::check(context, console)
}
