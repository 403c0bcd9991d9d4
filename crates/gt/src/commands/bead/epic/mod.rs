//! `gt bead epic`.

use clap::Subcommand;
use gt_town::Error;

use crate::commands::bead::shapes;
use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

mod close_eligible;
mod status;

/// Show the progress of epics, and close finished ones
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum EpicVerb {
    Status(status::StatusArgs),
    CloseEligible(close_eligible::CloseEligibleArgs),
}

/// Runs a verb of `gt bead epic`.
pub fn epic(verb: &EpicVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        EpicVerb::Status(args) => status::status(args, context, console),
        EpicVerb::CloseEligible(args) => close_eligible::close_eligible(args, context, console),
    }
}

/// Prints open epics, or only those whose children are all closed.
fn print(only_done: bool, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let mut epics = context.town.ledger.read(|view| view.epics().map_err(Error::from))?;
    epics.retain(|epic| !only_done || epic.is_done());
    if console.is_json() {
        let one = |epic: &gt_ledger::EpicStatus| {
            format!(
                "{{\"epic\":{},\"total_children\":{},\"closed_children\":{},\"eligible_for_close\":{}}}",
                shapes::bare(&epic.epic),
                epic.children,
                epic.closed,
                epic.is_done()
            )
        };
        return shapes::print_array(&epics.iter().map(one).collect::<Vec<_>>(), console);
    }
    let mut table = Table::new(&["EPIC", "CLOSED", "OF", "TITLE"]);
    for epic in &epics {
        let id = epic.epic.id.0.clone();
        table.row([id, epic.closed.to_string(), epic.children.to_string(), epic.epic.title.clone()]);
    }
    console.table(&table)?;
    Ok(0)
}
