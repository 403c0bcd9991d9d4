//! The rig's remote: fetching it, and noticing what a worker put there behind the refinery's back.

use std::collections::{BTreeMap, BTreeSet};

use gt_model::id::{RigName, Sha};

use crate::error::{Error, Result};
use crate::ledger::Tx;
use crate::reading;
use crate::town::{Rig, Town};
use crate::world::Held;

/// What a fetch found.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The rig.
    pub rig: RigName,
    /// The remote's branches.
    pub branches: BTreeMap<String, Sha>,
    /// Workers' commits that are on the remote and that the refinery did not put there, in words.
    pub foreign: Vec<String>,
}

impl Fetched {
    /// Where the trunk is.
    pub fn trunk(&self, rig: &Rig) -> Result<Sha> {
        self.branches.get(&rig.row.trunk).cloned().ok_or_else(|| {
            let what = format!("the remote {} has no branch {}", rig.row.remote, rig.row.trunk);
            Error::refused(what, "look at the remote; the trunk's name is set when the rig is added")
        })
    }
}

/// Fetches a rig's remote and looks at what moved there since we last knew.
pub fn fetch(town: &Town, rig: &Rig, held: &Held) -> Result<Fetched> {
    let branches = town.world().repo().fetch(held, &rig.layout.repo())?;
    let foreign = foreign_commits(town, rig, &branches)?;
    Ok(Fetched { rig: rig.name().clone(), branches, foreign })
}

/// Records what a fetch found. Workers' commits on the remote hold the rig until a person has looked.
pub fn note(tx: &Tx<'_>, fetched: &Fetched) -> Result<()> {
    if let Some(rig) = tx.rig(fetched.rig.as_str())?
        && tx.remote_refs(&fetched.rig)?.get(&rig.trunk) != fetched.branches.get(&rig.trunk)
    {
        reading::decide(tx, &fetched.rig)?;
    }
    tx.set_remote_refs(&fetched.rig, &fetched.branches)?;
    if !fetched.foreign.is_empty() {
        tx.raise("rig-held", fetched.rig.as_str(), &fetched.foreign.join("; "))?;
    }
    Ok(())
}

/// Which workers' commits are on branches of the remote that moved. Every landing of ours is a commit of its own, so
/// a worker's own commit never comes there by us.
fn foreign_commits(town: &Town, rig: &Rig, branches: &BTreeMap<String, Sha>) -> Result<Vec<String>> {
    let (known, attempts, landed) = town.ledger.read(|view| {
        let mut attempts = view.attempts_of_rig(rig.name())?;
        attempts.retain(|attempt| rig.row.was_there(&attempt.opened_at));
        let landed: BTreeSet<Sha> = view.merge_requests()?.into_iter().filter_map(|mr| mr.commit_landed).collect();
        Ok::<_, Error>((view.remote_refs(rig.name())?, attempts, landed))
    })?;
    let moved: Vec<(&String, &Sha)> = branches.iter().filter(|(name, sha)| known.get(*name) != Some(sha)).collect();
    if moved.is_empty() || attempts.is_empty() {
        return Ok(Vec::new());
    }
    let repo = town.world().repo();
    let path = rig.layout.repo();
    let refs = repo.refs(&path)?;
    let mut foreign = Vec::new();
    for attempt in &attempts {
        let own = refs.get(&format!("refs/heads/{}", attempt.branch)).or(attempt.head.as_ref());
        let (Some(own), Some(base)) = (own, attempt.base.as_ref()) else { continue };
        // Rebased onto a landing of ours before that was recorded, with nothing of its own yet.
        if landed.contains(own) {
            continue;
        }
        let on_base = repo.contains(&path, base, own)?;
        for (branch, sha) in moved.iter().filter(|_| !on_base) {
            let was_there = match known.get(*branch) {
                Some(before) => repo.contains(&path, before, own)?,
                None => false,
            };
            if !was_there && repo.contains(&path, sha, own)? {
                foreign.push(format!(
                    "the remote's branch {branch} got commit {} of {}, which the refinery did not land",
                    own.short(),
                    attempt.branch
                ));
            }
        }
    }
    Ok(foreign)
}
