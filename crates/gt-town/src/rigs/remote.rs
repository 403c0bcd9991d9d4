//! Fetches the rig's remote and finds commits that a worker pushed there without the refinery.

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

/// Result of a fetch.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Name of the rig.
    pub rig: RigName,
    /// Branches of the remote.
    pub branches: BTreeMap<String, Sha>,
    /// Descriptions of workers' commits on the remote that the refinery did not push.
    pub foreign: Vec<String>,
    /// Landings that the trunk has lost; `None` if it lost nothing new.
    pub dropped: Option<Vec<Dropped>>,
    /// Tags that differed from the remote and that the fetch has reset.
    pub tags: Vec<Foreign>,
}

impl Fetched {
    /// Returns the commit of the trunk.
    pub fn trunk(&self, rig: &Rig) -> Result<Sha> {
        self.branches.get(&rig.row.trunk).cloned().ok_or_else(|| {
            let what = format!("the remote {} has no branch {}", rig.row.remote, rig.row.trunk);
            Error::refused(what, "check the remote; the trunk's name is set when the rig is added")
        })
    }
}

/// Fetches a rig's remote and examines what has moved since the last fetch.
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

/// Returns the tags that differed from the remote before the fetch and still did not match any of its tags afterwards. Keeps the
/// commits that they pointed to, because the fetch replaced the tags.
fn kept_tags(town: &Town, rig: &Rig, held: &Held, mut moved: Vec<Foreign>) -> Result<Vec<Foreign>> {
    let upstream = town.world().repo().upstream_tags(&rig.layout.repo())?.unwrap_or_default();
    moved.retain(|tag| upstream.get(&tag.name) != tag.found.as_ref());
    for tag in &mut moved {
        refs::keep(town, rig, held, tag.found.as_ref())?;
        tag.to = upstream.get(&tag.name).cloned();
    }
    Ok(moved)
}

/// Records the result of a fetch. A worker's commit on the remote holds the rig until a person has looked at it.
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

/// Finds workers' commits on remote branches that moved. The refinery lands work as a new commit, so neither a worker's own
/// commit nor anything built on it reaches the remote through gt.
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
    // Put the most relevant tips first, in case there are too many.
    let nearest = moved.iter().filter_map(|(name, _)| known.get(*name)).chain(known.get(&rig.row.trunk));
    let before: Vec<Sha> = nearest.chain(known.values()).cloned().collect();
    let heads: Vec<Sha> = worked.iter().flat_map(|work| &work.heads).cloned().collect();
    // Most new commits were not made by our workers, so rule those out with one query, however many workers the rig has had.
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

/// Commits of one attempt.
struct Work {
    branch: String,
    base: Sha,
    heads: BTreeSet<Sha>,
}

/// Returns the work of all attempts since the rig was added. Ended attempts count, because their commits may be pushed later.
fn works(town: &Town, rig: &Rig) -> Result<Vec<Work>> {
    let mut attempts = town.ledger.read(|view| view.attempts_of_rig(rig.name()).map_err(Error::from))?;
    attempts.retain(|attempt| rig.row.was_there(attempt.opened_at));
    let refs = town.world().repo().refs(&rig.layout.repo())?;
    let work = |attempt: Attempt| {
        let branch = refs.get(&format!("refs/heads/{}", attempt.branch)).or(attempt.head.as_ref());
        // The snapshot's history contains commits that the worker has since rewritten.
        let saved = refs.get(&attempt.snapshot_ref()).filter(|_| attempt.outcome != Some(AttemptOutcome::Landed));
        let heads = branch.into_iter().chain(saved).cloned().collect();
        Some(Work { heads, base: attempt.base?, branch: attempt.branch })
    };
    Ok(attempts.into_iter().filter_map(work).collect())
}

/// Search for workers' commits on the remote.
struct Search<'r> {
    repo: &'r dyn Repo,
    path: PathBuf,
    /// Positions of the remote's branches at the last look.
    known: BTreeMap<String, Sha>,
    /// Commits of landings.
    landed: BTreeSet<Sha>,
}

impl Search<'_> {
    /// Returns a commit that a worker made between `base` and `head` and that a branch of the remote now contains.
    fn own_commit(&self, base: &Sha, head: &Sha, at: &Sha) -> Result<Option<Sha>> {
        // A commit that both contain and the base does not is the worker's, unless the worker took it from the trunk as known
        // then.
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
