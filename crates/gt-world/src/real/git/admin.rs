//! What a repository records of its worktrees: one administrative folder each, in `worktrees`.

use std::fs;
use std::path::{Path, PathBuf};

use super::command::{Place, path_from};
use crate::WorldError;
use crate::WorldResult;
use crate::real::disk::{found, io_error, read_whole, replace_for_now};

/// Why a worktree of ours is locked while it is being made: git keeps this text from the first moment on, so that a
/// half-made worktree is told from one in which somebody worked.
pub(super) const MAKING: &str = "gt-making";

/// Why a worktree of ours is locked when it is made: git tells whoever wants to remove it.
const MADE: &str = "the town's; it archives this worktree itself when the work is over\n";

/// What git itself writes into the lock while it makes a worktree.
const INITIALIZING: &str = "initializing";

/// A worktree's administrative folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Admin {
    /// The folder, inside the repository.
    pub(super) folder: PathBuf,
    /// The checkout it belongs to.
    pub(super) path: PathBuf,
}

impl Admin {
    /// The worktree as a place for git.
    pub(super) fn place(&self) -> Place {
        Place::Worktree { repo: self.repo(), admin: self.folder.clone(), path: self.path.clone() }
    }

    /// The repository that the worktree is of.
    pub(super) fn repo(&self) -> PathBuf {
        self.folder.ancestors().nth(2).unwrap_or(&self.folder).to_owned()
    }

    /// Whether whoever made this worktree did not come to the end.
    pub(super) fn is_half_made(&self) -> bool {
        let reason = read_whole(&self.folder.join("locked")).unwrap_or_default();
        [MAKING, INITIALIZING].iter().any(|word| reason.trim_ascii_end() == word.as_bytes())
    }

    /// Says that the worktree is made. It stays locked, so that a worker's `git worktree remove --force` does not take
    /// another's away.
    pub(super) fn finish(&self) -> WorldResult<()> {
        replace_for_now(&self.folder.join("locked"), MADE.as_bytes())
    }

    /// Whether the checkout leads back to this folder. A copy of a checkout does not.
    pub(super) fn is_linked(&self) -> bool {
        let Some(target) = read_path(&self.path.join(".git"), "gitdir: ") else { return false };
        let whole = ["HEAD", "commondir"].iter().all(|name| self.folder.join(name).exists());
        whole && real(&self.path.join(target)) == real(&self.folder)
    }

    /// Whether the checkout has no link at all: a killed git or a careless worker left none, or an empty one.
    pub(super) fn has_lost_link(&self) -> bool {
        self.path.join(".git").symlink_metadata().map_or(true, |facts| facts.is_file() && facts.len() == 0)
    }

    /// Writes the checkout's link to this folder anew.
    pub(super) fn link(&self) -> WorldResult<()> {
        let mut text = b"gitdir: ".to_vec();
        text.extend_from_slice(self.folder.as_os_str().as_encoded_bytes());
        text.push(b'\n');
        replace_for_now(&self.path.join(".git"), &text)
    }
}

/// The repository's record of a worktree at `path`, whether that is still there or not.
pub(super) fn recorded(repo: &Path, path: &Path) -> WorldResult<Option<Admin>> {
    let path = real(path);
    Ok(all(repo)?.into_iter().find(|admin| admin.path == path))
}

/// The worktree at `path`, if that is one of this repository.
pub(super) fn attached(repo: &Path, path: &Path) -> WorldResult<Option<Admin>> {
    Ok(recorded(repo, path)?.filter(Admin::is_linked))
}

/// The worktree at `path`, which must be there.
pub(super) fn required(repo: &Path, path: &Path) -> WorldResult<Admin> {
    let missing = || WorldError::Unexpected(format!("{} is no worktree of {}", path.display(), repo.display()));
    attached(repo, path)?.ok_or_else(missing)
}

/// All worktrees that the repository records.
pub(super) fn all(repo: &Path) -> WorldResult<Vec<Admin>> {
    let folder = real(repo).join("worktrees");
    let Some(entries) = found(fs::read_dir(&folder)).map_err(io_error("list", &folder))? else {
        return Ok(Vec::new());
    };
    let mut admins = Vec::new();
    for entry in entries {
        let folder = entry.map_err(io_error("list", &folder))?.path();
        // One without a `gitdir` belongs to no path (yet): `git worktree prune` takes it away.
        if let Some(link) = read_path(&folder.join("gitdir"), "")
            && let Some(path) = folder.join(link).parent()
        {
            admins.push(Admin { path: real(path), folder });
        }
    }
    Ok(admins)
}

/// The path in a file of git's that holds one after `prefix`.
fn read_path(file: &Path, prefix: &str) -> Option<PathBuf> {
    let bytes = read_whole(file).ok()?;
    let path = bytes.strip_prefix(prefix.as_bytes())?;
    Some(path_from(path.strip_suffix(b"\n").unwrap_or(path)))
}

/// The path without symbolic links, as git records it; of one that is gone, as much as is there.
pub(super) fn real(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if parent != path => real(parent).join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_path_of_what_is_gone_is_reckoned_from_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(&root, root.join("link")).unwrap();
        assert_eq!(real(&root.join("link/a/b")), root.join("a/b"));
    }
}
