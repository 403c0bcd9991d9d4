//! Compares the files of a checkout with a tree by their contents, and clears a checkout of all files that are not in the tree.
//!
//! It does not trust git's index: the index says what some git saw at some time, and agents' code can write it. It opens files
//! below folders that are already open and follows no link, so a checkout can't lead it outside.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use gt_model::id::{Sha, hex};
use gt_model::keep::Keep;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::admin::{Admin, real, recorded, required};
use super::command::{Place, path_from, shown};
use super::listing::{At, Entry, FILE, Format, Hash, LINK, Listing, PROGRAM, SUBMODULE, joined};
use super::refs::{bare, tree_of};
use super::scratch::Scratch;
use super::submodules::{self, MODULES};
use super::{Git, control};
use crate::real::disk::{io_error, read_whole, remove_whole};
use crate::{CheckedOut, DIRTY_LIMIT, Rules, Untracked, WorldError, WorldResult};

/// Limit on the number of paths that one call gets as arguments.
const PATHS_PER_CALL: usize = 200;

/// How many bytes of a file one read takes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Limit on a submodule's link to its repository, in bytes.
const LINK_LIMIT_BYTES: u64 = 16 * 1024;

/// Settings for writing and reading a gate's checkout, independent of the user who runs the town: files get the bytes that the
/// project's own attributes ask for.
pub(super) const PLAIN: &[&str] = &["-c", "core.autocrlf=false", "-c", "core.eol=lf"];

/// A checkout, with the way to ask git about it.
struct Checkout<'a> {
    git: &'a Git,
    /// The worktree that it is, or in which it is a submodule.
    admin: Admin,
    /// The checkout's folder.
    path: PathBuf,
    /// The place where git works in it.
    place: Place,
    /// Its git folder.
    git_dir: PathBuf,
    /// Whether to look into submodules.
    submodules: bool,
    listing: Listing,
}

impl<'a> Checkout<'a> {
    fn of(git: &'a Git, repo: &Path, path: &Path, tree: &Sha, submodules: bool) -> WorldResult<Self> {
        let listing = Listing::of(git, &bare(repo), tree)?;
        let missing = || WorldError::Unexpected(format!("{} is not a worktree of {}", path.display(), repo.display()));
        let admin = recorded(repo, path)?.ok_or_else(missing)?;
        let (path, place, git_dir) = (admin.path.clone(), admin.place(), admin.folder.clone());
        Ok(Self { git, admin, path, place, git_dir, submodules, listing })
    }

    /// Returns the submodule that is checked out in a folder, at the commit that the tree names.
    fn submodule(&self, folder: &OwnedFd, path: &[u8], entry: &Entry) -> WorldResult<Self> {
        let path = self.path.join(path_from(path));
        let strange = || WorldError::Unexpected(format!("{} is not a submodule of its worktree", path.display()));
        let link = read_link_file(folder).ok_or_else(strange)?;
        let git_dir = real(&path.join(path_from(&link)));
        if !git_dir.starts_with(real(&self.git_dir.join(MODULES))) {
            return Err(strange());
        }
        let commit = Sha::from(hex(&entry.id));
        let listing = Listing::of_commit(self.git, &submodules::place(&self.admin, &git_dir, None), &commit)?;
        let place = submodules::place(&self.admin, &git_dir, Some(&path));
        Ok(Self { git: self.git, admin: self.admin.clone(), path, place, git_dir, submodules: true, listing })
    }

    fn open(&self) -> WorldResult<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::open(&self.path, flags, Mode::empty()).map_err(|errno| io_error("open", &self.path)(errno.into()))
    }

    fn failed<T>(&self, act: &'static str, path: &[u8], result: Result<T, Errno>) -> WorldResult<T> {
        result.map_err(|errno| io_error(act, &self.path.join(path_from(path)))(errno.into()))
    }
}

/// Reads the path in a submodule's link to its repository.
fn read_link_file(folder: &OwnedFd) -> Option<Vec<u8>> {
    let file = open_file(folder, b".git").ok()?;
    let mut text = Vec::new();
    file.take(LINK_LIMIT_BYTES).read_to_end(&mut text).ok()?;
    let path = text.strip_prefix(b"gitdir: ")?;
    Some(path.strip_suffix(b"\n").unwrap_or(path).to_vec())
}

/// Returns the names in a folder.
fn names(folder: &OwnedFd) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if ![&b"."[..], b".."].contains(&&name[..]) {
            names.push(name);
        }
    }
    Ok(names)
}

fn open_folder(above: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(above, name, flags, Mode::empty())
}

/// Opens a file. Never waits for a node that is not a file.
fn open_file(folder: &OwnedFd, name: &[u8]) -> Result<std::fs::File, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty()).map(std::fs::File::from)
}

fn kind(folder: &OwnedFd, name: &[u8]) -> Result<FileType, Errno> {
    let facts = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(facts.st_mode))
}

/// Compares the tracked files of a checkout with a tree.
pub(super) fn compare(git: &Git, repo: &Path, path: &Path, tree: &Sha, rules: &Rules) -> WorldResult<CheckedOut> {
    let checkout = Checkout::of(git, repo, path, tree, rules.submodules)?;
    let mut compared = Compared::default();
    let tree = compared.compare(&checkout, b"", rules.conversions)?;
    Ok(CheckedOut { tree, changed: compared.changed })
}

/// Returns those of a worktree's files that are exactly as a checkout of `commit` writes them, though git would commit other
/// contents. A project may hold files that its own attributes would convert.
pub(super) fn as_written(
    git: &Git,
    admin: &Admin,
    commit: &Sha,
    paths: &BTreeSet<Vec<u8>>,
) -> WorldResult<BTreeSet<Vec<u8>>> {
    let tree = tree_of(git, &admin.repo(), commit)?;
    let checkout = Checkout::of(git, &admin.repo(), &admin.path, &tree, false)?;
    let is_asked = |(path, entry): &(&Vec<u8>, &Entry)| paths.contains(*path) && [FILE, PROGRAM].contains(&entry.mode);
    let entries: Vec<_> = checkout.listing.entries.iter().filter(is_asked).collect();
    let mut look = Look { checkout: &checkout, found: Found::new(), submodules: Vec::new() };
    look.folder(&checkout.open()?, &entries, 0)?;
    let mut found = look.found;
    leave_out_converted(&checkout, &mut found)?;
    Ok(entries.into_iter().map(|(path, _)| path.clone()).filter(|path| !found.contains_key(path)).collect())
}

/// Returns the files of a fresh checkout that git would commit with other contents. Reads all files.
pub(super) fn against_attributes(git: &Git, repo: &Path, path: &Path) -> WorldResult<Vec<String>> {
    let place = required(repo, path)?.place();
    // This index holds no file times, so git trusts none.
    let index = Scratch::new(repo)?;
    let call = |verb: &str| git.question(&place, verb).git_options(PLAIN).env("GIT_INDEX_FILE", index.path());
    call("read-tree").arg("HEAD").ok()?;
    let options = ["--porcelain=v1", "-z", "--untracked-files=no", "--no-renames", "--ignore-submodules=all"];
    let answer = call("status").args(options).ok()?;
    // Each field is two letters and a blank, then the path.
    Ok(answer.fields().filter_map(|field| field.get(3..)).map(shown).collect())
}

/// Result of comparing a checkout and its submodules.
#[derive(Default)]
struct Compared {
    /// Paths that differ from the tree, each with what is there instead.
    changed: BTreeMap<String, String>,
}

/// The files of one checkout that differ from its tree; `None` for a node that git does not store.
type Found = BTreeMap<Vec<u8>, Option<Entry>>;

impl Compared {
    /// Compares one checkout, its submodules included. Returns the tree that its files make.
    fn compare(&mut self, checkout: &Checkout<'_>, above: &[u8], conversions: bool) -> WorldResult<Sha> {
        let mut look = Look { checkout, found: Found::new(), submodules: Vec::new() };
        let entries: Vec<_> = checkout.listing.entries.iter().collect();
        match checkout.open() {
            Ok(folder) => look.folder(&folder, &entries, 0)?,
            Err(_) => look.missing(&entries),
        }
        let Look { mut found, submodules, .. } = look;
        if conversions {
            leave_out_converted(checkout, &mut found)?;
        }
        for (path, submodule) in submodules {
            let tree = self.compare(&submodule, &joined(above, &path), conversions)?;
            if tree != submodule.listing.tree {
                found.insert(path, Some(Entry { mode: SUBMODULE, id: Vec::new() }));
            }
        }
        let said = |entry: &Option<Entry>| entry.as_ref().map_or("-".to_owned(), said);
        self.changed.extend(found.iter().map(|(path, entry)| (shown(&joined(above, path)), said(entry))));
        if found.is_empty() {
            return Ok(checkout.listing.tree.clone());
        }
        let mut there = checkout.listing.clone();
        for (path, entry) in found {
            match entry {
                Some(entry) => _ = there.entries.insert(path, entry),
                None => _ = there.entries.remove(&path),
            }
        }
        Ok(there.tree_id())
    }
}

fn said(entry: &Entry) -> String {
    format!("{:o} {}", entry.mode, hex(&entry.id))
}

/// A search through the files of one checkout.
struct Look<'c, 'a> {
    checkout: &'c Checkout<'a>,
    found: Found,
    submodules: Vec<(Vec<u8>, Checkout<'a>)>,
}

impl Look<'_, '_> {
    /// Compares the entries of one folder. Their paths share the first `from` bytes.
    fn folder(&mut self, folder: &OwnedFd, entries: &[(&Vec<u8>, &Entry)], from: usize) -> WorldResult<()> {
        let mut rest = entries;
        while let Some((path, entry)) = rest.first() {
            let name = &path[from..];
            let Some(end) = name.iter().position(|byte| *byte == b'/') else {
                self.entry(folder, name, path, entry)?;
                rest = &rest[1..];
                continue;
            };
            let above = &path[..from + end + 1];
            let (inside, others) = rest.split_at(rest.iter().take_while(|(path, _)| path.starts_with(above)).count());
            match open_folder(folder, &name[..end]) {
                Ok(inner) => self.folder(&inner, inside, above.len())?,
                Err(_) => self.missing(inside),
            }
            rest = others;
        }
        Ok(())
    }

    /// Compares a submodule. One that is not checked out is not a change, since the tree only holds its commit.
    fn submodule(&mut self, folder: &OwnedFd, name: &[u8], path: &[u8], entry: &Entry) -> WorldResult<()> {
        let Some(inner) = open_folder(folder, name).ok().filter(|inner| self.checkout.submodules && is_filled(inner))
        else {
            return Ok(());
        };
        match self.checkout.submodule(&inner, path, entry) {
            Ok(submodule) => self.submodules.push((path.to_vec(), submodule)),
            Err(error @ (WorldError::Spawn { .. } | WorldError::Io { .. })) => return Err(error),
            // Something else is in its place, or its objects do not match their ids.
            Err(_) => _ = self.found.insert(path.to_vec(), None),
        }
        Ok(())
    }

    fn missing(&mut self, entries: &[(&Vec<u8>, &Entry)]) {
        let missing = entries.iter().filter(|(_, entry)| entry.mode != SUBMODULE);
        self.found.extend(missing.map(|(path, _)| ((*path).clone(), None)));
    }

    fn entry(&mut self, folder: &OwnedFd, name: &[u8], path: &[u8], entry: &Entry) -> WorldResult<()> {
        if entry.mode == SUBMODULE {
            return self.submodule(folder, name, path, entry);
        }
        let there = there(folder, name, entry, self.checkout.listing.format);
        if there.as_ref() != Some(&Entry { mode: entry.plain_mode(), id: entry.id.clone() }) {
            self.found.insert(path.to_vec(), there);
        }
        Ok(())
    }
}

/// Whether a folder has any entry.
fn is_filled(folder: &OwnedFd) -> bool {
    names(folder).is_ok_and(|names| !names.is_empty())
}

/// Returns the entry that git would store for a name without any conversion. A large file that git-lfs has put in place of its
/// pointer counts as that pointer.
fn there(folder: &OwnedFd, name: &[u8], entry: &Entry, format: Format) -> Option<Entry> {
    let file = match open_file(folder, name) {
        Err(Errno::LOOP) => {
            let target = rustix::fs::readlinkat(folder, name, Vec::new()).ok()?;
            return Some(Entry { mode: LINK, id: format.id("blob", target.to_bytes()) });
        }
        file => file.ok()?,
    };
    let facts = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let is_program = std::os::unix::fs::PermissionsExt::mode(&facts.permissions()) & 0o100 != 0;
    let mode = if is_program { PROGRAM } else { FILE };
    let id = hash_file(&file, facts.len(), format)?;
    if id != entry.id && pointer_id(&file, facts.len(), format).as_ref() == Some(&entry.id) {
        return Some(Entry { mode, id: entry.id.clone() });
    }
    Some(Entry { mode, id })
}

/// Returns the id of a file's content; `None` if it can't be read, or changes during the read.
fn hash_file(file: &std::fs::File, length: u64, format: Format) -> Option<Vec<u8>> {
    let mut hash = Hash::begin(format, "blob", length);
    let read = each_chunk(file, length, |chunk| hash.feed(chunk))?;
    (read == length).then(|| hash.end())
}

/// Returns the id of the pointer with which git-lfs replaces a file of this content.
fn pointer_id(mut file: &std::fs::File, length: u64, format: Format) -> Option<Vec<u8>> {
    std::io::Seek::rewind(&mut file).ok()?;
    let mut hash = Sha256::new();
    let size = each_chunk(file, length, |chunk| hash.update(chunk))?;
    let oid = hex(&hash.finalize());
    let text = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n");
    Some(format.id("blob", text.as_bytes()))
}

/// Reads a file to its end, which is expected after `length` bytes. Returns the number of bytes.
fn each_chunk(mut file: &std::fs::File, length: u64, mut take: impl FnMut(&[u8])) -> Option<u64> {
    // Most files are small. One byte more than expected is enough to see the end.
    let room = usize::try_from(length).unwrap_or(CHUNK_BYTES).saturating_add(1).min(CHUNK_BYTES);
    let (mut buffer, mut read) = (vec![0; room], 0);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Some(read),
            Ok(count) => {
                take(&buffer[..count]);
                read += count as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// Removes from `found` the files that differ from the tree only by git's own conversions: line ends, filters.
fn leave_out_converted(checkout: &Checkout<'_>, found: &mut Found) -> WorldResult<()> {
    let entries = &checkout.listing.entries;
    let is_file = |entry: &Entry| [FILE, PROGRAM].contains(&entry.mode);
    let same_kind = |path: &Vec<u8>, there: &Entry| entries.get(path).is_some_and(|e| e.plain_mode() == there.mode);
    let open = found.iter().filter_map(|(path, there)| Some((path, there.as_ref()?)));
    let open: Vec<Vec<u8>> =
        open.filter(|(path, e)| is_file(e) && same_kind(path, e)).map(|(p, _)| p.clone()).collect();
    for paths in open.chunks(PATHS_PER_CALL) {
        let call = checkout.git.question(&checkout.place, "hash-object").git_options(PLAIN);
        // A filter that fails converts nothing. Then the file counts as it is.
        let answer = call.arg("--").args(paths.iter().map(|path| path_from(path))).answer()?;
        for (path, id) in paths.iter().zip(answer.lines()) {
            if hex(&entries[path].id) == id || is_smudged(checkout, path, &entries[path])? {
                found.remove(path);
            }
        }
    }
    Ok(())
}

/// Whether a file is what git writes when it checks its object out, even though git would not make that object from the file
/// again. Objects that were committed against their own attributes are like that.
fn is_smudged(checkout: &Checkout<'_>, path: &[u8], entry: &Entry) -> WorldResult<bool> {
    let (git, id, format) = (checkout.git, hex(&entry.id), checkout.listing.format);
    let object = git.question(&checkout.place, "cat-file").args(["blob", &id]).ok()?.stdout;
    if format.id("blob", &object) != entry.id {
        return Ok(false);
    }
    let mut option = std::ffi::OsString::from("--path=");
    option.push(path_from(path));
    let call = git.question(&checkout.place, "cat-file").git_options(PLAIN).arg("--filters").arg(option).arg(&id);
    let smudged = call.ok()?.stdout;
    Ok(read_whole(&checkout.path.join(path_from(path))).is_ok_and(|there| there == smudged))
}

/// Removes all files from a checkout that are not in a tree, except those that the rules keep.
pub(super) fn clear(git: &Git, repo: &Path, path: &Path, tree: &Sha, rules: &Rules) -> WorldResult<Untracked> {
    let checkout = Checkout::of(git, repo, path, tree, rules.submodules)?;
    let found = search(&checkout, rules, true)?;
    if !rules.submodules {
        remove_whole(&checkout.git_dir.join(MODULES))?;
        control::forget_modules(&checkout.admin)?;
    }
    Ok(found)
}

/// Returns the files of a checkout that are not in a tree.
pub(super) fn untracked(git: &Git, repo: &Path, path: &Path, tree: &Sha, rules: &Rules) -> WorldResult<Untracked> {
    search(&Checkout::of(git, repo, path, tree, rules.submodules)?, rules, false)
}

fn search(checkout: &Checkout<'_>, rules: &Rules, removes: bool) -> WorldResult<Untracked> {
    let mut clearing = Clearing { checkout, keep: &rules.keep, removes, found: Untracked::default() };
    clearing.folder(&checkout.open()?, b"", true)?;
    Ok(clearing.found)
}

/// A search through one checkout for files that are not in its tree.
struct Clearing<'c, 'a> {
    checkout: &'c Checkout<'a>,
    keep: &'c Keep,
    /// Whether to remove them.
    removes: bool,
    found: Untracked,
}

impl Clearing<'_, '_> {
    /// Clears a folder. Returns whether it is empty afterwards.
    fn folder(&mut self, folder: &OwnedFd, path: &[u8], may_keep: bool) -> WorldResult<bool> {
        let names = self.checkout.failed("list", path, names(folder))?;
        let mut empty = true;
        for name in names {
            empty &= self.entry(folder, &name, &joined(path, &name), may_keep)?;
        }
        Ok(empty)
    }

    /// Clears one entry of a folder. Returns whether it is gone.
    fn entry(&mut self, folder: &OwnedFd, name: &[u8], path: &[u8], may_keep: bool) -> WorldResult<bool> {
        let kind = match kind(folder, name) {
            Err(Errno::NOENT) => return Ok(true),
            // The folder can be listed but not entered.
            Err(Errno::ACCESS) => rustix::fs::fchmod(folder, Mode::RWXU).and_then(|()| kind(folder, name)),
            kind => kind,
        };
        let kind = self.checkout.failed("look at", path, kind)?;
        match self.checkout.listing.at(path) {
            At::Entry(entry) if entry.mode == SUBMODULE && kind == FileType::Directory => {
                self.submodule(folder, name, path, entry)?;
                return Ok(false);
            }
            At::Entry(_) => return Ok(false),
            // A tracked folder is not a cache, nor is an untracked one beside tracked files under a cache's name.
            At::Folder if kind == FileType::Directory => {
                let inner = self.enter(folder, name, path)?;
                self.folder(&inner, path, may_keep && !self.keep.matches(path))?;
                return Ok(false);
            }
            At::Folder | At::Nothing => {}
        }
        if path == b".git" {
            return Ok(false);
        }
        // A link is not a cache: its target is elsewhere.
        let is_cache = matches!(kind, FileType::Directory | FileType::RegularFile);
        if may_keep && is_cache && self.keep.matches(path) {
            self.found.kept.push(shown(path));
            return Ok(false);
        }
        self.remove(folder, name, path, kind, may_keep)
    }

    fn remove(
        &mut self,
        folder: &OwnedFd,
        name: &[u8],
        path: &[u8],
        kind: FileType,
        may_keep: bool,
    ) -> WorldResult<bool> {
        if kind == FileType::Directory {
            let inner = self.enter(folder, name, path)?;
            if !self.folder(&inner, path, may_keep)? {
                return Ok(false);
            }
        }
        self.note(path, kind);
        if !self.removes {
            return Ok(true);
        }
        let flags = if kind == FileType::Directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        let unlink = || rustix::fs::unlinkat(folder, name, flags);
        let removed = match unlink() {
            // A module cache has read-only folders.
            Err(Errno::ACCESS) => rustix::fs::fchmod(folder, Mode::RWXU).and_then(|()| unlink()),
            removed => removed,
        };
        self.checkout.failed("remove", path, removed).map(|()| true)
    }

    fn note(&mut self, path: &[u8], kind: FileType) {
        if kind != FileType::Directory && self.found.others.len() < DIRTY_LIMIT {
            self.found.others.push(shown(path));
        }
    }

    /// Opens a folder, even if its owner has no rights on it.
    fn enter(&self, above: &OwnedFd, name: &[u8], path: &[u8]) -> WorldResult<OwnedFd> {
        let opened = match open_folder(above, name) {
            Err(Errno::ACCESS) => open_up(above, name).and_then(|()| open_folder(above, name)),
            opened => opened,
        };
        self.checkout.failed("open", path, opened)
    }

    /// Clears a submodule and keeps nothing in it. If submodules must not be checked out, removes everything.
    fn submodule(&mut self, above: &OwnedFd, name: &[u8], path: &[u8], entry: &Entry) -> WorldResult<()> {
        let folder = self.enter(above, name, path)?;
        match self.checkout.submodules.then(|| self.checkout.submodule(&folder, path, entry)) {
            Some(Ok(submodule)) => {
                let (keep, removes) = (self.keep, self.removes);
                let mut inner = Clearing { checkout: &submodule, keep, removes, found: Untracked::default() };
                inner.folder(&folder, b"", false)?;
                let below = |file: String| format!("{}/{file}", shown(path));
                self.found.others.extend(inner.found.others.into_iter().map(below));
            }
            _ => {
                for name in self.checkout.failed("list", path, names(&folder))? {
                    let below = joined(path, &name);
                    let kind = self.checkout.failed("look at", &below, kind(&folder, &name))?;
                    self.remove(&folder, &name, &below, kind, false)?;
                }
            }
        }
        Ok(())
    }
}

/// Gives a folder's owner all rights on it. Does not follow a link.
fn open_up(above: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(above, name, flags, Mode::empty())?;
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&folder));
    rustix::fs::chmod(path, Mode::RWXU)
}
