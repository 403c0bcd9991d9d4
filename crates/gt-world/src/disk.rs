//! Files and folders of a town.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Held, WorldResult};

/// Kind of the node at a path. A symbolic link counts as itself, not as its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A file, or anything else that is neither folder nor link.
    File,
}

/// Files of the town.
///
/// In a guarded folder, only [`Self::read_own`], [`Self::list_own`] and [`Self::real_path`] follow symbolic links. All other
/// methods follow none, neither on the way nor at the end.
/// A method that meets a link on the way fails with [`Led`](crate::WorldError::Led);
/// a method that replaces a file replaces the link itself. No method waits for a node that is neither file nor folder (a pipe,
/// say). Outside guarded folders, links belong to the user, and all methods follow them.
pub trait Disk: Send + Sync {
    /// Guards the folder of a town: from now on, this process follows no link within it.
    fn guard(&self, root: &Path);
    /// Reads a file that the user may have linked to a place of their own: settings, directives, formulas, files that a caller
    /// names. Never use it for the town's own reads in folders that agents can write.
    fn read_own(&self, path: &Path) -> WorldResult<Option<Vec<u8>>>;
    /// Returns the names in a folder that the user may have linked likewise, sorted; empty where there is no folder.
    fn list_own(&self, path: &Path) -> WorldResult<Vec<String>>;
    /// Reads a whole file; `None` where there is none.
    fn read(&self, path: &Path) -> WorldResult<Option<Vec<u8>>>;
    /// Reads at most `at_most` bytes of a file, starting at the offset `from`. `None` where there is no ordinary file: it reads
    /// neither through links nor from nodes that would make the reader wait.
    fn read_part(&self, path: &Path, from: u64, at_most: usize) -> WorldResult<Option<Vec<u8>>>;
    /// Replaces a file atomically (writes a temporary file, syncs, renames). Makes the file's folder.
    fn write(&self, path: &Path, bytes: &[u8]) -> WorldResult<()>;
    /// Creates a file that only its owner can read and write. Fails if something is there. Makes the file's folder.
    fn write_private(&self, path: &Path, bytes: &[u8]) -> WorldResult<()>;
    /// Makes a folder and its parents.
    fn create_dir(&self, path: &Path) -> WorldResult<()>;
    /// Renames `from` to `to`; `to` must not exist.
    fn rename(&self, from: &Path, to: &Path) -> WorldResult<()>;
    /// Removes a file or a whole folder. Does nothing where there is none.
    fn remove(&self, path: &Path) -> WorldResult<()>;
    /// Returns the path without symbolic links; something must be at `path`.
    fn real_path(&self, path: &Path) -> WorldResult<PathBuf>;
    /// Whether two paths lead to the same file or folder. A path with nothing at it is the same as no other.
    fn is_same(&self, one: &Path, other: &Path) -> WorldResult<bool>;
    /// Whether anything is at `path`.
    fn exists(&self, path: &Path) -> bool;
    /// Returns the names in a folder, sorted; empty where there is no folder.
    fn list(&self, path: &Path) -> WorldResult<Vec<String>>;
    /// Makes a folder and its parents. Gives only its owner access to the folder, new or not, whatever the umask.
    fn create_private_dir(&self, path: &Path) -> WorldResult<()>;
    /// Copies a file or a whole folder to a path where nothing is. Copies links as links. The copy appears whole or not at all.
    /// Makes the parents. Shares disk blocks where the file system can. Leaves out nodes that are neither file, folder nor link.
    fn copy(&self, from: &Path, to: &Path) -> WorldResult<()>;
    /// Copies as [`Self::copy`] does, but keeps the files' times, and caps them at `latest` (seconds since the epoch). A build
    /// tool takes products that are younger than the sources for fresh; products copied from another tree must not look so.
    fn copy_older(&self, from: &Path, to: &Path, latest: i64) -> WorldResult<()>;
    /// Returns when the oldest file below a folder was written, in seconds since the epoch; `None` where there is no file.
    /// Follows no links and leaves out everything called `.git`.
    fn oldest_below(&self, folder: &Path) -> WorldResult<Option<i64>>;
    /// Makes a symbolic link at `at` to `target`. Does nothing if anything is at `at` already.
    fn link(&self, at: &Path, target: &Path) -> WorldResult<()>;
    /// Sets a file's time to now (a sign of life). Creates the file but not its folder: a folder that was removed must not come
    /// back.
    fn touch(&self, path: &Path) -> WorldResult<()>;
    /// Replaces a small file that is a sign of life. The write is atomic but not synced, since the file means nothing after a
    /// power cut. Makes the file's folder but not that folder's parents: a removed one must not come back.
    fn mark(&self, path: &Path, bytes: &[u8]) -> WorldResult<()>;
    /// Appends to a log that only its owner can read, without a sync. Creates the log, but not its folder. Replaces anything
    /// there that is no ordinary file.
    fn append(&self, path: &Path, bytes: &[u8]) -> WorldResult<()>;
    /// Writes as [`Self::mark`] does, but overwrites in place a file that has exactly the same length. A reader may then see the
    /// beginning of the new text and the end of the old one. Overwriting does not wait for the disk; replacing a file does.
    fn stamp(&self, path: &Path, bytes: &[u8]) -> WorldResult<()> {
        self.mark(path, bytes)
    }
    /// Returns when a file was last touched or written, in seconds since the epoch; `None` where there is no file.
    fn touched(&self, path: &Path) -> WorldResult<Option<i64>>;
    /// Returns what is at `path` without following a link; `None` where there is nothing.
    fn kind(&self, path: &Path) -> WorldResult<Option<NodeKind>>;
    /// Returns the size of a file, or of all files below a folder, in bytes. Follows no links. Files that it can't look at count
    /// as 0.
    fn size(&self, path: &Path) -> WorldResult<u64>;
    /// Returns how many bytes this process may still write on the disk of `path`.
    fn free_space(&self, path: &Path) -> WorldResult<u64>;
    /// Returns the name of the network file system on which `path` is; `None` where it is a local one or can't be recognised.
    fn network(&self, path: &Path) -> WorldResult<Option<&'static str>>;
    /// Takes the lock at `path`; `None` if another process holds it. The lock's folder must exist.
    fn try_lock(&self, path: &Path) -> WorldResult<Option<Held>>;
    /// Takes the lock at `path`. Waits for its turn for at most `deadline`; `None` when that has passed.
    fn lock(&self, path: &Path, deadline: Duration) -> WorldResult<Option<Held>>;
    /// Wakes the process (the deacon) that waits at the wake-up `path`. Does nothing where none waits.
    fn wake(&self, path: &Path);
    /// Whether a process waits at the wake-up `path`.
    fn is_awaited(&self, path: &Path) -> bool;
}
