//! `gt bead q`.

use clap::Args;

use super::create::{CreateArgs, create_beads};
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Create a bead and print only its id
#[derive(Debug, Args)]
pub struct QArgs {
    /// The bead.
    #[command(flatten)]
    bead: CreateArgs,
}

/// Runs `gt bead q`.
pub fn q(args: &QArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    create_beads(&args.bead, true, context, console)
}
