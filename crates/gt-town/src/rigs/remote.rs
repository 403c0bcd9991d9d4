//! The rig's remote: fetching it, and noticing what a worker put there behind the refinery's back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use gt_ledger::{Attempt, AttemptOutcome, Tx};
use gt_model::condition::ConditionKind;
use gt_model::id::{RigName, Sha};
use gt_world::{Held, Repo};

use crate::rigs::dropped::{self, Dropped};
use crate::rigs::reading;
use crate::rigs::refs::{self, Foreign};
use crate::town::error::{Error, Result};
use crate::town::{Rig, Town};

/// What a fetch found.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The rig.
    pub rig: RigName,
    /// The remote's branches.
    pub branches: BTreeMap<String, Sha>,
    /// Workers' commits that are on the remote and that the refinery did not put there, in words.
    pub foreign: Vec<String>,
    /// Landings that the trunk has lost; `None`: as before.
    pub dropped: Option<Vec<Dropped>>,
    /// Tags that were not the remote's, and are again as it has them.
    pub tags: Vec<Foreign>,
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
    let moved = refs::moved_tags(town, rig)?;
    let branches = town.world().repo().fetch(held, &rig.layout.repo())?;
    let tags = kept_tags(town, rig, held, moved)?;
    let known = town.ledger.read(|view| view.remote_refs(rig.name()).map_err(Error::from))?;
    let dropped = match branches.get(&rig.row.trunk) {
        Some(tip) => dropped::look(town, rig, known.get(&rig.row.trunk), tip)?,
        None => None,
    };
    let foreign = foreign_commits(town, rig, known, &branches)?;
    Ok(Fetched { rig: rig.name().clone(), branches, foreign, dropped, tags })
}

/// Of tags that were not as the remote had them before a fetch, those that it did not have after it either. What they pointed
/// to is kept, since the fetch has put the remote's in their place.
fn kept_tags(town: &Town, rig: &Rig, held: &Held, mut moved: Vec<Foreign>) -> Result<Vec<Foreign>> {
    let upstream = town.world().repo().upstream_tags(&rig.layout.repo())?.unwrap_or_default();
    moved.retain(|tag| upstream.get(&tag.name) != tag.found.as_ref());
    for tag in &mut moved {
        refs::keep(town, rig, held, tag.found.as_ref())?;
        tag.to = upstream.get(&tag.name).cloned();
    }
    Ok(moved)
}

/// Records what a fetch found. Workers' commits on the remote hold the rig until a person has looked.
pub fn note(tx: &Tx<'_>, fetched: &Fetched) -> Result<()> {
    if let Some(rig) = tx.rig(fetched.rig.as_str())? {
        if tx.remote_refs(&fetched.rig)?.get(&rig.trunk) != fetched.branches.get(&rig.trunk) {
            reading::decide(tx, &fetched.rig)?;
        }
        if let Some(dropped) = &fetched.dropped {
            dropped::note(tx, &rig, dropped)?;
        }
    }
    refs::tell(tx, &fetched.rig, &fetched.tags)?;
    tx.set_remote_refs(&fetched.rig, &fetched.branches)?;
    if !fetched.foreign.is_empty() {
        tx.raise(ConditionKind::RigHeld, fetched.rig.as_str(), &fetched.foreign.join("; "))?;
    }
    Ok(())
}

/// Which workers' commits are on branches of the remote that moved. Every landing of ours is a commit of its own, so
/// a worker's own commit never comes there by us; nor does anything that was built upon one.
fn foreign_commits(
    town: &Town,
    rig: &Rig,
    known: BTreeMap<String, Sha>,
    branches: &BTreeMap<String, Sha>,
) -> Result<Vec<String>> {
    let moved: Vec<(&String, &Sha)> = branches.iter().filter(|(name, sha)| known.get(*name) != Some(sha)).collect();
    if moved.is_empty() {
        return Ok(Vec::new());
    }
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let worked = works(town, rig)?;
    let tips: Vec<Sha> = moved.iter().map(|(_, at)| (*at).clone()).collect();
    // First what matters most, should there be too many.
    let nearest = moved.iter().filter_map(|(name, _)| known.get(*name)).chain(known.get(&rig.row.trunk));
    let before: Vec<Sha> = nearest.chain(known.values()).cloned().collect();
    let heads: Vec<Sha> = worked.iter().flat_map(|work| &work.heads).cloned().collect();
    // Nearly always what is new is nobody's here, which is asked at once, however many have worked in this rig.
    if !repo.share_news(&path, &tips, &before, &heads)? {
        return Ok(Vec::new());
    }
    let requests = town.ledger.read(|view| view.merge_requests().map_err(Error::from))?;
    let landed = requests.into_iter().filter_map(|mr| mr.commit_landed).collect();
    let search = Search { repo, path, known, landed };
    let mut foreign = Vec::new();
    for work in &worked {
        for (name, at) in &moved {
            let mut found = work.heads.iter().map(|head| search.own_commit(&work.base, head, at));
            if let Some(own) = found.find_map(Result::transpose).transpose()? {
                foreign.push(format!(
                    "the remote's branch {name} got commit {} of {}, which the refinery did not land",
                    own.short(),
                    work.branch
                ));
            }
        }
    }
    Ok(foreign)
}

/// What an attempt has made.
struct Work {
    branch: String,
    base: Sha,
    heads: BTreeSet<Sha>,
}

/// The work of all attempts since the rig was added, those that are over too: what they made may be pushed late.
fn works(town: &Town, rig: &Rig) -> Result<Vec<Work>> {
    let mut attempts = town.ledger.read(|view| view.attempts_of_rig(rig.name()).map_err(Error::from))?;
    attempts.retain(|attempt| rig.row.was_there(&attempt.opened_at));
    let refs = town.world().repo().refs(&rig.layout.repo())?;
    let work = |attempt: Attempt| {
        let branch = refs.get(&format!("refs/heads/{}", attempt.branch)).or(attempt.head.as_ref());
        // A snapshot's history has what the worker has rewritten since.
        let saved = refs.get(&attempt.snapshot_ref()).filter(|_| attempt.outcome != Some(AttemptOutcome::Landed));
        let heads = branch.into_iter().chain(saved).cloned().collect();
        Some(Work { heads, base: attempt.base?, branch: attempt.branch })
    };
    Ok(attempts.into_iter().filter_map(work).collect())
}

/// The search for workers' commits on the remote.
struct Search<'r> {
    repo: &'r dyn Repo,
    path: PathBuf,
    /// Where the remote's branches were when last looked at.
    known: BTreeMap<String, Sha>,
    /// The commits by which work landed.
    landed: BTreeSet<Sha>,
}

impl Search<'_> {
    /// A commit that a worker made on `base` on the way to `head`, and that a branch of the remote has now.
    fn own_commit(&self, base: &Sha, head: &Sha, at: &Sha) -> Result<Option<Sha>> {
        // What both have, and the base has not, the worker made; or it took that over from the trunk as it was known.
        for shared in self.repo.merge_bases(&self.path, head, at)? {
            let others = [base].into_iter().chain(self.known.values()).chain(&self.landed);
            let ours = self.in_history_of_any(others, &shared)?;
            if !ours {
                return Ok(Some(shared));
            }
        }
        Ok(None)
    }

    fn in_history_of_any<'s>(&self, heads: impl Iterator<Item = &'s Sha>, commit: &Sha) -> Result<bool> {
        for head in heads {
            if head == commit || self.repo.contains(&self.path, head, commit)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
