//! Questions about what commits hold and where they came from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gt_model::id::Sha;
use gt_model::kept::{Entry, FileChange};
use gt_model::landed::BranchCommit;

use super::WorldResult;

/// How a branch is brought up to the trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Its commits are put upon the trunk one by one. What merge commits changed is left out.
    Rebase,
    /// The trunk is merged into it: nothing of it is left out.
    Merge,
}

/// What came of bringing a branch up to the trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaughtUp {
    /// It contains the trunk.
    Done,
    /// It stopped amid these files, which the worker has to resolve.
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

/// Most commits that [`History::commits_of`] answers with.
pub const COMMITS_LIMIT: usize = 1000;

/// Most commits that [`History::touching`] answers with.
pub const TOUCHING_LIMIT: usize = 3;

/// What the commits of a rig's bare repository say. Nothing here changes anything.
pub trait History: Send + Sync {
    /// The commits in the history of `head` and of none of `known`, newest first, at most [`COMMITS_LIMIT`]. What is no
    /// commit of the repository counts as nothing.
    fn commits_of(&self, repo: &Path, head: &Sha, known: &[Sha]) -> WorldResult<Vec<BranchCommit>>;
    /// What commits say that are in the history of `head`, and in that of none of `known`: the oldest first, merges left
    /// out, [`COMMITS_LIMIT`] of them at most.
    fn messages(&self, _repo: &Path, _head: &Sha, _known: &[Sha]) -> WorldResult<Vec<String>> {
        Ok(Vec::new())
    }
    /// The commits that the worktree's own record says were made in it. Its worker can write that record.
    fn made_in(&self, repo: &Path, path: &Path) -> WorldResult<BTreeSet<Sha>>;
    /// Whether merging `head` into `onto` would change `onto`, or conflicts with it.
    fn brings(&self, repo: &Path, onto: &Sha, head: &Sha) -> WorldResult<bool>;
    /// Whether `tip` still has what `commit` changed since its only parent. False where that can't be told.
    fn still_has(&self, repo: &Path, tip: &Sha, commit: &Sha) -> WorldResult<bool>;
    /// The commit that an abbreviated or whole id means; `None` where it means none, or several.
    fn find_commit(&self, repo: &Path, id: &str) -> WorldResult<Option<Sha>>;
    /// Commits of `to` that `from` has not and that changed one of `paths`, newest first, at most [`TOUCHING_LIMIT`].
    fn touching(&self, repo: &Path, from: &Sha, to: &Sha, paths: &[String]) -> WorldResult<Vec<Titled>>;
    /// Those of `commits` that are not in the history of `tip`. One process, however many there are. What is no commit of
    /// the repository is left out.
    fn missing_from(&self, repo: &Path, tip: &Sha, commits: &[Sha]) -> WorldResult<BTreeSet<Sha>>;
    /// What changed between two commits, renames followed.
    fn changes(&self, repo: &Path, from: &Sha, to: &Sha) -> WorldResult<Vec<FileChange>>;
    /// What a commit with one parent changed.
    fn changes_of(&self, repo: &Path, commit: &Sha) -> WorldResult<Vec<FileChange>>;
    /// What was renamed between two commits: old path to new.
    fn renames(&self, repo: &Path, from: &Sha, to: &Sha) -> WorldResult<BTreeMap<String, String>>;
    /// The files of a commit at these paths, of those that it has.
    fn entries(&self, repo: &Path, commit: &Sha, paths: &[String]) -> WorldResult<BTreeMap<String, Entry>>;
    /// The lines of a file's content.
    fn lines(&self, repo: &Path, blob: &Sha) -> WorldResult<Vec<String>>;
    /// What the worker's git has begun in its worktree and not finished, in a word: `rebase`, `merge`.
    fn under_way(&self, repo: &Path, path: &Path) -> WorldResult<Option<&'static str>>;
    /// Brings the branch that is checked out at `path` up to `onto`, by the worker's own git with the worker's own settings
    /// and hooks: to be called by a process of that worker's only. A conflict is left as git leaves it, for the worker.
    fn catch_up(&self, repo: &Path, path: &Path, onto: &Sha, way: Way) -> WorldResult<CaughtUp>;
    /// Brings the submodules of the worktree at `path` to the commits that its branch names, by the worker's own git: to be
    /// called by a process of that worker's only. Answers with git's words where one can't be had.
    fn update_submodules(&self, path: &Path) -> WorldResult<Option<String>>;
}
