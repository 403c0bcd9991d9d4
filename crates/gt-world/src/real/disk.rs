//! Files of this machine: atomic writes, locks and wake-ups. All file access goes through the [`door`].

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use rustix::fs::{FileType, OFlags, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;

use super::RealClock;
use super::door::{self, Spot, Times};
use super::network;
use crate::{Clock as _, Disk, Held, NodeKind, WorldError, WorldResult};

/// The files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

/// Prefix of temporary files that are being written. A file that a killed writer left is not a file of the town.
const ASIDE_PREFIX: &str = ".gt-aside-";

impl Disk for RealDisk {
    fn guard(&self, root: &Path) {
        door::guard(root);
    }

    fn read(&self, path: &Path) -> WorldResult<Option<Vec<u8>>> {
        found(read_whole(path)).map_err(io_error("read", path))
    }

    fn read_own(&self, path: &Path) -> WorldResult<Option<Vec<u8>>> {
        found(fs::read(path)).map_err(io_error("read", path))
    }

    fn list_own(&self, path: &Path) -> WorldResult<Vec<String>> {
        let there = found(fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>));
        let names = there.map_err(io_error("list", path))?.unwrap_or_default();
        Ok(shown(names.into_iter().map(|entry| entry.file_name())))
    }

    fn read_part(&self, path: &Path, from: u64, at_most: usize) -> WorldResult<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        match Spot::of(path).and_then(|spot| spot.open(flags, 0)) {
            Ok(file) => part_of(&file, from, at_most).map_err(io_error("read", path)),
            Err(error) if leads_to_none(&error) => Ok(None),
            Err(error) => Err(io_error("read", path)(error)),
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> WorldResult<()> {
        replace(path, bytes, File::sync_all)?.sync_folder().map_err(io_error("write", path))
    }

    fn write_private(&self, path: &Path, bytes: &[u8]) -> WorldResult<()> {
        let file = Spot::made(path).and_then(|spot| spot.create_new(PRIVATE_FILE));
        file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all())).map_err(io_error("write", path))
    }

    fn create_dir(&self, path: &Path) -> WorldResult<()> {
        door::make_folder(path).map(drop).map_err(io_error("make the folder", path))
    }

    fn create_private_dir(&self, path: &Path) -> WorldResult<()> {
        create_private_dir(path).map_err(io_error("make the folder", path))
    }

    fn rename(&self, from: &Path, to: &Path) -> WorldResult<()> {
        rename_to_free(from, to)
    }

    fn remove(&self, path: &Path) -> WorldResult<()> {
        remove_whole(path)
    }

    fn real_path(&self, path: &Path) -> WorldResult<PathBuf> {
        path.canonicalize().map_err(io_error("find", path))
    }

    fn is_same(&self, one: &Path, other: &Path) -> WorldResult<bool> {
        let inode = |path: &Path| {
            let facts = found(path.metadata()).map_err(io_error("look at", path))?;
            Ok::<_, WorldError>(facts.map(|facts| (facts.dev(), facts.ino())))
        };
        let one = inode(one)?;
        Ok(one.is_some() && one == inode(other)?)
    }

    fn exists(&self, path: &Path) -> bool {
        look(path).is_ok()
    }

    fn list(&self, path: &Path) -> WorldResult<Vec<String>> {
        let there = found(door::open_folder(path).and_then(|folder| door::names(&folder)));
        Ok(shown(there.map_err(io_error("list", path))?.unwrap_or_default().into_iter()))
    }

    fn link(&self, at: &Path, target: &Path) -> WorldResult<()> {
        match Spot::made(at).and_then(|spot| spot.make_link(target)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(io_error("link", at)(error)),
            _ => Ok(()),
        }
    }

    fn touch(&self, path: &Path) -> WorldResult<()> {
        let file = open_lasting(path).map_err(io_error("touch", path))?;
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        rustix::fs::futimens(&file, &Timestamps { last_access: now, last_modification: now })
            .map_err(|errno| io_error("touch", path)(errno.into()))
    }

    fn mark(&self, path: &Path, bytes: &[u8]) -> WorldResult<()> {
        let spot = match Spot::of(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Spot::of(parent_of(path))
                .and_then(|folder| made(folder.make_folder(0o777)))
                .and_then(|()| Spot::of(path)),
            spot => spot,
        };
        let put = |spot: Spot| put_aside(&spot, bytes, |_| Ok(())).map(drop);
        spot.and_then(put).map_err(io_error("write", path))
    }

    fn stamp(&self, path: &Path, bytes: &[u8]) -> WorldResult<()> {
        // Anything else that is there is replaced, as any other write would replace it.
        if overwritten(path, bytes).unwrap_or(false) { Ok(()) } else { self.mark(path, bytes) }
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> WorldResult<()> {
        let log = super::shim::record::append(parent_of(path), path.file_name().unwrap_or_default());
        log.and_then(|mut log| log.write_all(bytes)).map_err(io_error("write", path))
    }

    fn copy(&self, from: &Path, to: &Path) -> WorldResult<()> {
        copy_to_free(from, to, Times::Now)
    }

    fn copy_older(&self, from: &Path, to: &Path, latest: i64) -> WorldResult<()> {
        copy_to_free(from, to, Times::OwnUntil(latest))
    }

    fn oldest_below(&self, folder: &Path) -> WorldResult<Option<i64>> {
        let facts = folder.symlink_metadata().map_err(io_error("look at", folder))?;
        Ok(facts.is_dir().then(|| files_below(folder).map(|facts| facts.mtime()).min()).flatten())
    }

    fn touched(&self, path: &Path) -> WorldResult<Option<i64>> {
        let facts = found(Spot::of(path).and_then(|spot| spot.look_through())).map_err(io_error("look at", path))?;
        Ok(facts.map(|facts| facts.st_mtime))
    }

    fn kind(&self, path: &Path) -> WorldResult<Option<NodeKind>> {
        let facts = found(look(path)).map_err(io_error("look at", path))?;
        Ok(facts.map(|facts| kind_of(FileType::from_raw_mode(facts.st_mode))))
    }

    fn size(&self, path: &Path) -> WorldResult<u64> {
        let facts = found(path.symlink_metadata()).map_err(io_error("look at", path))?;
        Ok(facts.map_or(0, |facts| if facts.is_dir() { size_below(path) } else { facts.len() }))
    }

    fn free_space(&self, path: &Path) -> WorldResult<u64> {
        let facts = rustix::fs::statvfs(path).map_err(|errno| io_error("look at", path)(errno.into()))?;
        Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
    }

    fn network(&self, path: &Path) -> WorldResult<Option<&'static str>> {
        let facts = rustix::fs::statfs(path).map_err(|errno| io_error("look at", path)(errno.into()))?;
        // The kernel's value has 32 bits, whatever the type here.
        Ok(network::name(facts.f_type as u32))
    }

    fn try_lock(&self, path: &Path) -> WorldResult<Option<Held>> {
        loop {
            let file = open_lasting(path).map_err(io_error("open", path))?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(lock_error(path, error)),
                Ok(()) if is_still_at(&file, path) => return Ok(Some(held(file, path))),
                Ok(()) => {}
            }
        }
    }

    fn lock(&self, path: &Path, deadline: Duration) -> WorldResult<Option<Held>> {
        let end = RealClock.monotonic() + deadline;
        loop {
            let file = open_lasting(path).map_err(io_error("open", path))?;
            match wait_in_turn(file, end.saturating_sub(RealClock.monotonic())) {
                None => return Ok(None),
                Some(Err(error)) => return Err(lock_error(path, error)),
                Some(Ok(file)) if is_still_at(&file, path) => return Ok(Some(held(file, path))),
                Some(Ok(_)) => {}
            }
        }
    }

    fn wake(&self, path: &Path) {
        // If no process reads (ENXIO), or if there is no wake-up at all, no process waits.
        let Ok(mut file) = open_wake_up(path) else { return };
        if file.metadata().is_ok_and(|facts| facts.file_type().is_fifo()) {
            // If the pipe is full, it wakes the reader as well as one more byte would.
            let _ = file.write(b"w");
        }
    }

    fn is_awaited(&self, path: &Path) -> bool {
        open_wake_up(path).is_ok_and(|file| file.metadata().is_ok_and(|facts| facts.file_type().is_fifo()))
    }
}

/// Opens a wake-up for writing; an error if no process reads from it.
fn open_wake_up(path: &Path) -> io::Result<File> {
    Spot::of(path)?.open(OFlags::WRONLY | OFlags::NONBLOCK, 0)
}

/// Returns what is at a path, without following a final link.
fn look(path: &Path) -> io::Result<rustix::fs::Stat> {
    // The root folder has no name.
    if path.parent().is_none() {
        return Ok(rustix::fs::stat(path)?);
    }
    Spot::of(path)?.look()
}

/// Returns the bytes of an ordinary file. Anything else is an error, and the call never waits for it.
pub(super) fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Spot::of(path)?.open_ordinary(OFlags::RDONLY, 0)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether opening failed because there is no reachable ordinary file.
fn leads_to_none(error: &io::Error) -> bool {
    let none = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::NXIO];
    none.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Returns the names in a folder, sorted, without temporary files.
fn shown(names: impl Iterator<Item = std::ffi::OsString>) -> Vec<String> {
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with(ASIDE_PREFIX)).collect();
    names.sort();
    names
}

/// Overwrites an ordinary file of the same length that has no other name (hard link). Returns whether it did.
fn overwritten(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let file = Spot::of(path)?.open(OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK, 0)?;
    let facts = file.metadata()?;
    let fits = facts.is_file() && facts.nlink() == 1 && facts.len() == bytes.len() as u64;
    if fits {
        file.write_all_at(bytes, 0)?;
    }
    Ok(fits)
}

/// Reads at most `at_most` bytes of an ordinary file, starting at an offset; `None` for anything else.
fn part_of(file: &File, from: u64, at_most: usize) -> io::Result<Option<Vec<u8>>> {
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Ok(None);
    }
    let there = usize::try_from(facts.len().saturating_sub(from)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; there.min(at_most)];
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], from + read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    bytes.truncate(read);
    Ok(Some(bytes))
}

/// Takes the lock if it is free. Otherwise a separate thread waits for it in the kernel's queue: only a waiter that blocks gets
/// its turn, and only a thread can be left behind when `how_long` has passed. Such a thread releases the lock as soon as it gets
/// it.
fn wait_in_turn(file: File, how_long: Duration) -> Option<io::Result<File>> {
    match file.try_lock() {
        Ok(()) => return Some(Ok(file)),
        Err(TryLockError::WouldBlock) if how_long.is_zero() => return None,
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Some(Err(error)),
    }
    let (got, wait) = mpsc::sync_channel(0);
    std::thread::spawn(move || {
        let locked = file.lock().map(|()| file);
        // If the caller no longer waits, the file is dropped here and the lock released.
        let _ = got.send(locked);
    });
    wait.recv_timeout(how_long).ok()
}

fn held(file: File, path: &Path) -> Held {
    Held { file: Some(file), path: path.to_owned(), on_drop: None }
}

/// Whether `path` still leads to `file`. A lock on a file that has been replaced guards nothing.
fn is_still_at(file: &File, path: &Path) -> bool {
    let there = Spot::of(path).and_then(|spot| spot.look_through());
    match (file.metadata(), there) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.st_dev, there.st_ino),
        _ => false,
    }
}

fn lock_error(path: &Path, error: io::Error) -> WorldError {
    let refused = [Errno::NOLCK, Errno::OPNOTSUPP, Errno::NOSYS, Errno::INVAL];
    if refused.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error())) {
        return WorldError::Unexpected(format!(
            "the file system of {} has no locks ({error}): move the town to a local file system",
            path.display()
        ));
    }
    io_error("lock", path)(error)
}

/// Opens a file for writing without truncating it. Creates it if needed.
fn open_lasting(path: &Path) -> io::Result<File> {
    Spot::of(path)?.open_ordinary(OFlags::RDWR | OFlags::CREATE, 0o666)
}

/// Replaces a file atomically without waiting for the disk. For files that are written again if a power cut loses them.
pub(super) fn replace_for_now(path: &Path, bytes: &[u8]) -> WorldResult<()> {
    replace(path, bytes, |_| Ok(())).map(drop)
}

fn replace(path: &Path, bytes: &[u8], sync: impl FnOnce(&File) -> io::Result<()>) -> WorldResult<Spot> {
    let failed = |error| io_error("write", path)(error);
    let spot = Spot::made(path).map_err(io_error("make the folder", parent_of(path)))?;
    if !spot.is_guarded() {
        refuse_other_than_files(path, &spot)?;
    }
    put_aside(&spot, bytes, sync).map_err(failed)?;
    Ok(spot)
}

/// Writes a temporary file and renames it into place, over any file or link that is there.
fn put_aside(spot: &Spot, bytes: &[u8], sync: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let aside = spot.beside(aside_name())?;
    let written = write_new(&aside, bytes).and_then(|file| sync(&file)).and_then(|()| aside.replace(spot));
    if written.is_err() {
        // The first error is the one that matters.
        let _ = aside.unlink();
    }
    written
}

/// Refuses to replace a device or a pipe: a caller that names one wants to write to it, not to remove it. In a town no caller
/// names such a node: there, an agent has put it in the way.
fn refuse_other_than_files(path: &Path, spot: &Spot) -> WorldResult<()> {
    let kind = spot.look().map(|facts| FileType::from_raw_mode(facts.st_mode));
    if kind.is_ok_and(|kind| !(kind.is_file() || kind.is_symlink() || kind.is_dir())) {
        return Err(WorldError::Unexpected(format!("can't write {}: it is not an ordinary file", path.display())));
    }
    Ok(())
}

fn write_new(spot: &Spot, bytes: &[u8]) -> io::Result<File> {
    let mut file = spot.create_new(0o666)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Makes a folder for its owner only. Others must not have access even for a moment, since its files may hold secrets.
pub(super) fn create_private_dir(path: &Path) -> io::Result<()> {
    if !door::is_guarded(path) {
        DirBuilder::new().recursive(true).mode(PRIVATE_DIR).create(path)?;
    }
    let folder = File::from(door::make_private_folder(path, PRIVATE_DIR)?);
    let found = folder.metadata()?.permissions();
    if found.mode() & 0o077 == 0 { Ok(()) } else { folder.set_permissions(Permissions::from_mode(PRIVATE_DIR)) }
}

/// Mode of a folder or file that is for its owner only.
const PRIVATE_DIR: u32 = 0o700;
pub(super) const PRIVATE_FILE: u32 = 0o600;

/// Returns a name for a temporary file that no other writer uses. The pid is not enough: processes in different namespaces can
/// have the same one.
fn aside_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static BEGUN: OnceLock<u128> = OnceLock::new();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let begun = BEGUN.get_or_init(|| RealClock.monotonic().as_nanos());
    format!("{ASIDE_PREFIX}{}-{begun}-{count}", std::process::id())
}

/// Turns an error of the system into ours.
pub(super) fn io_error(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WorldError {
    let path = path.to_owned();
    move |source| match door::link_on_the_way(&path).filter(|_| is_loop(&source)) {
        Some(at) => WorldError::Led { act, path, at },
        None => WorldError::Io { act, path, source },
    }
}

/// Whether the call met a link that it does not follow.
fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

/// Turns "not found" into `None`.
pub(super) fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

fn kind_of(kind: FileType) -> NodeKind {
    match kind {
        kind if kind.is_symlink() => NodeKind::Link,
        kind if kind.is_dir() => NodeKind::Folder,
        _ => NodeKind::File,
    }
}

/// Returns the total size of the files in a folder, in bytes.
fn size_below(folder: &Path) -> u64 {
    Below { open: vec![folder.to_owned()], entries: None, leaves_out: "" }
        .fold(0_u64, |total, facts| total.saturating_add(facts.len()))
}

/// Yields the files below a folder, except those in git's own folders.
fn files_below(folder: &Path) -> impl Iterator<Item = fs::Metadata> {
    let below = Below { open: vec![folder.to_owned()], entries: None, leaves_out: ".git" };
    below.filter(fs::Metadata::is_file)
}

/// Iterator over everything below a folder that is not a folder. It does not recurse, since a worker may nest folders to any
/// depth.
struct Below {
    open: Vec<PathBuf>,
    entries: Option<fs::ReadDir>,
    /// A name to skip.
    leaves_out: &'static str,
}

impl Iterator for Below {
    type Item = fs::Metadata;

    fn next(&mut self) -> Option<fs::Metadata> {
        loop {
            let Some(entries) = &mut self.entries else {
                self.entries = fs::read_dir(self.open.pop()?).ok();
                continue;
            };
            match entries.next() {
                None => self.entries = None,
                Some(Ok(entry)) if entry.file_name() != self.leaves_out => match entry.metadata() {
                    Ok(facts) if facts.is_dir() => self.open.push(entry.path()),
                    Ok(facts) => return Some(facts),
                    Err(_) => {}
                },
                Some(_) => {}
            }
        }
    }
}

pub(super) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the parent folder of `path`.
pub(super) fn make_parent(path: &Path) -> WorldResult<()> {
    let parent = parent_of(path);
    door::make_folder(parent).map(drop).map_err(io_error("make the folder", parent))
}

/// Renames a path, but never over an existing one.
pub(super) fn rename_to_free(from: &Path, to: &Path) -> WorldResult<()> {
    let target = Spot::of(to).map_err(io_error("rename", to))?;
    let renamed = Spot::of(from).and_then(|from| from.rename_to_free(&target));
    renamed.and_then(|()| target.sync_folder()).map_err(|error| taken_or(from, to, "rename", error))
}

/// Returns the error for a rename or copy whose target is taken.
fn taken_or(from: &Path, to: &Path, act: &'static str, error: io::Error) -> WorldError {
    if error.kind() != io::ErrorKind::AlreadyExists {
        return io_error(act, from)(error);
    }
    let (from, to) = (from.display(), to.display());
    WorldError::Unexpected(format!("can't {act} {from} to {to}: something already exists there"))
}

/// Removes a file, or a folder with all its content, even where folders in it are read-only.
pub(super) fn remove_whole(path: &Path) -> WorldResult<()> {
    let removed = Spot::of(path).and_then(|spot| spot.remove_whole());
    found(removed).map(drop).map_err(io_error("remove", path))
}

/// Accepts that another process has made it at the same time.
fn made(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Prefix of a copy until it is complete. A copy that a killed `gt` left is made again.
const COPY_PREFIX: &str = ".gt-copying-";

/// Copies a file or a folder to a path where nothing is. The copy appears whole or not at all.
fn copy_to_free(from: &Path, to: &Path, times: Times) -> WorldResult<()> {
    let target = Spot::made(to).map_err(io_error("copy to", to))?;
    let source = Spot::of(from).map_err(io_error("copy", from))?;
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let aside = target.beside(format!("{COPY_PREFIX}{name}")).map_err(io_error("copy to", to))?;
    found(aside.remove_whole()).map_err(io_error("copy to", to))?;
    let copied = door::copy(&source, &aside, times).and_then(|()| match aside.look() {
        // A pipe or a socket has no content, so it is not copied.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => aside.rename_to_free(&target),
    });
    if copied.is_err() {
        // The first error is the one that matters.
        let _ = aside.remove_whole();
    }
    copied.map_err(|error| taken_or(from, to, "copy", error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, Mode};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(20);

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_aside() {
        let dir = folder();
        let path = dir.path().join("a/b/file");
        assert_eq!(RealDisk.read(&path).unwrap(), None);
        RealDisk.write(&path, b"one").unwrap();
        RealDisk.write(&path, b"2").unwrap();
        assert_eq!(RealDisk.read(&path).unwrap().as_deref(), Some(&b"2"[..]));
        assert_eq!(fs::read_dir(dir.path().join("a/b")).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_file_is_never_replaced_by_one() {
        let dir = folder();
        let path = dir.path().join("fifo");
        rustix::fs::mkfifoat(CWD, &path, Mode::RWXU).unwrap();
        assert!(matches!(RealDisk.write(&path, b"x"), Err(WorldError::Unexpected(_))));
        assert!(path.symlink_metadata().unwrap().file_type().is_fifo());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn parts_are_read_of_ordinary_files_only() {
        let dir = folder();
        let path = |name: &str| dir.path().join(name);
        RealDisk.write(&path("file"), b"0123456789").unwrap();
        symlink(path("file"), path("link")).unwrap();
        rustix::fs::mkfifoat(CWD, path("fifo"), Mode::RWXU).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        let read = |name: &str, from, at_most| RealDisk.read_part(&path(name), from, at_most).unwrap();
        assert_eq!(read("file", 0, 3).as_deref(), Some(&b"012"[..]));
        assert_eq!(read("file", 8, 99).as_deref(), Some(&b"89"[..]));
        assert_eq!(read("file", 99, 99).as_deref(), Some(&b""[..]));
        // The read must not wait for any of these.
        for other in ["link", "fifo", "socket", "none", "file/none", "."] {
            assert_eq!(read(other, 0, 9), None, "{other}");
        }
    }

    #[test]
    fn a_list_is_sorted_and_leaves_out_what_a_killed_writer_left() {
        let dir = folder();
        for name in ["b", "a", ".gt-aside-1-1"] {
            File::create(dir.path().join(name)).unwrap();
        }
        assert_eq!(RealDisk.list(dir.path()).unwrap(), ["a", "b"]);
        assert!(RealDisk.list(&dir.path().join("none")).unwrap().is_empty());
    }

    #[test]
    fn a_rename_never_replaces() {
        let dir = folder();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::create_dir(&to).unwrap();
        assert!(matches!(RealDisk.rename(&from, &to), Err(WorldError::Unexpected(_))));
        fs::remove_dir(&to).unwrap();
        RealDisk.rename(&from, &to).unwrap();
        assert!(RealDisk.exists(&to) && !RealDisk.exists(&from));
    }

    #[test]
    fn removing_what_is_gone_is_nothing() {
        let dir = folder();
        let tree = dir.path().join("tree");
        RealDisk.create_dir(&tree.join("deep/er")).unwrap();
        fs::set_permissions(tree.join("deep"), Permissions::from_mode(0o500)).unwrap();
        RealDisk.remove(&tree).unwrap();
        RealDisk.remove(&tree).unwrap();
        assert!(!RealDisk.exists(&tree));
    }

    #[test]
    fn a_link_is_made_once_and_is_removed_without_its_target() {
        let dir = folder();
        let (at, target) = (dir.path().join("at"), dir.path().join("target"));
        RealDisk.write(&target.join("file"), b"kept").unwrap();
        RealDisk.link(&at, &target).unwrap();
        RealDisk.link(&at, &target).unwrap();
        assert!(at.join("file").exists());
        RealDisk.remove(&at).unwrap();
        assert!(target.join("file").exists() && !RealDisk.exists(&at));
    }

    #[test]
    fn a_touch_makes_the_file_and_renews_its_time() {
        let dir = folder();
        let path = dir.path().join("sign");
        RealDisk.touch(&path).unwrap();
        File::open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        RealDisk.touch(&path).unwrap();
        assert_ne!(path.metadata().unwrap().mtime(), 0);
    }

    #[test]
    fn a_mark_makes_its_folder_and_no_other() {
        let dir = folder();
        let path = dir.path().join("moments/stop");
        RealDisk.mark(&path, b"1").unwrap();
        RealDisk.mark(&path, b"2").unwrap();
        assert_eq!(RealDisk.read(&path).unwrap().as_deref(), Some(&b"2"[..]));
        assert_eq!(RealDisk.list(&dir.path().join("moments")).unwrap(), ["stop"]);
        assert!(RealDisk.mark(&dir.path().join("gone/moments/stop"), b"1").is_err());
        assert!(!RealDisk.exists(&dir.path().join("gone")));
    }

    #[test]
    fn a_stamp_goes_in_place_of_its_like_and_through_no_link() {
        let dir = folder();
        let path = dir.path().join("moments/stop");
        let inode = || path.symlink_metadata().unwrap().ino();
        RealDisk.stamp(&path, b"one").unwrap();
        let first = inode();
        RealDisk.stamp(&path, b"two").unwrap();
        assert_eq!((RealDisk.read(&path).unwrap().as_deref(), inode()), (Some(&b"two"[..]), first));
        RealDisk.stamp(&path, b"three").unwrap();
        assert_eq!(RealDisk.read(&path).unwrap().as_deref(), Some(&b"three"[..]));
        let other = dir.path().join("other");
        for lead in
            [|other: &Path, path: &Path| symlink(other, path), |other: &Path, path: &Path| fs::hard_link(other, path)]
        {
            RealDisk.write(&other, b"their").unwrap();
            RealDisk.remove(&path).unwrap();
            lead(&other, &path).unwrap();
            RealDisk.stamp(&path, b"three").unwrap();
            assert_eq!(RealDisk.read(&other).unwrap().as_deref(), Some(&b"their"[..]));
            assert_eq!(RealDisk.read(&path).unwrap().as_deref(), Some(&b"three"[..]));
        }
        rustix::fs::mknodat(CWD, other.with_file_name("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        RealDisk.stamp(&other.with_file_name("fifo"), b"three").unwrap();
        assert!(other.with_file_name("fifo").metadata().unwrap().is_file());
    }

    #[test]
    fn a_lock_has_one_holder() {
        let dir = folder();
        let path = dir.path().join("one");
        let gone = RealDisk.try_lock(&dir.path().join("gone/one"));
        assert!(gone.is_err(), "a folder that is gone is not made again for a lock");
        let first = RealDisk.try_lock(&path).unwrap();
        assert!(first.is_some());
        assert!(RealDisk.try_lock(&path).unwrap().is_none());
        assert!(RealDisk.lock(&path, SHORT).unwrap().is_none());
        drop(first);
        assert!(RealDisk.lock(&path, LONG).unwrap().is_some());
    }

    #[test]
    fn a_waiter_that_gave_up_does_not_keep_the_lock() {
        let dir = folder();
        let path = dir.path().join("lock");
        let first = RealDisk.try_lock(&path).unwrap();
        assert!(RealDisk.lock(&path, SHORT).unwrap().is_none());
        drop(first);
        assert!(RealDisk.lock(&path, LONG).unwrap().is_some());
    }

    #[test]
    fn waiters_get_the_lock_in_turn() {
        let dir = folder();
        let path = dir.path().join("lock");
        let first = RealDisk.try_lock(&path).unwrap();
        let (say, hear) = mpsc::channel();
        let waiters: Vec<_> = (0..5)
            .map(|number| {
                let (lock, say) = (path.clone(), say.clone());
                let waiter = std::thread::spawn(move || {
                    let _held = RealDisk.lock(&lock, LONG).unwrap().unwrap();
                    say.send(number).unwrap();
                });
                wait_until_queued(&path, number + 1);
                waiter
            })
            .collect();
        drop(first);
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert_eq!(hear.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }

    /// Waits until the kernel lists `count` waiters for the lock at `path`.
    fn wait_until_queued(path: &Path, count: usize) {
        let inode = format!(":{} ", path.metadata().unwrap().ino());
        let queued = || {
            let locks = fs::read_to_string("/proc/locks").unwrap();
            locks.lines().filter(|line| line.contains("->") && line.contains(&inode)).count()
        };
        while queued() < count {
            RealClock.pause(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_lock_on_a_replaced_file_is_not_taken_for_the_lock() {
        let dir = folder();
        let path = dir.path().join("lock");
        let first = RealDisk.try_lock(&path).unwrap();
        let waiter = std::thread::spawn({
            let path = path.clone();
            move || RealDisk.lock(&path, LONG).unwrap().unwrap()
        });
        wait_until_queued(&path, 1);
        fs::remove_file(&path).unwrap();
        drop(first);
        let held = waiter.join().unwrap();
        assert!(is_still_at(held.file.as_ref().unwrap(), &path));
        assert!(RealDisk.try_lock(&path).unwrap().is_none());
    }

    #[test]
    fn a_wake_up_reaches_who_waits_and_harms_nobody_else() {
        let dir = folder();
        let (fifo, file) = (dir.path().join("fifo"), dir.path().join("file"));
        RealDisk.wake(&fifo);
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        RealDisk.wake(&fifo);
        let reader = rustix::fs::open(&fifo, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap();
        RealDisk.wake(&fifo);
        assert_eq!(rustix::io::read(&reader, &mut [0u8; 8]).unwrap(), 1);
        File::create(&file).unwrap();
        RealDisk.wake(&file);
        assert_eq!(file.metadata().unwrap().len(), 0);
    }
}
