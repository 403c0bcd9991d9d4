//! Decides whether commits are a worker's own work, and words the objection if they are not.
//!
//! A commit on the branch beyond its base is the worker's own in two cases: its author address belongs to a worker of the bead,
//! or the worktree's git record says that it was made there. Commits that a worker of the same name made for another bead don't
//! count. A worker can forge both signs, so they protect against accidents and prove nothing. A commit with any other author is
//! unclear, unless a remote branch had it first; then it belongs to someone else.

use std::path::Path;

use gt_ledger::Attempt;
use gt_model::id::Sha;
use gt_model::landed::{Origin, origin};

use crate::town::error::{Error, Result};
use crate::town::{Rig, Town};

/// Commits on an attempt's branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnWork {
    /// Origin of its commits.
    pub origin: Origin,
    /// Whether there are commits beyond the attempt's base.
    pub has_commits: bool,
    /// Whether they change anything that the last known trunk does not already contain.
    pub brings: bool,
}

impl OwnWork {
    /// Whether there is work to land.
    pub fn is_some(self) -> bool {
        self.brings && self.origin != Origin::Others
    }

    /// Explains why there is nothing to land.
    pub fn objection(self, trunk: &str) -> Option<String> {
        match self {
            work if work.is_some() => None,
            Self { has_commits: false, .. } => Some("the branch has no commits of its own".to_owned()),
            Self { origin: Origin::Others, .. } => {
                Some("the branch has no commits of its own: others made all of its commits".to_owned())
            }
            _ => Some(format!("{trunk} already has all changes of the branch")),
        }
    }
}

/// Hint for a branch with nothing to land.
pub(crate) const NOTHING_HINT: &str = "do the work and commit it; if the trunk has what the bead asks for: \
                                gt done --landed-by <commit>; findings without code: gt done --no-code";

/// Examines an attempt's branch at `head`.
pub fn look(town: &Town, rig: &Rig, attempt: &Attempt, head: &Sha) -> Result<OwnWork> {
    let base = attempt.base.as_ref().ok_or_else(|| Error::refused("the attempt has no base yet", "gt why <bead>"))?;
    let facts = town.ledger.read(|view| Known::of(view, attempt, &rig.row.trunk))?;
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let mut known: Vec<Sha> = [base].into_iter().chain(&facts.earlier).cloned().collect();
    let commits = repo.commits_of(&path, head, &known)?;
    let made_here = repo.made_in(&path, &rig.layout.worktree(&attempt.worker))?;
    let mut whose = origin(&commits, &facts.workers, &made_here);
    if whose == Origin::Unclear {
        known.extend(facts.remote);
        whose = origin(&repo.commits_of(&path, head, &known)?, &facts.workers, &made_here);
    }
    let has_commits = !commits.is_empty() || repo.commits_between(&path, base, head)? > 0;
    let trunk = facts.trunk.as_ref().unwrap_or(base);
    // If a person or the worker itself put the worker's own commits on the trunk, they count as the bead's work.
    let onto = if whose == Origin::Made && repo.contains(&path, trunk, head)? { base } else { trunk };
    let brings = whose != Origin::Others && repo.brings(&path, onto, head)?;
    Ok(OwnWork { origin: whose, has_commits, brings })
}

/// Returns the trunk that an attempt's work landed on, or else the current one.
pub(crate) fn trunk_of(town: &Town, attempt: &Attempt) -> Result<Option<Sha>> {
    town.ledger.read(|view| {
        let mr = view.merge_requests()?.into_iter().rfind(|mr| mr.attempt == attempt.id);
        if let Some(landing) = mr.and_then(|mr| mr.landing)
            && let Some(landing) = view.landing(landing)?
        {
            return Ok(Some(landing.onto));
        }
        let Some(rig) = view.rig(attempt.rig.as_str())? else { return Ok(None) };
        Ok(view.remote_refs(&rig.name)?.remove(&rig.trunk))
    })
}

/// Counts the commits of `head` that are neither in an attempt's base nor in the trunk. After a rebase onto the trunk, the branch
/// also contains others' commits. `None` if they can no longer be counted.
pub fn count(town: &Town, repo: &Path, base: &Sha, trunk: Option<&Sha>, head: &Sha) -> Option<u64> {
    let world = town.world().repo();
    // If the trunk contains `head`, only the base can tell which commits are the worker's.
    let trunk = trunk.filter(|trunk| !world.contains(repo, trunk, head).unwrap_or(true));
    // A missing commit would otherwise count as zero.
    world.commits_between(repo, base, head).ok()?;
    let known: Vec<Sha> = [base].into_iter().chain(trunk).cloned().collect();
    let commits = world.commits_of(repo, head, &known).ok()?;
    u64::try_from(commits.len()).ok()
}

/// Resolves an id to a commit, which must be on the trunk as last fetched.
pub(crate) fn commit_on_trunk(town: &Town, rig: &Rig, id: &str) -> Result<Sha> {
    let (repo, path, trunk) = (town.world().repo(), rig.layout.repo(), &rig.row.trunk);
    let hint = format!("name a commit of {trunk} by its id; gt rig fetch {} fetches new ones", rig.name());
    let Some(commit) = repo.find_commit(&path, id)? else {
        return Err(Error::refused(format!("`{id}` is not a commit of {}", rig.name()), hint));
    };
    let refs = town.ledger.read(|view| view.remote_refs(rig.name()).map_err(Error::from))?;
    match refs.get(trunk) {
        Some(at) if repo.contains(&path, at, &commit)? => Ok(commit),
        _ => Err(Error::refused(format!("{} is not on {trunk}", commit.short()), hint)),
    }
}

/// Facts from the ledger about an attempt.
struct Known {
    /// Heads of the remote's branches.
    remote: Vec<Sha>,
    trunk: Option<Sha>,
    /// Commits that a worker of the same name made for other beads.
    earlier: Vec<Sha>,
    /// Addresses of the bead's workers.
    workers: Vec<String>,
}

impl Known {
    fn of(view: &gt_ledger::View<'_>, attempt: &Attempt, trunk: &str) -> Result<Self> {
        let branches = view.remote_refs(&attempt.rig)?;
        let trunk = branches.get(trunk).cloned();
        let earlier = view.heads_for_other_beads(&attempt.rig, &attempt.worker, &attempt.bead)?;
        let attempts = view.attempts_on(&attempt.bead)?;
        let workers = attempts.iter().map(|attempt| attempt.address().to_string()).collect();
        Ok(Self { remote: branches.into_values().collect(), trunk, earlier, workers })
    }
}
