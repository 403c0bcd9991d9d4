//! `gt witness`.

use clap::Subcommand;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

mod run;

/// Look after a rig's workers by hand
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Other.order())]
pub enum WitnessVerb {
    Run(run::RunArgs),
}

/// Runs a verb of `gt witness`.
pub fn witness(verb: &WitnessVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        WitnessVerb::Run(args) => run::run(args, context, console),
    }
}
