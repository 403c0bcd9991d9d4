//! Questions about the contents and the origin of commits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gt_model::id::Sha;
use gt_model::kept::{Entry, FileChange};
use gt_model::landed::BranchCommit;

use super::WorldResult;

/// How to bring a branch up to the trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Git replays the branch's commits on the trunk one by one. Changes made by merge commits are lost.
    Rebase,
    /// Git merges the trunk into the branch. Nothing of the branch is lost.
    Merge,
}

/// Result of bringing a branch up to the trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaughtUp {
    /// The branch contains the trunk.
    Done,
    /// Git stopped at conflicts in these files. The worker has to resolve them.
    Conflict {
        /// Their paths.
        files: Vec<String>,
    },
}

/// A commit with the first line of its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Titled {
    /// Its id.
    pub commit: Sha,
    /// The first line of its message.
    pub title: String,
}

/// Limit on the number of commits that [`History::commits_of`] returns.
pub const COMMITS_LIMIT: usize = 1000;

/// Limit on the number of commits that [`History::touching`] returns.
pub const TOUCHING_LIMIT: usize = 3;

/// Questions about the commits of a rig's bare repository. No method here changes a branch.
pub trait History: Send + Sync {
    /// Returns the commits in the history of `head` and of none of `known`, newest first, at most [`COMMITS_LIMIT`]. Ignores ids
    /// that are not commits of the repository.
    fn commits_of(&self, repo: &Path, head: &Sha, known: &[Sha]) -> WorldResult<Vec<BranchCommit>>;
    /// Returns the messages of the commits in the history of `head` and of none of `known`, oldest first, at most
    /// [`COMMITS_LIMIT`]. Leaves out merges.
    fn messages(&self, _repo: &Path, _head: &Sha, _known: &[Sha]) -> WorldResult<Vec<String>> {
        Ok(Vec::new())
    }
    /// Returns the commits that the worktree's own reflog says were made in it. The worker can write that reflog.
    fn made_in(&self, repo: &Path, path: &Path) -> WorldResult<BTreeSet<Sha>>;
    /// Whether merging `head` into `onto` would change `onto`, or conflicts with it.
    fn brings(&self, repo: &Path, onto: &Sha, head: &Sha) -> WorldResult<bool>;
    /// Whether `tip` still has what `commit` changed since its only parent. False where git can't tell.
    fn still_has(&self, repo: &Path, tip: &Sha, commit: &Sha) -> WorldResult<bool>;
    /// Returns the commit that an abbreviated or full id names; `None` where it names none, or several.
    fn find_commit(&self, repo: &Path, id: &str) -> WorldResult<Option<Sha>>;
    /// Returns the commits of `to` that `from` lacks and that changed one of `paths`, newest first, at most [`TOUCHING_LIMIT`].
    fn touching(&self, repo: &Path, from: &Sha, to: &Sha, paths: &[String]) -> WorldResult<Vec<Titled>>;
    /// Returns those of `commits` that are not in the history of `tip`. Takes one process for any number of commits. Leaves out
    /// ids that are not commits of the repository.
    fn missing_from(&self, repo: &Path, tip: &Sha, commits: &[Sha]) -> WorldResult<BTreeSet<Sha>>;
    /// Returns the changes between two commits, renames followed.
    fn changes(&self, repo: &Path, from: &Sha, to: &Sha) -> WorldResult<Vec<FileChange>>;
    /// Returns what a commit with one parent changed.
    fn changes_of(&self, repo: &Path, commit: &Sha) -> WorldResult<Vec<FileChange>>;
    /// Returns the renames between two commits: old path to new path.
    fn renames(&self, repo: &Path, from: &Sha, to: &Sha) -> WorldResult<BTreeMap<String, String>>;
    /// Returns the files of a commit at these paths. Leaves out paths that the commit lacks.
    fn entries(&self, repo: &Path, commit: &Sha, paths: &[String]) -> WorldResult<BTreeMap<String, Entry>>;
    /// Returns the lines of a file's content.
    fn lines(&self, repo: &Path, blob: &Sha) -> WorldResult<Vec<String>>;
    /// Returns what the worker's git has begun in its worktree and not finished, in a word: `rebase`, `merge`.
    fn under_way(&self, repo: &Path, path: &Path) -> WorldResult<Option<&'static str>>;
    /// Brings the branch that is checked out at `path` up to `onto`, with the worker's own git, settings and hooks. Only a
    /// process of that worker may call it. Leaves a conflict as git leaves it, for the worker to resolve.
    fn catch_up(&self, repo: &Path, path: &Path, onto: &Sha, way: Way) -> WorldResult<CaughtUp>;
    /// Brings the submodules of the worktree at `path` to the commits that its branch names, with the worker's own git. Only a
    /// process of that worker may call it. Returns git's message where git can't get a submodule.
    fn update_submodules(&self, path: &Path) -> WorldResult<Option<String>>;
}
