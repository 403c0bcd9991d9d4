//! The town's own repository, of which one branch is ours: the ledger's, which is never checked out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gt_model::id::Sha;

use super::{Held, Push, WorldResult};

/// The branch that holds the ledger's checkpoints (short name).
pub(crate) const LEDGER_BRANCH: &str = "gt-ledger";

/// The same by its full name.
pub const LEDGER_REF: &str = "refs/heads/gt-ledger";

/// Size that one file of a checkpoint may have, in bytes: ten times the ledger of a hundred thousand beads.
pub(crate) const FILE_LIMIT_BYTES: u64 = 1 << 30;

/// Files that a checkpoint may have: of a ledger of some hundred thousand beads four thousand a prefix, and one a rig and
/// a formula.
pub(crate) const FILES_LIMIT: usize = 200_000;

/// A file of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Its content, by id.
    pub id: Sha,
    /// Its size, in bytes.
    pub bytes: u64,
}

/// What a file of a new commit is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSource {
    /// This.
    Bytes(Vec<u8>),
    /// What the repository has under that id.
    Known(Sha),
}

/// A town's repository, by its git folder ([`git_folder`]). Nothing here touches a checkout or an index of the user's.
pub trait LedgerRepo: Send + Sync {
    /// Makes the folder a repository, if it is none, and has git ignore there what is not for people to commit.
    fn make(&self, held: &Held, town: &Path) -> WorldResult<()>;
    /// Where a branch or another ref (full name) is; `None` where there is none, or no repository.
    fn at(&self, repo: &Path, name: &str) -> WorldResult<Option<Sha>>;
    /// All files of a commit, by their paths. What is no file in it is an error, as are more than [`FILES_LIMIT`].
    fn files(&self, repo: &Path, commit: &Sha) -> WorldResult<BTreeMap<String, FileFacts>>;
    /// The content of a file that [`Self::files`] told of. Over [`FILE_LIMIT_BYTES`] it is an error.
    fn content(&self, repo: &Path, file: &FileFacts) -> WorldResult<Vec<u8>> {
        Ok(self.contents(repo, &[file])?.remove(0))
    }
    /// The contents of such files, as many as are asked for, in their order.
    fn contents(&self, repo: &Path, files: &[&FileFacts]) -> WorldResult<Vec<Vec<u8>>>;
    /// Makes a commit of exactly these files; moves no ref. With one parent that has the same files: answers with that.
    fn commit_files(
        &self,
        held: &Held,
        repo: &Path,
        files: &BTreeMap<String, FileSource>,
        parents: &[Sha],
        message: &str,
    ) -> WorldResult<Sha>;
    /// Fetches the ledger's branch of the repository at `url` into the ref `into` (full name); `None` where it has none.
    fn fetch_ledger(&self, held: &Held, repo: &Path, url: &str, into: &str) -> WorldResult<Option<Sha>>;
    /// Moves the ledger's branch of the repository at `url` from `expected` to `new`, by compare-and-swap.
    fn push_ledger(&self, held: &Held, repo: &Path, url: &str, new: &Sha, expected: Option<&Sha>) -> WorldResult<Push>;
    /// Packs what has gathered, if that is much.
    fn tidy(&self, held: &Held, repo: &Path) -> WorldResult<()>;
}

/// The git folder of the town at `town`.
pub fn git_folder(town: &Path) -> PathBuf {
    town.join(".git")
}
