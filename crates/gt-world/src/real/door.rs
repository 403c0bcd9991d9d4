//! The only way to files in folders that agents can write. It looks up a name in a folder that it holds open, and follows no link
//! on the way to that folder.
//!
//! A town becomes a guarded folder when a process opens it. A path in a guarded folder is resolved from that folder on by
//! `openat2` with `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`, or component by component where the kernel has no such call. The
//! operation then uses the open handle and a single name. So there is no gap between check and use: an agent that swaps a folder
//! for a link meanwhile changes nothing, or makes the operation fail. Above the guarded folder, and outside of any, links belong
//! to the user and are followed.
//!
//! A refusal is `ELOOP`; [`super::disk::io_error`] says which component is the link.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, ResolveFlags, Stat, Timespec, Timestamps, chmod, fstat,
    mkdirat, openat, openat2, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

/// Folders within which this process follows no link: the towns that it has opened.
static GUARDED: RwLock<Vec<PathBuf>> = RwLock::new(Vec::new());

/// Prefix for the names of folders that wait for their deletion.
const HOISTED_PREFIX: &str = ".gt-hoisted-";

/// Limit on the rounds in which a folder is emptied. Each round removes one level of nested folders.
const EMPTYING_ROUNDS: usize = 1_000_000;

/// Guards `root`: from now on this process follows no link within it, whichever of its names leads to `root`.
pub(super) fn guard(root: &Path) {
    let names = [std::path::absolute(root).ok(), root.canonicalize().ok()];
    let mut guarded = GUARDED.write().unwrap_or_else(PoisonError::into_inner);
    for name in names.into_iter().flatten().filter(|name| name.parent().is_some()) {
        if !guarded.contains(&name) {
            guarded.push(name);
        }
    }
}

/// Returns the guarded folder around a path, and the rest of the path from there; `None` for a path that is in no guarded folder,
/// or is one itself.
fn within_guarded(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let path = plain(&std::path::absolute(path).ok()?);
    let guarded = GUARDED.read().unwrap_or_else(PoisonError::into_inner);
    let innermost = guarded.iter().filter(|root| path.starts_with(root)).max_by_key(|root| root.as_os_str().len())?;
    let rest = path.strip_prefix(innermost).ok()?.to_owned();
    (!rest.as_os_str().is_empty()).then(|| (innermost.clone(), rest))
}

/// Returns the path with each `..` resolved by its text alone. That is exact where no link is followed.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            part => out.push(part),
        }
    }
    out
}

/// Returns the refused link on the way to `path` or at its end.
pub(super) fn link_on_the_way(path: &Path) -> Option<PathBuf> {
    let (root, rest) = within_guarded(path)?;
    let steps = rest.components().scan(root, |at, part| {
        at.push(part);
        Some(at.clone())
    });
    steps.into_iter().find(|at| at.is_symlink())
}

/// Flags for a handle that only serves as a starting folder.
const HANDLE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens the folder at `rest` below `root`, through no link.
fn beneath(root: &OwnedFd, rest: &Path) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match openat2(root, rest, HANDLE, Mode::empty(), resolve) {
        // The kernel has no such call, or a container forbids it.
        Err(Errno::NOSYS | Errno::PERM) => step_by_step(root, rest),
        opened => Ok(opened?),
    }
}

fn step_by_step(root: &OwnedFd, rest: &Path) -> io::Result<OwnedFd> {
    let mut at = root.try_clone()?;
    for part in rest.components() {
        at = step(&at, part.as_os_str())?;
    }
    Ok(at)
}

/// Opens a folder directly in `folder`; refuses a link.
fn step(folder: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let next = openat(folder, name, flags, Mode::empty())?;
    match FileType::from_raw_mode(fstat(&next)?.st_mode) {
        FileType::Directory => Ok(next),
        FileType::Symlink => Err(Errno::LOOP.into()),
        _ => Err(Errno::NOTDIR.into()),
    }
}

/// Opens a folder to start from.
pub(super) fn folder(path: &Path) -> io::Result<OwnedFd> {
    match within_guarded(path) {
        None => Ok(openat(CWD, path, HANDLE, Mode::empty())?),
        Some((root, rest)) => beneath(&openat(CWD, &root, HANDLE, Mode::empty())?, &rest),
    }
}

/// Whether this process refuses links on the way to `path`.
pub(super) fn is_guarded(path: &Path) -> bool {
    within_guarded(path).is_some()
}

/// Opens a folder for listing.
pub(super) fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    readable(&folder(path)?)
}

/// Turns a handle on a folder into one that can list it.
fn readable(folder: &OwnedFd) -> io::Result<OwnedFd> {
    Ok(openat(folder, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Makes a folder and its parents, each new one with this mode, and opens the folder for listing.
pub(super) fn make_private_folder(path: &Path, mode: u32) -> io::Result<OwnedFd> {
    readable(&make_folders(path, Mode::from_raw_mode(mode))?)
}

/// Makes a folder and its parents. Does not make a guarded folder again that is gone.
pub(super) fn make_folder(path: &Path) -> io::Result<OwnedFd> {
    make_folders(path, Mode::from_raw_mode(0o777))
}

fn make_folders(path: &Path, mode: Mode) -> io::Result<OwnedFd> {
    let Some((root, rest)) = within_guarded(path) else {
        std::fs::create_dir_all(path)?;
        return folder(path);
    };
    let mut at = openat(CWD, &root, HANDLE, Mode::empty())?;
    match beneath(&at, &rest) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        there => return there,
    }
    for part in rest.components() {
        at = make_step(&at, part.as_os_str(), mode)?;
    }
    Ok(at)
}

/// Opens a folder directly in another one, and makes it if needed.
fn make_step(folder: &OwnedFd, name: &OsStr, mode: Mode) -> io::Result<OwnedFd> {
    match mkdirat(folder, name, mode) {
        Ok(()) | Err(Errno::EXIST) => step(folder, name),
        Err(errno) => Err(errno.into()),
    }
}

/// A name in a folder that is held open. Whatever happens to the path to the folder, the name means this one place.
#[derive(Debug)]
pub(super) struct Spot {
    folder: OwnedFd,
    name: OsString,
    /// Flags for opening the name itself: in a guarded folder, no link at the name is followed either.
    no_follow: OFlags,
}

impl Spot {
    /// Returns the place of a path, whose folder must exist.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Self::in_folder(path, folder)
    }

    /// Returns the place of a path, and makes its folder if needed.
    pub(super) fn made(path: &Path) -> io::Result<Self> {
        Self::in_folder(path, make_folder)
    }

    fn in_folder(path: &Path, folder: impl FnOnce(&Path) -> io::Result<OwnedFd>) -> io::Result<Self> {
        let (path, no_follow) = match within_guarded(path) {
            Some((root, rest)) => (root.join(rest), OFlags::NOFOLLOW),
            None => (path.to_owned(), OFlags::empty()),
        };
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        Ok(Self { folder: folder(super::disk::parent_of(&path))?, name, no_follow })
    }

    /// Returns the place of a name in a folder that the caller already holds. No link at the name is followed.
    pub(super) fn right_in(folder: OwnedFd, name: &OsStr) -> Self {
        Self { folder, name: name.to_owned(), no_follow: OFlags::NOFOLLOW }
    }

    /// Returns another name in the same folder.
    pub(super) fn beside(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        Ok(Self { folder: self.folder.try_clone()?, name: name.as_ref().to_owned(), no_follow: OFlags::NOFOLLOW })
    }

    /// Whether the place is in a guarded folder.
    pub(super) fn is_guarded(&self) -> bool {
        !self.no_follow.is_empty()
    }

    /// Returns what is at the place, without following a link.
    pub(super) fn look(&self) -> io::Result<Stat> {
        Ok(statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Returns what is at the place. Outside guarded folders, follows a link there.
    pub(super) fn look_through(&self) -> io::Result<Stat> {
        let flags = if self.no_follow.is_empty() { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
        Ok(statat(&self.folder, &self.name, flags)?)
    }

    /// Opens the place without waiting for the other end of a pipe.
    pub(super) fn open(&self, flags: OFlags, mode: u32) -> io::Result<File> {
        let flags = flags | self.no_follow | OFlags::CLOEXEC;
        Ok(openat(&self.folder, &self.name, flags, Mode::from_raw_mode(mode))?.into())
    }

    /// Opens the place. In a guarded folder it must be an ordinary file: anything else that an agent has put there is an error,
    /// and the call never waits for it.
    pub(super) fn open_ordinary(&self, flags: OFlags, mode: u32) -> io::Result<File> {
        if self.no_follow.is_empty() {
            return self.open(flags, mode);
        }
        let file = self.open(flags | OFlags::NONBLOCK, mode)?;
        ordinary(&file)?;
        Ok(file)
    }

    /// Creates a file where nothing is yet.
    pub(super) fn create_new(&self, mode: u32) -> io::Result<File> {
        self.open(OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW, mode)
    }

    /// Opens the place as a folder for listing.
    pub(super) fn open_folder(&self) -> io::Result<OwnedFd> {
        self.open(OFlags::RDONLY | OFlags::DIRECTORY, 0).map(OwnedFd::from)
    }

    /// Makes a folder at the place, with this mode.
    pub(super) fn make_folder(&self, mode: u32) -> io::Result<()> {
        Ok(mkdirat(&self.folder, &self.name, Mode::from_raw_mode(mode))?)
    }

    /// Makes a symbolic link at the place.
    pub(super) fn make_link(&self, target: &Path) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(target, &self.folder, &self.name)?)
    }

    /// Moves the node here to the place of `other`, over any file or link that is there.
    pub(super) fn replace(&self, other: &Self) -> io::Result<()> {
        Ok(renameat(&self.folder, &self.name, &other.folder, &other.name)?)
    }

    /// Moves the node here to the place of `other`, where nothing may be.
    pub(super) fn rename_to_free(&self, other: &Self) -> io::Result<()> {
        match renameat_with(&self.folder, &self.name, &other.folder, &other.name, RenameFlags::NOREPLACE) {
            // The file system does not support this kind of rename.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => match other.look() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.replace(other),
                Err(error) => Err(error),
                Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            },
            renamed => Ok(renamed?),
        }
    }

    /// Removes a file or a link.
    pub(super) fn unlink(&self) -> io::Result<()> {
        Ok(unlinkat(&self.folder, &self.name, AtFlags::empty())?)
    }

    /// Removes whatever is there, with all its content. Removes links and does not follow them. Gives us write permission on
    /// folders that lack it.
    pub(super) fn remove_whole(&self) -> io::Result<()> {
        match self.unlink() {
            Err(error) if is_folder_error(&error) => {}
            removed => return removed,
        }
        let folder = writable(self.folder.as_fd(), &self.name)?;
        empty(&folder)?;
        Ok(unlinkat(&self.folder, &self.name, AtFlags::REMOVEDIR)?)
    }

    /// Makes a rename or a new file in this folder durable.
    pub(super) fn sync_folder(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(readable(&self.folder)?)?)
    }
}

/// Refuses anything but an ordinary file. For a folder, returns the system's own error.
pub(super) fn ordinary(file: &File) -> io::Result<()> {
    match FileType::from_raw_mode(fstat(file)?.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(Errno::ISDIR.into()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not an ordinary file")),
    }
}

/// Whether the system's error means that a folder was to be unlinked as a file.
fn is_folder_error(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    [Errno::ISDIR, Errno::PERM].iter().any(|folder| errno == Some(folder.raw_os_error()))
}

/// Returns the names in a folder that is open for reading.
pub(super) fn names(folder: &OwnedFd) -> io::Result<Vec<OsString>> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Opens a folder directly in `parent` for reading, and gives us permission to read and write it first. The permission is changed
/// through the link of the process's own handle, so it reaches exactly the folder that was opened, even if another node has its
/// name by now.
fn writable(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let handle = openat(parent, name, HANDLE | OFlags::NOFOLLOW, Mode::empty())?;
    let mode = fstat(&handle)?.st_mode & 0o7777;
    if mode & 0o700 != 0o700 {
        let own = format!("/proc/self/fd/{}", handle.as_raw_fd());
        chmod(own, Mode::from_raw_mode(mode | 0o700))?;
    }
    readable(&handle)
}

/// Removes all that is in a folder. Moves nested folders up into it first, so an agent may nest folders to any depth: at most two
/// folders are open at a time, and no path gets long.
fn empty(folder: &OwnedFd) -> io::Result<()> {
    let mut hoisted = 0_u64;
    for _ in 0..EMPTYING_ROUNDS {
        let there = names(folder)?;
        if there.is_empty() {
            return Ok(());
        }
        for name in there {
            remove_or_hoist(folder, &name, &mut hoisted)?;
        }
    }
    Err(io::Error::other("something fills it as fast as gt empties it"))
}

/// Removes a file of `folder`, or a folder in it after moving that one's folders up.
fn remove_or_hoist(folder: &OwnedFd, name: &OsStr, hoisted: &mut u64) -> io::Result<()> {
    match gone_is_fine(unlinkat(folder, name, AtFlags::empty())) {
        Err(error) if is_folder_error(&error) => {}
        removed => return removed,
    }
    let inner = writable(folder.as_fd(), name)?;
    for entry in names(&inner)? {
        match gone_is_fine(unlinkat(&inner, &entry, AtFlags::empty())) {
            Err(error) if is_folder_error(&error) => hoist(&inner, &entry, folder, hoisted)?,
            removed => removed?,
        }
    }
    gone_is_fine(unlinkat(folder, name, AtFlags::REMOVEDIR))
}

fn hoist(from: &OwnedFd, name: &OsStr, to: &OwnedFd, hoisted: &mut u64) -> io::Result<()> {
    // Moving a folder writes its `..` entry, so we need write permission.
    writable(from.as_fd(), name)?;
    loop {
        let free = format!("{HOISTED_PREFIX}{hoisted}");
        *hoisted += 1;
        match renameat_with(from, name, to, &free, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => {}
            // The file system does not support this kind of rename. A plain rename of a folder replaces only an empty one.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => match renameat(from, name, to, &free) {
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                moved => return Ok(moved?),
            },
            moved => return Ok(moved?),
        }
    }
}

fn gone_is_fine(result: rustix::io::Result<()>) -> io::Result<()> {
    match result {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Modification times of copied files.
#[derive(Clone, Copy, Debug)]
pub(super) enum Times {
    /// The time of the copying.
    Now,
    /// The file's own time, capped at this one (in seconds since the epoch).
    OwnUntil(i64),
}

/// Copies the node at `from` to the free place `to`: files, folders, and links as links. Leaves out nodes without content (a
/// pipe, a socket). Files share disk blocks where the file system can.
pub(super) fn copy(from: &Spot, to: &Spot, times: Times) -> io::Result<()> {
    let facts = from.look()?;
    match FileType::from_raw_mode(facts.st_mode) {
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(&from.folder, &from.name, Vec::new())?;
            Ok(rustix::fs::symlinkat(target, &to.folder, &to.name)?)
        }
        FileType::Directory => copy_folder(from, to, times),
        FileType::RegularFile => copy_file(from, to, times),
        _ => Ok(()),
    }
}

fn copy_folder(from: &Spot, to: &Spot, times: Times) -> io::Result<()> {
    to.make_folder(0o777)?;
    let source = openat(
        &from.folder,
        &from.name,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let target = to.open_folder()?;
    for name in names(&source)? {
        let inner = Spot::right_in(source.try_clone()?, &name);
        copy(&inner, &Spot::right_in(target.try_clone()?, &name), times)?;
    }
    set_times(&target, &fstat(&source)?, times)
}

fn copy_file(from: &Spot, to: &Spot, times: Times) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut source = File::from(openat(&from.folder, &from.name, flags, Mode::empty())?);
    ordinary(&source)?;
    let facts = fstat(&source)?;
    let mut target = to.create_new(0o600)?;
    if rustix::fs::ioctl_ficlone(&target, &source).is_err() {
        io::copy(&mut source, &mut target)?;
    }
    rustix::fs::fchmod(&target, Mode::from_raw_mode(facts.st_mode & 0o777))?;
    set_times(&target, &facts, times)
}

fn set_times(target: impl AsFd, facts: &Stat, times: Times) -> io::Result<()> {
    let Times::OwnUntil(latest) = times else { return Ok(()) };
    let own = Timespec { tv_sec: facts.st_mtime, tv_nsec: facts.st_mtime_nsec as _ };
    let time = if own.tv_sec < latest { own } else { Timespec { tv_sec: latest, tv_nsec: 0 } };
    Ok(rustix::fs::futimens(target, &Timestamps { last_access: time, last_modification: time })?)
}

#[cfg(test)]
mod tests;
