//! `gt rig gates`.

use clap::Subcommand;

use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

mod add;
mod list;
mod remove;
pub mod run;

/// Manage a rig's gates: the commands that work must pass to land
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum GatesVerb {
    List(list::ListArgs),
    Run(run::RunArgs),
    Add(add::AddArgs),
    Remove(remove::RemoveArgs),
}

/// Runs a verb of `gt rig gates`.
pub fn gates(verb: &GatesVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        GatesVerb::List(args) => list::list(args, context, console),
        GatesVerb::Run(args) => run::run(args, context, console),
        GatesVerb::Add(args) => add::add(args, context, console),
        GatesVerb::Remove(args) => remove::remove(args, context, console),
    }
}
