//! `gt bead duplicate`.

use clap::Args;
use gt_model::bead::DepType;

use super::supersede::close_for;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Close a bead that duplicates another one
#[derive(Debug, Args)]
pub struct DuplicateArgs {
    /// The bead to close
    id: String,
    /// The bead that stays
    #[arg(long, value_name = "BEAD")]
    of: String,
}

/// Runs `gt bead duplicate`.
pub fn duplicate(args: &DuplicateArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    close_for(&args.id, &args.of, &DepType::from(DUPLICATES), context, console)
}

/// Type of dependency between a bead and its duplicate.
const DUPLICATES: &str = "duplicates";
