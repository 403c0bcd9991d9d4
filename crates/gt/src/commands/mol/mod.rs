//! `gt mol`.

use clap::Subcommand;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

mod status;

/// Show molecules: the steps that workers follow
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Agents.order())]
pub enum MolVerb {
    Status(status::StatusArgs),
}

/// Runs a verb of `gt mol`.
pub fn mol(verb: &MolVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        MolVerb::Status(args) => status::status(args, context, console),
    }
}
