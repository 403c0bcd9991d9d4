//! Questions about what commits hold and where they came from.

use std::collections::BTreeSet;
use std::path::Path;

use gt_model::id::Sha;
use gt_model::landed::BranchCommit;

use super::WorldResult;

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
}
