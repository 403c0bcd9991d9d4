//! `gt mayor allow`.

use clap::Args;
use gt_town::moments::allow::Whom;

use crate::commands::rig::allow::{Patterns, allow_for};
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Let the mayor run a command or use a tool without asking, from now on
///
/// As `gt rig allow`; stored as `allow` under `[mayor]` in town.toml.
#[derive(Debug, Args)]
pub struct AllowArgs {
    /// Patterns to allow.
    #[command(flatten)]
    patterns: Patterns,
}

/// Runs `gt mayor allow`.
pub fn allow(args: &AllowArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    allow_for(Whom::Mayor, &args.patterns, context, console)
}
