//! Files and folders of a town.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Held, WorldResult};

/// What is at a path, links not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A file, or something else that is neither.
    File,
}

/// Files of the town.
///
/// In a guarded folder no link is followed, neither on the way nor at the end, but by [`Self::read_own`],
/// [`Self::list_own`] and [`Self::real_path`]: where one is in the way, an act is refused ([`WorldError::Led`]), and what
/// replaces a file replaces the link. What is neither file nor folder is never waited for there. Everywhere else links are
/// a person's own.
pub trait Disk: Send + Sync {
    /// Guards the folder of a town: from now on, this process follows no link within it.
    fn guard(&self, root: &Path);
    /// Reads a file that a person may have linked to a place of their own: settings, directives, formulas, what a caller
    /// names. Never for the town's own use of what lies in folders that agents can write.
    fn read_own(&self, path: &Path) -> WorldResult<Option<Vec<u8>>>;
    /// Names in a folder that a person may have linked likewise, sorted; empty where there is none.
    fn list_own(&self, path: &Path) -> WorldResult<Vec<String>>;
    /// Reads a file whole; `None` where there is none.
    fn read(&self, path: &Path) -> WorldResult<Option<Vec<u8>>>;
    /// Reads at most so many bytes of a file from an offset on. `None` where there is no ordinary file: what leads
    /// elsewhere, or would keep its reader waiting, is not read.
    fn read_part(&self, path: &Path, from: u64, at_most: usize) -> WorldResult<Option<Vec<u8>>>;
    /// Replaces a file atomically (write aside, sync, rename); makes its folder.
    fn write(&self, path: &Path, bytes: &[u8]) -> WorldResult<()>;
    /// Makes a file that is its owner's only, where nothing is yet; makes its folder.
    fn write_private(&self, path: &Path, bytes: &[u8]) -> WorldResult<()>;
    /// Makes a folder and those above it.
    fn create_dir(&self, path: &Path) -> WorldResult<()>;
    /// Renames; the target must not be there.
    fn rename(&self, from: &Path, to: &Path) -> WorldResult<()>;
    /// Removes a file or a whole folder; gone already: nothing.
    fn remove(&self, path: &Path) -> WorldResult<()>;
    /// The path without symbolic links, of something that is there.
    fn real_path(&self, path: &Path) -> WorldResult<PathBuf>;
    /// Whether two paths lead to the very same file or folder. What is not there is the same as nothing.
    fn is_same(&self, one: &Path, other: &Path) -> WorldResult<bool>;
    /// Whether anything is at `path`.
    fn exists(&self, path: &Path) -> bool;
    /// Names in a folder, sorted; empty where there is none.
    fn list(&self, path: &Path) -> WorldResult<Vec<String>>;
    /// Makes a folder, and those above it; it, new or not, is for its owner only, whatever the umask.
    fn create_private_dir(&self, path: &Path) -> WorldResult<()>;
    /// Copies a file or a whole folder to where nothing is, links as links; it is there whole or not at all. Makes the
    /// folders above. Shares the disk's blocks where the file system can. What is neither file nor folder is left out.
    fn copy(&self, from: &Path, to: &Path) -> WorldResult<()>;
    /// As [`Self::copy`], but files keep their times, and none gets one after `latest` (seconds since the epoch). A build tool
    /// takes for fresh what is younger than the sources: products that were copied from another tree must not be.
    fn copy_older(&self, from: &Path, to: &Path, latest: i64) -> WorldResult<()>;
    /// When the file below a folder was written that was written first, in seconds since the epoch; `None` where there is no
    /// file. Links are not followed, and what is called `.git` is left out.
    fn oldest_below(&self, folder: &Path) -> WorldResult<Option<i64>>;
    /// Makes a symbolic link at `at` to `target`; there already: nothing.
    fn link(&self, at: &Path, target: &Path) -> WorldResult<()>;
    /// Marks a file with the time of now (a sign of life), making it, but not its folder: what is gone is not made again.
    fn touch(&self, path: &Path) -> WorldResult<()>;
    /// Replaces a small file that is a sign of life: atomically, but not synced, since it means nothing after a power cut.
    /// Makes the file's folder, but not those above it: what is gone is not made again.
    fn mark(&self, path: &Path, bytes: &[u8]) -> WorldResult<()>;
    /// Appends to a log that only its owner can read, without a sync. Creates the log, but not its folder. Replaces anything
    /// there that is no ordinary file.
    fn append(&self, path: &Path, bytes: &[u8]) -> WorldResult<()>;
    /// As [`Self::mark`], but where a file of that very length is there, it is written in place: a reader may then find a
    /// beginning of the new and an end of the old. Costs the disk nothing, where a file that replaces another is waited for.
    fn stamp(&self, path: &Path, bytes: &[u8]) -> WorldResult<()> {
        self.mark(path, bytes)
    }
    /// When a file was last touched or written, in seconds since the epoch; `None` where it is not there.
    fn touched(&self, path: &Path) -> WorldResult<Option<i64>>;
    /// What is at `path`, links not followed; `None` where there is nothing.
    fn kind(&self, path: &Path) -> WorldResult<Option<NodeKind>>;
    /// The size of a file, or of all files below a folder, in bytes; links are not followed, what can't be looked at
    /// counts as nothing.
    fn size(&self, path: &Path) -> WorldResult<u64>;
    /// Bytes that we may still write on the disk on which `path` is.
    fn free_space(&self, path: &Path) -> WorldResult<u64>;
    /// The kind of file system on which `path` is, where that is one of another machine as far as can be told.
    fn network(&self, path: &Path) -> WorldResult<Option<&'static str>>;
    /// Takes the lock at `path` if nobody has it. Its folder must be there.
    fn try_lock(&self, path: &Path) -> WorldResult<Option<Held>>;
    /// Takes the lock at `path`, waiting for it in turn at most `deadline`; `None` when that has passed.
    fn lock(&self, path: &Path, deadline: Duration) -> WorldResult<Option<Held>>;
    /// Wakes whoever waits at the wake-up `path` (the deacon); nobody does: nothing.
    fn wake(&self, path: &Path);
    /// Whether a process waits at the wake-up `path`.
    fn is_awaited(&self, path: &Path) -> bool;
}
