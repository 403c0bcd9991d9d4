//! Files that make git wait or loop forever. An agent can make them by accident or on purpose: a pipe in the place of a file
//! that git reads, or a link below `refs` that leads to one of its parent folders.
//!
//! A search before each call of git would cost as much as the call. So the town searches only when a call runs for longer than
//! usual.

use std::fs::{self, DirEntry};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

/// Limit on the number of files that a search visits in each place. The search of a larger place is incomplete.
const FILES_LIMIT: usize = 1_000_000;

/// Files of a checkout that git reads for its own use.
const SETTINGS_FILES: &[&str] = &[".git", ".gitignore", ".gitattributes", ".gitmodules", ".mailmap", ".lfsconfig"];

/// A file that blocks git.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trap {
    path: PathBuf,
    kind: Kind,
    /// Whether it is below `refs`, where git makes neither links nor pipes.
    is_ref: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A link below `refs` to a folder. Two of them give git more paths than it can ever walk.
    Link,
    /// A pipe or a device in the place of a file.
    Pipe,
}

impl Trap {
    /// Returns what it is, and what to do.
    pub(super) fn advice(&self) -> String {
        let what = match self.kind {
            Kind::Link => "is a link to a folder, in which git loops",
            Kind::Pipe => "is a pipe or a device, and git would wait for it forever",
        };
        let path = self.path.display();
        format!("`{path}` {what}. Look at it (ls -l '{path}') and remove it (rm '{path}')")
    }

    /// Removes the trap if it can hold nothing worth keeping, that is, below `refs`. Returns whether it did.
    pub(super) fn clear(&self) -> bool {
        self.is_ref && fs::remove_file(&self.path).is_ok()
    }
}

/// A folder that is searched for traps; its kind says which of its files git reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ground<'a> {
    /// The folder `refs`: any pipe in it, and any link to a folder.
    Refs(&'a Path),
    /// The folder where git administers a worktree: its own files, and those in its `info`.
    Administration(&'a Path),
    /// A checkout: pipes named like a file that git reads (`.gitignore`), in each folder.
    Checkout(&'a Path),
}

impl Ground<'_> {
    /// Returns the first trap there.
    pub(super) fn trap(self) -> Option<Trap> {
        match self {
            Self::Refs(folder) => walk(folder, &|entry| {
                let trap = pipe(entry).or_else(|| link_to_folder(entry))?;
                Some(Trap { is_ref: true, ..trap })
            }),
            Self::Administration(folder) => {
                let folders = [folder.to_owned(), folder.join("info")];
                folders.iter().find_map(|folder| files(folder).find_map(|entry| pipe(&entry)))
            }
            Self::Checkout(folder) => walk(folder, &|entry| {
                let is_read = SETTINGS_FILES.iter().any(|name| entry.file_name() == *name);
                if is_read { pipe(entry) } else { None }
            }),
        }
    }
}

fn link_to_folder(entry: &DirEntry) -> Option<Trap> {
    let is_link = entry.file_type().ok()?.is_symlink();
    (is_link && entry.path().is_dir()).then(|| Trap { path: entry.path(), kind: Kind::Link, is_ref: false })
}

/// Returns the entry if it is a pipe or a device, or a link to one. A socket can't be opened, so git never waits for it.
fn pipe(entry: &DirEntry) -> Option<Trap> {
    let kind = fs::metadata(entry.path()).ok()?.file_type();
    let is_one = kind.is_fifo() || kind.is_char_device() || kind.is_block_device();
    is_one.then(|| Trap { path: entry.path(), kind: Kind::Pipe, is_ref: false })
}

fn files(folder: &Path) -> impl Iterator<Item = DirEntry> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten()
}

/// Visits everything below a folder, and follows no link.
fn walk(folder: &Path, look: &dyn Fn(&DirEntry) -> Option<Trap>) -> Option<Trap> {
    let (mut folders, mut seen) = (vec![folder.to_owned()], 0);
    while let Some(folder) = folders.pop() {
        for entry in files(&folder) {
            seen += 1;
            let trap = look(&entry);
            if trap.is_some() || seen > FILES_LIMIT {
                return trap;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    None
}
