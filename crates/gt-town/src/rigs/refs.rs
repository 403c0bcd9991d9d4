//! Finds refs in a rig's repository that another process moved, reports them and moves them back. The check runs after each
//! attempt.

use std::collections::BTreeSet;
use std::time::Duration;

use gt_ledger::Tx;
use gt_model::condition::ConditionKind;
use gt_model::effect::Effect;
use gt_model::id::{RigName, Sha};
use gt_world::Held;

use crate::rigs::workspaces;
use crate::town::error::{Error, Result};
use crate::town::{Rig, Town};

/// A ref that is not where it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Its full name.
    pub name: String,
    /// Commit that it points to; `None` if it is gone.
    pub found: Option<Sha>,
    /// Commit that it should point to; `None` if it should not exist.
    pub to: Option<Sha>,
}

/// Compares the refs of a rig with those that gt wrote. A live worker's branch must be where its own worktree's git put it; once
/// the worktree is gone, it may be anywhere. A pinned head must be where gt put it, and tags must match the remote. The stash is
/// the only other ref allowed.
pub fn compare(town: &Town, rig: &Rig) -> Result<Vec<Foreign>> {
    let refs = town.world().repo().refs(&rig.layout.repo())?;
    let (branches, pins) = town.ledger.read(|view| {
        let mut branches: BTreeSet<String> =
            view.attempts_of_rig(rig.name())?.into_iter().map(|a| format!("refs/heads/{}", a.branch)).collect();
        let crew = view.agents()?.into_iter().filter(|agent| agent.rig() == Some(rig.name()));
        branches.extend(crew.map(|agent| format!("refs/heads/{}", workspaces::branch(agent.name()))));
        let unpinned: BTreeSet<String> = view.open_effects()?.iter().filter_map(|row| pinned_by(&row.effect)).collect();
        let let_go = view.unpinned()?;
        let requests = view.merge_requests()?.into_iter().filter(|mr| !let_go.contains(&mr.id));
        let requests = requests.filter(|mr| &mr.rig == rig.name() && rig.row.was_there(mr.submitted_at));
        let pins: Vec<(String, Sha)> = requests.map(|mr| (mr.pin(), mr.head)).collect();
        Ok::<_, Error>((branches, pins.into_iter().filter(|(name, _)| !unpinned.contains(name)).collect::<Vec<_>>()))
    })?;
    let mut foreign = Vec::new();
    for (name, sha) in &refs {
        let ours = ["refs/gt/", "refs/remotes/origin/", TAGS].iter().any(|kind| name.starts_with(kind))
            || name == "refs/stash";
        if !ours && !branches.contains(name) {
            foreign.push(Foreign { name: name.clone(), found: Some(sha.clone()), to: None });
        }
    }
    for (name, head) in pins {
        if refs.get(&name) != Some(&head) {
            foreign.push(Foreign { found: refs.get(&name).cloned(), name, to: Some(head) });
        }
    }
    foreign.extend(settled(town, || astray(town, rig))?);
    foreign.extend(settled(town, || moved_tags(town, rig))?);
    Ok(foreign)
}

/// Returns what two looks with a pause in between both find. Git records a branch's new position before it moves the branch, so a
/// commit or fetch in progress looks like a moved ref for a moment.
fn settled(town: &Town, look: impl Fn() -> Result<Vec<Foreign>>) -> Result<Vec<Foreign>> {
    let before = look()?;
    if before.is_empty() {
        return Ok(before);
    }
    town.world().clock().pause(SETTLING);
    let after = look()?;
    Ok(before.into_iter().filter(|found| after.contains(found)).collect())
}

/// Pause between the two looks; many times longer than git takes to change a ref.
const SETTLING: Duration = Duration::from_millis(200);

/// Prefix of tags.
const TAGS: &str = "refs/tags/";

/// Returns the tags that differ from those that the remote had at the last fetch.
pub(crate) fn moved_tags(town: &Town, rig: &Rig) -> Result<Vec<Foreign>> {
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let Some(upstream) = repo.upstream_tags(&path)? else { return Ok(Vec::new()) };
    let mut tags = repo.refs(&path)?;
    tags.retain(|name, _| name.starts_with(TAGS));
    let names: BTreeSet<&String> = tags.keys().chain(upstream.keys()).collect();
    let moved = names.into_iter().filter(|name| tags.get(*name) != upstream.get(*name)).map(|name| Foreign {
        name: name.clone(),
        found: tags.get(name).cloned(),
        to: upstream.get(name).cloned(),
    });
    Ok(moved.collect())
}

/// Returns the live workers' branches that are not where their own worktree's git put them.
fn astray(town: &Town, rig: &Rig) -> Result<Vec<Foreign>> {
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let present = town.ledger.read(|view| view.present_attempts().map_err(Error::from))?;
    let refs = repo.refs(&path)?;
    let mut astray = Vec::new();
    for attempt in present.iter().filter(|attempt| &attempt.rig == rig.name() && attempt.archived_at.is_none()) {
        let name = format!("refs/heads/{}", attempt.branch);
        let own = repo.own_position(&path, &rig.layout.worktree(&attempt.worker), &attempt.branch)?;
        if own.is_some() && refs.get(&name) != own.as_ref() {
            astray.push(Foreign { found: refs.get(&name).cloned(), name, to: own });
        }
    }
    Ok(astray)
}

fn pinned_by(effect: &Effect) -> Option<String> {
    match effect {
        Effect::PinMr { mr } => Some(format!("refs/gt/mr/{mr}")),
        _ => None,
    }
}

/// Reports refs that others moved, and decides effects that move them back.
pub fn report(tx: &Tx<'_>, rig: &RigName, foreign: &[Foreign]) -> Result<()> {
    tell(tx, rig, foreign)?;
    for Foreign { name, found, to } in foreign {
        let effect = Effect::UndoRef { rig: rig.clone(), name: name.clone(), found: found.clone(), to: to.clone() };
        tx.decide(&effect, Some(rig), None, Duration::ZERO)?;
    }
    Ok(())
}

/// Reports refs that others moved.
pub fn tell(tx: &Tx<'_>, rig: &RigName, foreign: &[Foreign]) -> Result<()> {
    for Foreign { name, found, to } in foreign {
        let what = match (found, to) {
            (Some(_), None) => "was created by another program; gt removed it and keeps its commit at refs/gt/foreign/",
            (None, _) => "was deleted by another program; gt restored it",
            (Some(_), Some(_)) => "was moved by another program; gt moved it back",
        };
        tx.raise(ConditionKind::ForeignRef, &format!("{rig}:{name}"), &format!("{name} in the rig {rig} {what}"))?;
    }
    Ok(())
}

/// Moves a ref back to where it should be. The commit that it pointed to stays reachable.
pub fn undo(town: &Town, rig: &Rig, held: &Held, name: &str, found: Option<&Sha>, to: Option<&Sha>) -> Result<()> {
    let repo = town.world().repo();
    let path = rig.layout.repo();
    let now = repo.refs(&path)?;
    if now.get(name) != found {
        // The ref moved again or is already back. The next comparison decides.
        return Ok(());
    }
    keep(town, rig, held, found)?;
    match to {
        Some(to) => repo.set_ref(held, &path, name, to, found)?,
        None => repo.delete_ref(held, &path, name)?,
    }
    Ok(())
}

/// Keeps the commit that a ref pointed to reachable.
pub fn keep(town: &Town, rig: &Rig, held: &Held, found: Option<&Sha>) -> Result<()> {
    let Some(sha) = found else { return Ok(()) };
    Ok(town.world().repo().set_ref(held, &rig.layout.repo(), &format!("refs/gt/foreign/{sha}"), sha, None)?)
}
