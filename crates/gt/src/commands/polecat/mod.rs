//! `gt polecat`.

use clap::Subcommand;
use gt_ledger::AttemptOutcome;
use gt_town::view::polecat::Polecat;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;
use crate::words;

mod list;
mod nuke;
mod recover;
pub mod show;

/// Show workers, also ended ones, and recover their work
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Recover.order())]
pub enum PolecatVerb {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Nuke(nuke::NukeArgs),
    Recover(recover::RecoverArgs),
}

/// Runs a verb of `gt polecat`.
pub fn polecat(verb: &PolecatVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        PolecatVerb::List(args) => list::list(args, context, console),
        PolecatVerb::Show(args) => show::show(args, context, console),
        PolecatVerb::Nuke(args) => nuke::nuke(args, context, console),
        PolecatVerb::Recover(args) => recover::recover(args, context, console),
    }
}

/// Describes what a worker is doing, or how it ended.
fn state(polecat: &Polecat) -> String {
    let outcome = polecat.outcome.map_or("over", AttemptOutcome::as_str);
    polecat.doing.as_ref().map_or_else(|| outcome.to_owned(), words::worker)
}
