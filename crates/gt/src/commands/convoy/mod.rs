//! `gt convoy`.

use clap::Subcommand;
use gt_model::bead::Status;
use gt_model::convoy::{ConvoyState, MemberState};
use gt_model::id::BeadId;
use gt_town::work::beads;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

mod add;
mod create;
mod list;
mod show;

/// Group beads that belong together and land together
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Assign.order())]
pub enum ConvoyVerb {
    Create(create::CreateArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Add(add::AddArgs),
}

/// Runs a verb of `gt convoy`.
pub fn convoy(verb: &ConvoyVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        ConvoyVerb::Create(args) => create::create(args, context, console),
        ConvoyVerb::List(args) => list::list(args, context, console),
        ConvoyVerb::Show(args) => show::show(args, context, console),
        ConvoyVerb::Add(args) => add::add(args, context, console),
    }
}

/// Describes the state of a convoy.
pub fn state_words(state: ConvoyState) -> &'static str {
    match state {
        ConvoyState::Empty => "empty",
        ConvoyState::OnItsWay => "on its way",
        ConvoyState::Landed => "landed",
        ConvoyState::Closed => "closed, not all landed",
    }
}

/// Describes a member's status; for one that is over, how it ended.
pub fn status_words(status: &Status, state: MemberState) -> String {
    match state {
        MemberState::Open => status.to_string(),
        over => gt_ledger::member_words(over).to_owned(),
    }
}

fn one(context: &Context<'_>, id: &str) -> Result<BeadId, CliError> {
    Ok(context.town.ledger.read(|view| beads::resolve(view, id))?)
}
