//! Files that git reads or writes during one call only.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::world::real::disk::{RealDisk, io_error};
use crate::world::{Disk as _, WorldResult};

/// Folder of a repository where such files are.
const FOLDER: &str = "gt-scratch";

/// A name for a file that goes with this value.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A name in `repo` that nobody else uses. There is no file yet.
    pub(super) fn new(repo: &Path) -> WorldResult<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = repo.join(FOLDER);
        make_folder(&folder)?;
        let path = folder.join(format!("{}-{count}", std::process::id()));
        // A process with our id, killed long ago, may have left one.
        RealDisk.remove(&path)?;
        Ok(Self { path })
    }

    /// A file with this text.
    pub(super) fn with(repo: &Path, text: &str) -> WorldResult<Self> {
        Self::holding(repo, text.as_bytes())
    }

    /// A file with these bytes.
    pub(super) fn holding(repo: &Path, bytes: &[u8]) -> WorldResult<Self> {
        let scratch = Self::new(repo)?;
        RealDisk.write(scratch.path(), bytes)?;
        Ok(scratch)
    }

    /// A copy of `file`; no file where that is not there.
    pub(super) fn copy_of(repo: &Path, file: &Path) -> WorldResult<Self> {
        let scratch = Self::new(repo)?;
        if RealDisk.exists(file) {
            std::fs::copy(file, scratch.path()).map_err(io_error("copy", file))?;
        }
        Ok(scratch)
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the folder, but none above it: a repository that is gone must not come back as an empty one.
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
            // What stays behind is small and in nobody's way.
            let _ = RealDisk.remove(path);
        }
    }
}
