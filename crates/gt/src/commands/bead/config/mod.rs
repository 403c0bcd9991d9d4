//! `gt bead config`.

use clap::Subcommand;

use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

mod get;
mod list;
mod set;
mod unset;

/// Read and change the ledger's own settings
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum ConfigVerb {
    Get(get::GetArgs),
    Set(set::SetArgs),
    List(list::ListArgs),
    Unset(unset::UnsetArgs),
}

/// Runs a verb of `gt bead config`.
pub fn config(verb: &ConfigVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        ConfigVerb::Get(args) => get::get(args, context, console),
        ConfigVerb::Set(args) => set::set(args, context, console),
        ConfigVerb::List(args) => list::list(args, context, console),
        ConfigVerb::Unset(args) => unset::unset(args, context, console),
    }
}
