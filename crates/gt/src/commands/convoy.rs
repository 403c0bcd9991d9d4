//! Convoys.

use gt_town::{beads, convoy};

use super::Context;
use crate::cli::ConvoyVerb;
use crate::console::{Console, Table, printable};
use crate::error::CliResult;

/// `gt convoy …`.
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
            console.say(&format!("convoy {} made with {} beads", convoy.id, members.len()))?;
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
            let state = if convoy.landed { "landed" } else { "on its way" };
            console.line(&format!("{}  {}  ({state})", convoy.id, printable(&convoy.title)))?;
            let mut table = Table::new(&["BEAD", "STATUS", "TITLE"]);
            for member in convoy.members {
                table.row([member.id.0, member.status.to_string(), member.title]);
            }
            console.table(&table)?;
            Ok(0)
        }
    }
}

fn list(context: &Context<'_>, all: bool, console: &mut Console<'_>) -> CliResult {
    let convoys = convoy::list(&context.town, all)?;
    if console.is_json() {
        return console.facts("gt.convoys/1", "convoys", convoys);
    }
    let mut table = Table::new(&["CONVOY", "STATE", "CLOSED", "TITLE"]);
    for convoy in convoys {
        let closed = convoy.members.iter().filter(|m| m.status == gt_model::bead::Status::Closed).count();
        let state = if convoy.landed { "landed" } else { "on its way" };
        table.row([convoy.id.0, state.to_owned(), format!("{closed}/{}", convoy.members.len()), convoy.title]);
    }
    console.table(&table)?;
    Ok(0)
}
