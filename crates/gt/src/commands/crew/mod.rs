//! `gt crew`.

use clap::Subcommand;
use gt_model::address::Address;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

mod add;
mod attach;
mod list;
mod remove;
mod start;
mod stop;

/// Keep long-lived workspaces in a rig, for you or an agent
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Beside.order())]
pub enum CrewVerb {
    Add(add::AddArgs),
    List(list::ListArgs),
    Start(start::StartArgs),
    Attach(attach::AttachArgs),
    Stop(stop::StopArgs),
    Remove(remove::RemoveArgs),
}

/// Runs a verb of `gt crew`.
pub fn crew(verb: &CrewVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        CrewVerb::Add(args) => add::add(args, context, console),
        CrewVerb::List(args) => list::list(args, context, console),
        CrewVerb::Start(args) => start::start(args, context, console),
        CrewVerb::Attach(args) => attach::attach(args, context, console),
        CrewVerb::Stop(args) => stop::stop(args, context, console),
        CrewVerb::Remove(args) => remove::remove(args, context, console),
    }
}

fn address(context: &Context<'_>, rig: &str, name: &str) -> Result<Address, CliError> {
    Ok(Address::Crew(context.town.rig(rig)?.name().clone(), name.to_owned()))
}
