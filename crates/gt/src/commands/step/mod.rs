//! `gt step`.

use clap::Subcommand;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

mod done;

/// Close the steps of your molecule
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Agents.order())]
pub enum StepVerb {
    Done(done::DoneArgs),
}

/// Runs a verb of `gt step`.
pub fn step(verb: &StepVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        StepVerb::Done(args) => done::done(args, context, console),
    }
}
