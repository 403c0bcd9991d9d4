//! The town's own repository. The town owns one branch in it, the ledger's, and never checks that branch out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gt_model::id::Sha;

use super::{Held, Push, WorldResult};

/// The branch that holds the ledger's checkpoints (short name).
pub(crate) const LEDGER_BRANCH: &str = "gt-ledger";

/// The full name of that branch.
pub const LEDGER_REF: &str = "refs/heads/gt-ledger";

/// Limit on the size of one file of a checkpoint, in bytes: ten times the ledger of a hundred thousand beads.
pub(crate) const FILE_LIMIT_BYTES: u64 = 1 << 30;

/// Limit on the number of files of a checkpoint. A ledger of some hundred thousand beads has four thousand per prefix, and one
/// per rig and per formula.
pub(crate) const FILES_LIMIT: usize = 200_000;

/// A file of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// The id of its content.
    pub id: Sha,
    /// Its size, in bytes.
    pub bytes: u64,
}

/// The content of a file of a new commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSource {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The object that the repository has under this id.
    Known(Sha),
}

/// A town's repository, addressed by its git folder ([`git_folder`]). No method touches a checkout or an index of the user's.
pub trait LedgerRepo: Send + Sync {
    /// Makes the folder a repository if it is none, and has git ignore the files there that people should not commit.
    fn make(&self, held: &Held, town: &Path) -> WorldResult<()>;
    /// Returns the commit of a branch or another ref (full name); `None` where there is no such ref, or no repository.
    fn at(&self, repo: &Path, name: &str) -> WorldResult<Option<Sha>>;
    /// Returns all files of a commit by their paths. An error if the commit holds anything but files, or more than
    /// [`FILES_LIMIT`].
    fn files(&self, repo: &Path, commit: &Sha) -> WorldResult<BTreeMap<String, FileFacts>>;
    /// Returns the content of a file that [`Self::files`] listed. An error if it is larger than [`FILE_LIMIT_BYTES`].
    fn content(&self, repo: &Path, file: &FileFacts) -> WorldResult<Vec<u8>> {
        Ok(self.contents(repo, &[file])?.remove(0))
    }
    /// Returns the contents of any number of such files, in the order given.
    fn contents(&self, repo: &Path, files: &[&FileFacts]) -> WorldResult<Vec<Vec<u8>>>;
    /// Makes a commit of exactly these files and moves no ref. If its only parent has the same files, returns that parent.
    fn commit_files(
        &self,
        held: &Held,
        repo: &Path,
        files: &BTreeMap<String, FileSource>,
        parents: &[Sha],
        message: &str,
    ) -> WorldResult<Sha>;
    /// Fetches the ledger's branch from the repository at `url` into the ref `into` (full name). `None` where the remote has no
    /// such branch.
    fn fetch_ledger(&self, held: &Held, repo: &Path, url: &str, into: &str) -> WorldResult<Option<Sha>>;
    /// Moves the ledger's branch of the repository at `url` from `expected` to `new`, by compare-and-swap.
    fn push_ledger(&self, held: &Held, repo: &Path, url: &str, new: &Sha, expected: Option<&Sha>) -> WorldResult<Push>;
    /// Packs loose objects if there are many of them.
    fn tidy(&self, held: &Held, repo: &Path) -> WorldResult<()>;
}

/// Returns the git folder of the town at `town`.
pub fn git_folder(town: &Path) -> PathBuf {
    town.join(".git")
}
