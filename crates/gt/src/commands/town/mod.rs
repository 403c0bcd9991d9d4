//! `gt town`.

use clap::Subcommand;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

mod adopt;
mod key;
mod set;

/// Manage the town itself: adopt a copy, change settings, create the overseer's key
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Town.order())]
pub enum TownVerb {
    Adopt(adopt::AdoptArgs),
    Set(set::SetArgs),
    Key(key::KeyArgs),
}

/// Runs a verb of `gt town`.
pub fn town(verb: &TownVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        TownVerb::Adopt(args) => adopt::adopt(args, context, console),
        TownVerb::Set(args) => set::set(args, context, console),
        TownVerb::Key(args) => key::key(args, context, console),
    }
}
