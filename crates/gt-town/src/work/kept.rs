//! Finds work of a worker that got lost between the last step before its branch was brought up to the trunk and its submission.
//! It reads only objects in the repository; it neither runs nor trusts anything in the worktree.

use std::collections::BTreeMap;

use gt_ledger::{Attempt, StepPlace, View};
use gt_model::formula::{Acceptance, Act};
use gt_model::id::Sha;
use gt_model::kept::{Entry, FileChange, Lost, SUBMODULE, Version, Versions, lost, places};
use gt_model::landed::BranchCommit;
use gt_world::Repo;

use crate::town::error::{Error, Result};
use crate::town::{Rig, Town};

/// Lost work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The losses.
    pub lost: Vec<Lost>,
    /// Commit that still contains the work.
    pub had: Sha,
    /// Step that ended with that commit.
    pub step: String,
}

/// Maximum number of the worker's changes that are examined one by one.
const CHANGES_LIMIT: usize = 500;

/// Maximum number of later commits whose changes are examined.
const LATER_LIMIT: usize = 100;

/// Maximum number of snapshots searched for the one taken at the end of a step.
const SNAPSHOTS_LIMIT: usize = 8;

/// Maximum number of losses shown in an error.
const SHOWN_LOSSES: usize = 20;

impl Gone {
    /// Describes the losses for the worker.
    pub fn text(&self) -> String {
        let shown: Vec<String> = self.lost.iter().take(SHOWN_LOSSES).map(|lost| format!("\n  {lost}")).collect();
        let more = self.lost.len().saturating_sub(SHOWN_LOSSES);
        let more = if more == 0 { String::new() } else { format!("\n  and {more} more") };
        format!("{}{more}", shown.concat())
    }

    /// Describes the losses in one line for reviewers.
    pub fn summary(&self) -> String {
        let mut paths: Vec<&str> = self.lost.iter().map(|lost| lost.path.as_str()).collect();
        paths.dedup();
        let more = paths.len().saturating_sub(SHOWN_LOSSES);
        paths.truncate(SHOWN_LOSSES);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{}{more}, as {} has it", paths.join(", "), self.had.short())
    }
}

/// Compares what an attempt submits at `head` with its earlier work. `None` if nothing is lost or nothing is known.
pub fn look(town: &Town, rig: &Rig, attempt: &Attempt, head: &Sha) -> Result<Option<Gone>> {
    let Some(known) = town.ledger.read(|view| Known::of(view, rig, attempt))? else { return Ok(None) };
    let comparison = Comparison { repo: town.world().repo(), rig, attempt, head, known };
    let had = comparison.snapshot()?;
    let lost = comparison.lost(&had)?;
    Ok((!lost.is_empty()).then_some(Gone { lost, had, step: comparison.known.place.step.id }))
}

/// Facts from the ledger.
struct Known {
    /// State of the worktree at the end of the last step before the one that brings the branch up to the trunk.
    place: StepPlace,
    /// Last known trunk.
    trunk: Sha,
}

impl Known {
    fn of(view: &View<'_>, rig: &Rig, attempt: &Attempt) -> Result<Option<Self>> {
        let steps = view.steps(attempt.id)?;
        let catches_up = |acceptance: &[Acceptance]| acceptance.contains(&Acceptance::Act(Act::Rebased));
        let last = steps.last().map(|step| step.step.id.clone());
        let until =
            steps.iter().find(|step| catches_up(&step.step.acceptance)).map(|step| step.step.id.clone()).or(last);
        let before: Vec<&str> =
            steps.iter().map(|step| step.step.id.as_str()).take_while(|id| Some(*id) != until.as_deref()).collect();
        let place = view.step_places(attempt.id)?.into_iter().rfind(|place| before.contains(&place.step.id.as_str()));
        let trunk = view.remote_refs(rig.name())?.remove(&rig.row.trunk);
        Ok(place.zip(trunk).map(|(place, trunk)| Self { place, trunk }))
    }
}

struct Comparison<'t> {
    repo: &'t dyn Repo,
    rig: &'t Rig,
    attempt: &'t Attempt,
    head: &'t Sha,
    known: Known,
}

impl Comparison<'_> {
    fn path(&self) -> std::path::PathBuf {
        self.rig.layout.repo()
    }

    fn lost(&self, had: &Sha) -> Result<Vec<Lost>> {
        let path = self.path();
        if had == self.head || self.repo.tree_of(&path, had)? == self.repo.tree_of(&path, self.head)? {
            return Ok(Vec::new());
        }
        let since =
            self.repo.commits_of(&path, self.head, &[self.known.place.head.clone(), self.known.trunk.clone()])?;
        let is_built_upon = self.repo.contains(&path, self.head, &self.known.place.head)?;
        if is_built_upon && *had == self.known.place.head && since.iter().all(|commit| commit.parents == 1) {
            // If it is missing, a commit of the worker removed it.
            return Ok(Vec::new());
        }
        let trunk_then = self.known.place.trunk.as_ref().or(self.attempt.base.as_ref()).unwrap_or(&self.known.trunk);
        let before = self.fork(&self.known.place.head, trunk_then)?;
        let trunk = self.fork(self.head, &self.known.trunk)?;
        let mut own = self.repo.changes(&path, &before, had)?;
        own.truncate(CHANGES_LIMIT);
        let submitted = self.repo.changes(&path, &trunk, self.head)?;
        let later = self.later(&since)?;
        let files = self.files(&own, &submitted, &before, &trunk)?;
        lost(&own, &submitted, &later, |change| files.versions(change, &submitted))
    }

    /// Returns the commit of the worktree at the end of the step, or a snapshot if that contains more.
    fn snapshot(&self) -> Result<Sha> {
        let head = &self.known.place.head;
        let mut next = self.attempt.snapshot.clone();
        for _ in 0..SNAPSHOTS_LIMIT {
            let Some(snapshot) = next else { break };
            // Treat a snapshot that retention has deleted as if it had never existed.
            let Ok(facts) = self.repo.snapshot_facts(&self.path(), &snapshot) else { break };
            if &facts.head == head {
                return self.with_more(snapshot);
            }
            next = facts.before;
        }
        Ok(head.clone())
    }

    /// Returns the snapshot if the worktree held more than its commit; the commit itself if the worktree was clean.
    fn with_more(&self, snapshot: Sha) -> Result<Sha> {
        let head = &self.known.place.head;
        let tree = |commit: &Sha| self.repo.tree_of(&self.path(), commit);
        Ok(if tree(&snapshot)? == tree(head)? { head.clone() } else { snapshot })
    }

    fn fork(&self, one: &Sha, other: &Sha) -> Result<Sha> {
        Ok(self.repo.merge_bases(&self.path(), one, other)?.into_iter().next().unwrap_or_else(|| other.clone()))
    }

    /// Returns the changes that the worker made on purpose after the step, in commits written since. A rebase keeps a commit's
    /// author time, in seconds, so a commit of the same second counts. An amended commit counts as written at its first time.
    fn later(&self, since: &[BranchCommit]) -> Result<Vec<FileChange>> {
        let closed = self.known.place.done_at.as_second();
        let written = since.iter().filter(|commit| commit.parents == 1 && commit.authored_at >= closed);
        let mut later = Vec::new();
        for commit in written.take(LATER_LIMIT) {
            later.extend(self.repo.changes_of(&self.path(), &commit.commit)?);
        }
        Ok(later)
    }

    fn files(&self, own: &[FileChange], submitted: &[FileChange], before: &Sha, trunk: &Sha) -> Result<FileSet<'_>> {
        let path = self.path();
        let moved = self.repo.renames(&path, before, trunk)?;
        let all: Vec<String> = own.iter().flat_map(|change| places(change, submitted, &moved)).collect();
        Ok(FileSet {
            repo: self.repo,
            rig: self.rig,
            trunk: self.repo.entries(&path, trunk, &all)?,
            submitted: self.repo.entries(&path, self.head, &all)?,
            moved,
        })
    }
}

/// Files that may contain the worker's work.
struct FileSet<'t> {
    repo: &'t dyn Repo,
    rig: &'t Rig,
    moved: BTreeMap<String, String>,
    trunk: BTreeMap<String, Entry>,
    submitted: BTreeMap<String, Entry>,
}

impl FileSet<'_> {
    fn versions(&self, change: &FileChange, submitted: &[FileChange]) -> Result<Versions> {
        let at = places(change, submitted, &self.moved).into_iter().find(|place| self.submitted.contains_key(place));
        let on_trunk = self.moved.get(&change.from).unwrap_or(&change.from);
        let has_lines = change.hunks.as_ref().is_some_and(|hunks| !hunks.is_empty());
        let version = |entry: Option<&Entry>| self.version(entry, has_lines);
        Ok(Versions {
            before: version(change.old.as_ref())?,
            own: version(change.new.as_ref())?,
            trunk: version(self.trunk.get(on_trunk))?,
            submitted: version(at.as_ref().and_then(|at| self.submitted.get(at)))?,
            at,
        })
    }

    fn version(&self, entry: Option<&Entry>, has_lines: bool) -> Result<Version> {
        let blob = entry.filter(|entry| has_lines && entry.mode != SUBMODULE);
        let lines = blob.map(|entry| self.repo.lines(&self.rig.layout.repo(), &entry.id)).transpose()?;
        Ok(Version { entry: entry.cloned(), lines: lines.unwrap_or_default() })
    }
}

/// Builds the error for lost work.
pub fn refusal(gone: &Gone) -> Error {
    let what = format!(
        "changes of your own that {} had when {} was closed are gone:{}",
        gone.had.short(),
        gone.step,
        gone.text()
    );
    let hint = format!(
        "restore them (git diff HEAD {0}; git checkout {0} -- <file>) and commit; or, if you removed them on purpose, \
         say why: gt done --dropped \"<why>\"",
        gone.had.short()
    );
    Error::refused(what, hint)
}
