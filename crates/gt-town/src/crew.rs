//! Crew: long-lived workspaces in a rig, for a person or an agent. Nothing that is made there is thrown away: one that
//! is removed goes into the archive, with a snapshot, and no retention empties it.

use std::path::PathBuf;
use std::time::Duration;

use gt_model::address::{Address, is_worker_name};
use gt_model::effect::Effect;
use gt_model::id::RigName;
use serde::Serialize;

use crate::effects;
use crate::error::{Error, Result};
use crate::hook;
use crate::ledger::{Agent, Tx};
use crate::person;
use crate::setup;
use crate::standing::{self, AgentStatus};
use crate::town::{Caller, Rig, Town};
use crate::world::{Held, WorktreePlan};

/// How names of crew's folders in the archive begin; no worker is called so.
pub const ARCHIVED_PREFIX: &str = "crew-";

/// The branch of a crew member's workspace.
pub fn branch(name: &str) -> String {
    format!("crew/{name}")
}

/// Where a workspace went that was removed.
#[derive(Clone, Debug, Serialize)]
pub struct Removed {
    /// Whose it was.
    pub address: Address,
    /// The folder in the archive.
    pub archive: PathBuf,
    /// The ref of the snapshot.
    pub snapshot: String,
}

/// Makes a workspace at the trunk, on a branch of its own, and sets it up as the rig's worktrees are. Said again, it
/// finishes what is missing.
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
        hook::fetch(town, caller, rig)?;
    }
    let effect = town.ledger.write(&caller.name(), "crew add", |tx| {
        tx.add_agent(&address)?;
        decide_once(tx, &Effect::AddCrew { crew: address.clone() }, rig.name())
    })?;
    effects::run_one(town, effect)?;
    let held = town.lock(&format!("set-up-crew-{name}"))?;
    setup::workspace(town, rig, &held, &rig.layout.crew(name), &format!("crew-{name}"))?;
    standing::status(town, &address)
}

/// Takes a workspace out of the rig. Its session is ended, its state goes into a snapshot, its folder into the archive.
pub fn remove(town: &Town, caller: &Caller, rig: &Rig, name: &str) -> Result<Removed> {
    person::require(caller, "makes and removes workspaces")?;
    let address = Address::Crew(rig.name().clone(), name.to_owned());
    let agent = town.ledger.read(|view| standing::require(view, &address))?;
    standing::stop(town, caller, &address)?;
    let effect = town.ledger.write(&caller.name(), "crew remove", |tx| {
        for row in tx.open_effects()?.iter().filter(|row| row.effect == Effect::AddCrew { crew: address.clone() }) {
            tx.withdraw(row.id)?;
        }
        decide_once(tx, &Effect::ArchiveCrew { crew: address.clone() }, rig.name())
    })?;
    effects::run_one(town, effect)?;
    Ok(Removed { archive: archived(rig, &agent), snapshot: snapshot_ref(&agent), address })
}

fn decide_once(tx: &Tx<'_>, effect: &Effect, rig: &RigName) -> Result<i64> {
    match tx.open_effects()?.iter().find(|row| &row.effect == effect) {
        Some(row) => Ok(row.id),
        None => Ok(tx.decide(effect, Some(rig), None, Duration::ZERO)?),
    }
}

/// Names this membership: who comes back under a name gets a workspace of their own.
fn label(agent: &Agent) -> String {
    let made: String = agent.made_at.chars().filter(char::is_ascii_digit).take(14).collect();
    format!("{ARCHIVED_PREFIX}{}-{made}", agent.name())
}

fn archived(rig: &Rig, agent: &Agent) -> PathBuf {
    rig.layout.archive().join(label(agent))
}

fn snapshot_ref(agent: &Agent) -> String {
    format!("refs/gt/snapshots/{}", label(agent))
}

/// The agent and the rig of an effect; `None` where the workspace is gone already.
fn agent_and_rig(town: &Town, crew: &Address) -> Result<Option<(Agent, Rig)>> {
    let agent = town.ledger.read(|view| view.agent(crew).map_err(Error::from))?;
    let Some(agent) = agent.filter(|agent| agent.removed_at.is_none()) else { return Ok(None) };
    let Some(rig) = agent.rig().map(|rig| town.rig(rig.as_str())).transpose()? else { return Ok(None) };
    Ok(Some((agent, rig)))
}

/// A workspace's rig, and how its worktree is made; `None` where the agent has none (any more).
pub fn workspace(town: &Town, crew: &Address) -> Result<Option<(Rig, WorktreePlan)>> {
    let Some((agent, rig)) = agent_and_rig(town, crew)? else { return Ok(None) };
    let refs = town.world().repo().refs(&rig.layout.repo())?;
    let trunk = refs.get(&rig.trunk_ref()).cloned();
    let plan = WorktreePlan {
        path: rig.layout.crew(agent.name()),
        branch: Some(branch(agent.name())),
        start: trunk.ok_or_else(|| Error::refused(format!("{} was never fetched", rig.trunk_ref()), "gt rig fetch"))?,
        identity: identity(town, &rig, &agent)?,
        remote: Some(rig.row.remote.clone()),
    };
    Ok(Some((rig, plan)))
}

/// Whom a workspace's git commits as: the person whose it is, and where nobody knows that, the workspace.
fn identity(town: &Town, rig: &Rig, agent: &Agent) -> Result<(String, String)> {
    let said = rig.settings.commits.over(&town.settings.commits).overseer;
    let person = said.map_or_else(|| town.world().repo().overseer(), |person| Ok(Some(person)))?;
    let own = || (agent.address.to_string(), format!("{}@{}.gt.invalid", agent.name(), rig.name()));
    Ok(person.map_or_else(own, |person| (person.name, person.mail)))
}

/// Adds the worktree of a workspace; false where it is no longer wanted.
pub fn add_worktree(town: &Town, crew: &Address, held: &Held) -> Result<bool> {
    let Some((rig, plan)) = workspace(town, crew)? else { return Ok(false) };
    town.world().repo().add_worktree(held, &rig.layout.repo(), &plan)?;
    Ok(true)
}

/// Snapshots a workspace, moves it into the archive, and drops its branch, whose head the snapshot keeps.
pub fn archive(town: &Town, crew: &Address, held: &Held) -> Result<()> {
    let Some((agent, rig)) = agent_and_rig(town, crew)? else { return Ok(()) };
    let (repo, at, path) = (town.world().repo(), rig.layout.repo(), rig.layout.crew(agent.name()));
    if town.world().disk().exists(&path) {
        let message = format!("Snapshot of {crew}\n\nWorker: {crew}\nBranch: {}\n", branch(agent.name()));
        repo.snapshot(held, &at, &path, &snapshot_ref(&agent), &message)?;
    }
    repo.archive_worktree(held, &at, &path, &archived(&rig, &agent))?;
    Ok(repo.delete_ref(held, &at, &format!("refs/heads/{}", branch(agent.name())))?)
}
