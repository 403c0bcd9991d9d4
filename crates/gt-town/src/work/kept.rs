//! What of a worker's own work is gone between the last step before its branch was brought up to the trunk and what it
//! submits. All of it is read from the repository's objects: nothing of the worktree is run or believed.

use std::collections::BTreeMap;

use gt_ledger::{Attempt, StepPlace, View};
use gt_model::formula::Acceptance;
use gt_model::id::Sha;
use gt_model::kept::{Entry, FileChange, Lost, SUBMODULE, Version, Versions, lost, places};
use gt_model::landed::BranchCommit;
use gt_world::Repo;

use crate::town::error::{Error, Result};
use crate::town::{Rig, Town};

/// What is gone, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// What.
    pub lost: Vec<Lost>,
    /// The commit that has it.
    pub had: Sha,
    /// The step that ended with that.
    pub step: String,
}

/// Most of the worker's changes that are looked at one by one.
const CHANGES_LIMIT: usize = 500;

/// Most later commits that are asked what they changed.
const LATER_LIMIT: usize = 100;

/// How many snapshots are looked through for the one that was taken at the end of a step.
const SNAPSHOTS_LIMIT: usize = 8;

/// Most losses that an error shows.
const SHOWN_LOSSES: usize = 20;

impl Gone {
    /// The losses as text, for the worker.
    pub fn text(&self) -> String {
        let shown: Vec<String> = self.lost.iter().take(SHOWN_LOSSES).map(|lost| format!("\n  {lost}")).collect();
        let more = self.lost.len().saturating_sub(SHOWN_LOSSES);
        let more = if more == 0 { String::new() } else { format!("\n  and {more} more") };
        format!("{}{more}", shown.concat())
    }

    /// The same in a line, for those who review it.
    pub fn summary(&self) -> String {
        let mut paths: Vec<&str> = self.lost.iter().map(|lost| lost.path.as_str()).collect();
        paths.dedup();
        let more = paths.len().saturating_sub(SHOWN_LOSSES);
        paths.truncate(SHOWN_LOSSES);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{}{more}, as {} has it", paths.join(", "), self.had.short())
    }
}

/// Compares what an attempt submits at `head` with what it had; `None` where nothing is gone, or nothing is known.
pub fn look(town: &Town, rig: &Rig, attempt: &Attempt, head: &Sha) -> Result<Option<Gone>> {
    let Some(known) = town.ledger.read(|view| Known::of(view, rig, attempt))? else { return Ok(None) };
    let comparison = Comparison { repo: town.world().repo(), rig, attempt, head, known };
    let had = comparison.snapshot()?;
    let lost = comparison.lost(&had)?;
    Ok((!lost.is_empty()).then_some(Gone { lost, had, step: comparison.known.place.step.id }))
}

/// What the ledger knows.
struct Known {
    /// Where the worktree was at the end of the last step before the one that brings the branch up to the trunk.
    place: StepPlace,
    /// Where the trunk is now, as it is known.
    trunk: Sha,
}

impl Known {
    fn of(view: &View<'_>, rig: &Rig, attempt: &Attempt) -> Result<Option<Self>> {
        let steps = view.steps(attempt.id)?;
        let catches_up = |acceptance: &[Acceptance]| acceptance.contains(&Acceptance::Rebased);
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
            // Whatever is not there, a commit of the worker's took out.
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

    /// What the worktree held at the end of the step: its commit, or the snapshot that has more than that.
    fn snapshot(&self) -> Result<Sha> {
        let head = &self.known.place.head;
        let mut next = self.attempt.snapshot.clone();
        for _ in 0..SNAPSHOTS_LIMIT {
            let Some(snapshot) = next else { break };
            // What retention has let go of is as if it had never been.
            let Ok(facts) = self.repo.snapshot_facts(&self.path(), &snapshot) else { break };
            if &facts.head == head {
                return self.with_more(snapshot);
            }
            next = facts.before;
        }
        Ok(head.clone())
    }

    /// The snapshot where the worktree held more than its commit; the commit itself where it was clean.
    fn with_more(&self, snapshot: Sha) -> Result<Sha> {
        let head = &self.known.place.head;
        let tree = |commit: &Sha| self.repo.tree_of(&self.path(), commit);
        Ok(if tree(&snapshot)? == tree(head)? { head.clone() } else { snapshot })
    }

    fn fork(&self, one: &Sha, other: &Sha) -> Result<Sha> {
        Ok(self.repo.merge_bases(&self.path(), one, other)?.into_iter().next().unwrap_or_else(|| other.clone()))
    }

    /// What the worker changed on purpose after the step: by commits that it wrote since. A rebase keeps when a commit was
    /// written, in seconds, so that one of the same second counts; an amended commit counts as written when it first was.
    fn later(&self, since: &[BranchCommit]) -> Result<Vec<FileChange>> {
        let closed: i64 = self.known.place.done_at.parse::<jiff::Timestamp>().map_or(i64::MAX, |at| at.as_second());
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

/// The files that may have what the worker had.
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

/// The error for work that is gone.
pub fn refusal(gone: &Gone) -> Error {
    let what = format!(
        "work of your own is gone that was there at {}, when {} was closed:{}",
        gone.had.short(),
        gone.step,
        gone.text()
    );
    let hint = format!(
        "put it back (git diff HEAD {0}; git checkout {0} -- <file>) and commit; or, where that is meant, say why: \
         gt done --dropped \"<why>\"",
        gone.had.short()
    );
    Error::refused(what, hint)
}
