//! Workspaces of crew members: permanent worktrees of a rig, each with its own branch.

use std::path::PathBuf;

use gt_ledger::Agent;
use gt_model::address::Address;
use gt_world::{Held, WorktreePlan};

use crate::town::error::{Error, Result};
use crate::town::{Rig, Town};

/// Name prefix of crew members' folders in the archive. No worker has such a name.
pub(crate) const ARCHIVED_PREFIX: &str = "crew-";

/// Returns the branch of a crew member's workspace.
pub fn branch(name: &str) -> String {
    format!("crew/{name}")
}

/// Returns a label for this membership. A member who returns under the same name gets a new workspace.
fn label(agent: &Agent) -> String {
    let made: String = agent.made_at.to_string().chars().filter(char::is_ascii_digit).take(14).collect();
    format!("{ARCHIVED_PREFIX}{}-{made}", agent.name())
}

pub(crate) fn archived(rig: &Rig, agent: &Agent) -> PathBuf {
    rig.layout.archive().join(label(agent))
}

pub(crate) fn snapshot_ref(agent: &Agent) -> String {
    format!("refs/gt/snapshots/{}", label(agent))
}

/// Returns the agent and the rig of an effect; `None` if the workspace is already gone.
fn agent_and_rig(town: &Town, crew: &Address) -> Result<Option<(Agent, Rig)>> {
    let agent = town.ledger.read(|view| view.agent(crew).map_err(Error::from))?;
    let Some(agent) = agent.filter(|agent| agent.removed_at.is_none()) else { return Ok(None) };
    let Some(rig) = agent.rig().map(|rig| town.rig(rig.as_str())).transpose()? else { return Ok(None) };
    Ok(Some((agent, rig)))
}

/// Returns a workspace's rig and the plan for its worktree; `None` if the agent has none or no longer has one.
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

/// Returns the git author for a workspace: its owner, or the workspace itself if the owner is unknown.
fn identity(town: &Town, rig: &Rig, agent: &Agent) -> Result<(String, String)> {
    let said = rig.settings.commits.over(&town.settings.commits).overseer;
    let person = said.map_or_else(|| town.world().repo().overseer(), |person| Ok(Some(person)))?;
    let own = || (agent.address.to_string(), format!("{}@{}.gt.invalid", agent.name(), rig.name()));
    Ok(person.map_or_else(own, |person| (person.name, person.mail)))
}

/// Adds the worktree of a workspace. Returns false if it is no longer wanted.
pub fn add_worktree(town: &Town, crew: &Address, held: &Held) -> Result<bool> {
    let Some((rig, plan)) = workspace(town, crew)? else { return Ok(false) };
    town.world().repo().add_worktree(held, &rig.layout.repo(), &plan)?;
    Ok(true)
}

/// Takes a snapshot of a workspace, moves it into the archive and deletes its branch. The snapshot keeps the branch's head.
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
