//! Verbs for convoys.

use gt_model::bead::Status;
use gt_model::convoy::{ConvoyState, MemberState};
use gt_town::work::beads;
use gt_town::work::convoy;

use crate::cli::ConvoyVerb;
use crate::console::{Console, Table, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Runs `gt convoy …`.
pub fn run(verb: ConvoyVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (town, caller) = (&context.town, &context.caller);
    let one = |id: &str| town.ledger.read(|view| beads::resolve(view, id));
    match verb {
        ConvoyVerb::Create { title, beads: members, manual } => {
            let members = beads::resolve_all(town, &members)?;
            let convoy = convoy::create(town, caller, &title, &members, manual)?;
            if console.is_json() {
                return console.facts("gt.convoy/1", "convoy", convoy::show(town, &convoy.id)?);
            }
            let state = convoy::show(town, &convoy.id)?.state;
            let over = if state.is_over() { format!(": {}", state_words(state)) } else { String::new() };
            console.say(&format!("convoy {} made with {} beads{over}", convoy.id, members.len()))?;
            Ok(0)
        }
        ConvoyVerb::Add { id, beads: members } => {
            let members = beads::resolve_all(town, &members)?;
            let convoy = convoy::add(town, caller, &one(&id)?, &members)?;
            if console.is_json() {
                return console.facts("gt.convoy/1", "convoy", convoy::show(town, &convoy.id)?);
            }
            console.say(&format!("convoy {} has them", convoy.id))?;
            Ok(0)
        }
        ConvoyVerb::List { all } => list(context, all, console),
        ConvoyVerb::Show { id } => {
            let convoy = convoy::show(town, &one(&id)?)?;
            if console.is_json() {
                return console.facts("gt.convoy/1", "convoy", convoy);
            }
            let state = state_words(convoy.state);
            console.line(&format!("{}  {}  ({state})", convoy.id, printable(&convoy.title)))?;
            let mut table = Table::new(&["BEAD", "STATUS", "TITLE"]);
            for member in convoy.members {
                table.row([member.id.0, status_words(&member.status, member.state), member.title]);
            }
            console.table(&table)?;
            Ok(0)
        }
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

fn list(context: &Context<'_>, all: bool, console: &mut Console<'_>) -> CliResult {
    let convoys = convoy::list(&context.town, all)?;
    if console.is_json() {
        return console.facts("gt.convoys/1", "convoys", convoys);
    }
    let mut table = Table::new(&["CONVOY", "STATE", "CLOSED", "TITLE"]);
    for convoy in convoys {
        let there = convoy.members.iter().filter(|member| member.state != MemberState::Deleted);
        let closed = there.clone().filter(|member| member.state != MemberState::Open).count();
        let state = state_words(convoy.state).to_owned();
        table.row([convoy.id.0, state, format!("{closed}/{}", there.count()), convoy.title]);
    }
    console.table(&table)?;
    Ok(0)
}
