//! Verbs for crew members.

use gt_ledger::AgentChoice;
use gt_model::address::Address;
use gt_town::agents::sessions;
use gt_town::patrol::{crew, standing};

use super::mayor;
use super::session;
use crate::cli::CrewVerb;
use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Runs `gt crew …`.
pub fn run(verb: CrewVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (town, caller) = (&context.town, &context.caller);
    match verb {
        CrewVerb::Add { rig, name } => {
            let status = crew::add(town, caller, &town.rig(&rig)?, &name)?;
            if console.is_json() {
                return console.facts("gt.agent/1", "agent", status);
            }
            console.say(&format!(
                "{} works in {}, on the branch {}",
                status.agent.address,
                status.folder,
                gt_town::rigs::workspaces::branch(&name)
            ))?;
            console.say(&format!("next: cd {}, or gt crew start {rig} {name}", status.folder))?;
            Ok(0)
        }
        CrewVerb::List { rig } => list(context, rig.as_deref(), console),
        CrewVerb::Start { rig, name, agent, runtime } => {
            let choice = AgentChoice { kind: agent, runtime: runtime.map(Into::into) };
            let status = standing::start(town, caller, &address(context, &rig, &name)?, &choice)?;
            mayor::said_of_start(context, &status, &format!("gt crew attach {rig} {name}"), console)
        }
        CrewVerb::Attach { rig, name } => {
            let address = address(context, &rig, &name)?;
            town.ledger.read(|view| gt_town::agents::wanted::require(view, &address))?;
            session::attach(context, &sessions::find(town, &address.to_string())?, console)
        }
        CrewVerb::Stop { rig, name } => {
            let status = standing::stop(town, caller, &address(context, &rig, &name)?)?;
            mayor::said_of_stop(&status, &format!("gt crew start {rig} {name}"), console)
        }
        CrewVerb::Remove { rig, name } => {
            let removed = crew::remove(town, caller, &town.rig(&rig)?, &name)?;
            if console.is_json() {
                return console.facts("gt.crew-removed/1", "removed", removed);
            }
            console.say(&format!("{} is in the archive: {}", removed.address, removed.archive.display()))?;
            console.say(&format!("its state is a snapshot: gt snapshot show {}", removed.snapshot))?;
            Ok(0)
        }
    }
}

fn address(context: &Context<'_>, rig: &str, name: &str) -> Result<Address, CliError> {
    Ok(Address::Crew(context.town.rig(rig)?.name().clone(), name.to_owned()))
}

fn list(context: &Context<'_>, rig: Option<&str>, console: &mut Console<'_>) -> CliResult {
    let rig = rig.map(|name| context.town.rig(name)).transpose()?;
    let mut crew = standing::all(&context.town)?;
    crew.retain(|status| status.agent.rig().is_some_and(|of| rig.as_ref().is_none_or(|rig| rig.name() == of)));
    if console.is_json() {
        return console.facts("gt.crew/1", "crew", crew);
    }
    let mut table = Table::new(&["CREW", "AGENT", "FOLDER"]);
    for status in crew {
        table.row([status.agent.address.to_string(), status.doing, status.folder]);
    }
    console.table(&table)?;
    Ok(0)
}
