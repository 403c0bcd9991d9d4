//! A repository's records of its worktrees: one administrative folder per worktree, in `worktrees`.

use std::fs;
use std::path::{Path, PathBuf};

use super::command::{Place, path_from};
use crate::WorldError;
use crate::WorldResult;
use crate::real::disk::{found, io_error, read_whole, replace_for_now};

/// Lock reason of a worktree of ours while it is being made. Git stores this text from the first moment on, so it tells a
/// half-made worktree from one that a worker has used.
pub(super) const MAKING: &str = "gt-making";

/// Lock reason of a finished worktree of ours. Git shows it to a user who tries to remove the worktree.
const MADE: &str = "the town's; it archives this worktree itself when the work is over\n";

/// Text that git itself writes into the lock while it makes a worktree.
const INITIALIZING: &str = "initializing";

/// A worktree's administrative folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Admin {
    /// The folder, inside the repository.
    pub(super) folder: PathBuf,
    /// The checkout that belongs to it.
    pub(super) path: PathBuf,
}

impl Admin {
    /// Returns the place where git works in this worktree.
    pub(super) fn place(&self) -> Place {
        Place::Worktree { repo: self.repo(), admin: self.folder.clone(), path: self.path.clone() }
    }

    /// Returns the worktree's repository.
    pub(super) fn repo(&self) -> PathBuf {
        self.folder.ancestors().nth(2).unwrap_or(&self.folder).to_owned()
    }

    /// Whether the making of this worktree was interrupted.
    pub(super) fn is_half_made(&self) -> bool {
        let reason = read_whole(&self.folder.join("locked")).unwrap_or_default();
        [MAKING, INITIALIZING].iter().any(|word| reason.trim_ascii_end() == word.as_bytes())
    }

    /// Marks the worktree as finished. It stays locked, so a worker's `git worktree remove --force` does not remove another
    /// worker's.
    pub(super) fn finish(&self) -> WorldResult<()> {
        replace_for_now(&self.folder.join("locked"), MADE.as_bytes())
    }

    /// Whether the checkout links back to this folder. A copy of a checkout does not.
    pub(super) fn is_linked(&self) -> bool {
        let Some(target) = read_path(&self.path.join(".git"), "gitdir: ") else { return false };
        let whole = ["HEAD", "commondir"].iter().all(|name| self.folder.join(name).exists());
        whole && real(&self.path.join(target)) == real(&self.folder)
    }

    /// Whether the checkout has lost its link: a killed git or a careless worker left none, or an empty one.
    pub(super) fn has_lost_link(&self) -> bool {
        self.path.join(".git").symlink_metadata().map_or(true, |facts| facts.is_file() && facts.len() == 0)
    }

    /// Writes the checkout's link to this folder again.
    pub(super) fn link(&self) -> WorldResult<()> {
        let mut text = b"gitdir: ".to_vec();
        text.extend_from_slice(self.folder.as_os_str().as_encoded_bytes());
        text.push(b'\n');
        replace_for_now(&self.path.join(".git"), &text)
    }
}

/// Returns the repository's record of a worktree at `path`, even if nothing is at `path` any more.
pub(super) fn recorded(repo: &Path, path: &Path) -> WorldResult<Option<Admin>> {
    let path = real(path);
    Ok(all(repo)?.into_iter().find(|admin| admin.path == path))
}

/// Returns the worktree at `path` if it belongs to this repository.
pub(super) fn attached(repo: &Path, path: &Path) -> WorldResult<Option<Admin>> {
    Ok(recorded(repo, path)?.filter(Admin::is_linked))
}

/// Returns the worktree at `path`, which must exist.
pub(super) fn required(repo: &Path, path: &Path) -> WorldResult<Admin> {
    let missing = || WorldError::Unexpected(format!("{} is not a worktree of {}", path.display(), repo.display()));
    attached(repo, path)?.ok_or_else(missing)
}

/// Returns all worktrees that the repository records.
pub(super) fn all(repo: &Path) -> WorldResult<Vec<Admin>> {
    let folder = real(repo).join("worktrees");
    let Some(entries) = found(fs::read_dir(&folder)).map_err(io_error("list", &folder))? else {
        return Ok(Vec::new());
    };
    let mut admins = Vec::new();
    for entry in entries {
        let folder = entry.map_err(io_error("list", &folder))?.path();
        // A folder without a `gitdir` belongs to no path (yet); `git worktree prune` removes it.
        if let Some(link) = read_path(&folder.join("gitdir"), "")
            && let Some(path) = folder.join(link).parent()
        {
            admins.push(Admin { path: real(path), folder });
        }
    }
    Ok(admins)
}

/// Reads a path from one of git's files that holds one after `prefix`.
fn read_path(file: &Path, prefix: &str) -> Option<PathBuf> {
    let bytes = read_whole(file).ok()?;
    let path = bytes.strip_prefix(prefix.as_bytes())?;
    Some(path_from(path.strip_suffix(b"\n").unwrap_or(path)))
}

/// Returns the path without symbolic links, as git records it. If its end does not exist, resolves the part that does.
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
