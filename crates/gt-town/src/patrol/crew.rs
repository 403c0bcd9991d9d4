//! Crew: permanent workspaces in a rig, for a person or an agent. Nothing made there is lost: a removed workspace moves to the
//! archive with a snapshot, and retention never deletes it.

use std::path::PathBuf;
use std::time::Duration;

use gt_model::address::{Address, is_worker_name};
use gt_model::effect::Effect;
use serde::Serialize;

use crate::agents::wanted;
use crate::effects;
use crate::patrol::standing::{self, AgentStatus};
use crate::rigs::setup;
use crate::rigs::workspaces;
use crate::town::error::{Error, Result};
use crate::town::lane::Lane;
use crate::town::person;
use crate::town::{Caller, Rig, Town};

/// Result of removing a workspace.
#[derive(Clone, Debug, Serialize)]
pub struct Removed {
    /// Address of its owner.
    pub address: Address,
    /// Its folder in the archive.
    pub archive: PathBuf,
    /// Ref of its snapshot.
    pub snapshot: String,
}

/// Creates a workspace at the trunk on its own branch and sets it up like the rig's worktrees. A repeated call does whatever is
/// missing.
pub fn add(town: &Town, caller: &Caller, rig: &Rig, name: &str) -> Result<AgentStatus> {
    person::require(caller, "makes and removes workspaces")?;
    if !is_worker_name(name) {
        return Err(Error::Usage {
            what: format!("`{name}` can't name a crew member"),
            hint: "use 1 to 40 lower-case letters, digits or `-`, starting with a letter or digit".to_owned(),
        });
    }
    let address = Address::Crew(rig.name().clone(), name.to_owned());
    let known = town.ledger.read(|view| view.agent(&address).map_err(Error::from))?;
    if known.is_none_or(|agent| agent.removed_at.is_some()) {
        effects::fetch(town, caller, rig)?;
    }
    let effect = town.ledger.write(&caller.name(), "crew add", |tx| {
        tx.add_agent(&address)?;
        let add = Effect::AddCrew { crew: address.clone() };
        Ok::<_, Error>(tx.decide_once(&add, Some(rig.name()), None, Duration::ZERO)?)
    })?;
    effects::run_one(town, effect)?;
    let held = town.lock(&Lane::SetUpCrew(name.to_owned()))?;
    setup::workspace(town, rig, &held, &rig.layout.crew(name), &format!("crew-{name}"))?;
    standing::status(town, &address)
}

/// Removes a workspace from the rig: ends its session, takes a snapshot, and moves its folder to the archive.
pub fn remove(town: &Town, caller: &Caller, rig: &Rig, name: &str) -> Result<Removed> {
    person::require(caller, "makes and removes workspaces")?;
    let address = Address::Crew(rig.name().clone(), name.to_owned());
    let agent = town.ledger.read(|view| wanted::require(view, &address))?;
    standing::stop(town, caller, &address)?;
    let effect = town.ledger.write(&caller.name(), "crew remove", |tx| {
        if let Some(row) = tx.decided(&Effect::AddCrew { crew: address.clone() })? {
            tx.withdraw(row.id)?;
        }
        let archive = Effect::ArchiveCrew { crew: address.clone() };
        Ok::<_, Error>(tx.decide_once(&archive, Some(rig.name()), None, Duration::ZERO)?)
    })?;
    effects::run_one(town, effect)?;
    Ok(Removed { archive: workspaces::archived(rig, &agent), snapshot: workspaces::snapshot_ref(&agent), address })
}
