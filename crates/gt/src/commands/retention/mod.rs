//! `gt retention`.

use clap::Subcommand;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

mod run;

/// Delete old worktrees, sessions and logs according to the retention settings
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Recover.order())]
pub enum RetentionVerb {
    Run(run::RunArgs),
}

/// Runs a verb of `gt retention`.
pub fn retention(verb: &RetentionVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        RetentionVerb::Run(args) => run::run(args, context, console),
    }
}
