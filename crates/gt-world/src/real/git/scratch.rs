//! Temporary files that git reads or writes during one call.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::OFlags;

use crate::real::disk::{RealDisk, io_error};
use crate::real::door::Spot;
use crate::{Disk as _, WorldResult};

/// Folder of a repository for such files.
const FOLDER: &str = "gt-scratch";

/// A file name. Dropping this value removes the file.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Returns an unused name in `repo`. The file does not exist yet.
    pub(super) fn new(repo: &Path) -> WorldResult<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = repo.join(FOLDER);
        make_folder(&folder)?;
        let path = folder.join(format!("{}-{count}", std::process::id()));
        // A killed process with the same pid may have left one.
        RealDisk.remove(&path)?;
        Ok(Self { path })
    }

    /// Makes a file with this text.
    pub(super) fn with(repo: &Path, text: &str) -> WorldResult<Self> {
        Self::holding(repo, text.as_bytes())
    }

    /// Makes a file with these bytes.
    pub(super) fn holding(repo: &Path, bytes: &[u8]) -> WorldResult<Self> {
        let scratch = Self::new(repo)?;
        RealDisk.write(scratch.path(), bytes)?;
        Ok(scratch)
    }

    /// Makes a copy of `file` with the same time; makes no file if there is none. Git takes a file that is older than the index
    /// for unchanged. So a younger copy of the index would hide changes made while the index was written.
    pub(super) fn copy_of(repo: &Path, file: &Path) -> WorldResult<Self> {
        let scratch = Self::new(repo)?;
        if RealDisk.exists(file) {
            copy_with_time(file, scratch.path()).map_err(io_error("copy", file))?;
        }
        Ok(scratch)
    }

    /// Returns the file's path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn copy_with_time(from: &Path, to: &Path) -> std::io::Result<()> {
    // The time is read first. If the file is written meanwhile, the copy looks older than it is, which only makes git look
    // closer.
    let mut source = Spot::of(from)?.open_ordinary(OFlags::RDONLY, 0)?;
    let modified = source.metadata()?.modified()?;
    let mut copy = std::fs::File::options().write(true).create_new(true).open(to)?;
    std::io::copy(&mut source, &mut copy)?;
    copy.set_modified(modified)
}

/// Makes the folder, but not its parents: a removed repository must not come back as an empty one.
fn make_folder(folder: &Path) -> WorldResult<()> {
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(io_error("make the folder", folder)(error)),
        _ => Ok(()),
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut lock = self.path.clone().into_os_string();
        lock.push(".lock");
        for path in [self.path.as_path(), Path::new(&lock)] {
            // A file that stays behind is small and disturbs nothing.
            let _ = RealDisk.remove(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_as_old_as_what_it_was_made_from() {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("index");
        RealDisk.write(&index, b"DIRC").unwrap();
        let then = std::time::UNIX_EPOCH + std::time::Duration::new(1_700_000_000, 123_456_789);
        std::fs::File::options().write(true).open(&index).unwrap().set_modified(then).unwrap();
        let copy = Scratch::copy_of(folder.path(), &index).unwrap();
        assert_eq!(copy.path().metadata().unwrap().modified().unwrap(), then);
        assert_eq!(std::fs::read(copy.path()).unwrap(), b"DIRC");
    }
}
