//! `gt refinery`.

use clap::Subcommand;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

mod confirm;
mod run;

/// Run a rig's merge queue by hand
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Land.order())]
pub enum RefineryVerb {
    Run(run::RunArgs),
    Confirm(confirm::ConfirmArgs),
}

/// Runs a verb of `gt refinery`.
pub fn refinery(verb: &RefineryVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        RefineryVerb::Run(args) => run::run(args, context, console),
        RefineryVerb::Confirm(args) => confirm::confirm(args, context, console),
    }
}
