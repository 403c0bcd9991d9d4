//! Object stores of workers in sandboxes. Such a worker keeps the objects that it makes in a store of its own. It can read the
//! rig's objects, but can neither change nor remove them.
//!
//! Before any act of ours in the rig's repository, the town copies a worker's objects into the rig's, each under the name that
//! its content has. It never copies an object whose content does not match its name.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::ZlibDecoder;
use rustix::fs::{FileType, OFlags};
use sha2::Sha256;

use super::Git;
use super::command::Place;
use super::repository::object_format;
use super::scratch::Scratch;
use crate::real::disk::{RealDisk, found};
use crate::real::door::{self, Spot};
use crate::{Disk as _, SANDBOX_MARK, WorldError, WorldResult};

/// Folder of a repository with the workers' stores, one for each worktree (the town's `RigLayout::own_store`).
const STORES: &str = "gt-own";

/// Lengths of the name of a loose object's file, without the first two characters, which name the folder.
const LOOSE_NAMES: [usize; 2] = [38, 62];

/// Limit on the size of an object that is copied, in bytes.
const OBJECT_LIMIT: u64 = 16 << 30;

/// Copies the objects that workers in sandboxes have made. An object that can't be copied stays, and an act that needs it reports
/// it as missing.
pub(super) fn gather(git: &Git, repo: &Path) {
    let Ok(stores) = fs::read_dir(repo.join(STORES)) else { return };
    // In a sandbox the rig's objects are read-only, and this is the worker's own git.
    if is_in_sandbox() {
        return;
    }
    for store in stores.flatten() {
        gather_from(git, repo, &store.path());
    }
}

fn gather_from(git: &Git, repo: &Path, store: &Path) {
    let _ = take_loose(&store.join("objects"), &repo.join("objects"));
    let _ = take_packs(git, repo, &store.join("objects/pack"));
    let _ = take_large_files(&store.join("lfs/objects"), &repo.join("lfs/objects"));
}

/// Whether this process runs in a sandbox.
pub(super) fn is_in_sandbox() -> bool {
    Path::new(SANDBOX_MARK).exists()
}

/// Removes the store of a finished worktree.
pub(super) fn close(git: &Git, repo: &Path, worktree: &Path) -> WorldResult<()> {
    let Some(name) = worktree.file_name() else { return Ok(()) };
    let store = repo.join(STORES).join(name);
    if !RealDisk.exists(&store) {
        return Ok(());
    }
    gather_from(git, repo, &store);
    RealDisk.remove(&store)
}

fn take_loose(from: &Path, to: &Path) -> io::Result<()> {
    for (name, folder) in folders(from)?.into_iter().filter(|(name, _)| is_hexadecimal(name, &[2])) {
        for file in files(&folder)?.into_iter().filter(|file| is_hexadecimal(file, &LOOSE_NAMES)) {
            let id = format!("{name}{file}");
            take(&folder.join(&file), &to.join(&name).join(&file), |content| is_object(content, &id))?;
        }
        // The folder stays if the worker adds an object right now.
        let _ = fs::remove_dir(&folder);
    }
    Ok(())
}

fn take_large_files(from: &Path, to: &Path) -> io::Result<()> {
    for (first, above) in folders(from)? {
        for (second, folder) in folders(&above)? {
            for oid in files(&folder)?.into_iter().filter(|file| is_hexadecimal(file, &[64])) {
                let target = to.join(&first).join(&second).join(&oid);
                take(&folder.join(&oid), &target, |content| Ok(digest::<Sha256>(content)? == oid))?;
            }
        }
    }
    Ok(())
}

/// Copies a file and puts the copy in place if it is valid. The worker may still hold an open handle on the source, so only the
/// copy is checked. Removes the source in any case: git would otherwise take an invalid one for a present object.
fn take(from: &Path, to: &Path, is_true: impl FnOnce(&mut File) -> io::Result<bool>) -> io::Result<()> {
    let source = Spot::of(from)?;
    if to.symlink_metadata().is_ok() {
        return source.unlink();
    }
    let aside = copied(&source, to)?;
    let result = File::open(&aside).and_then(|mut content| is_true(&mut content));
    match result {
        Ok(true) => fs::rename(&aside, to)?,
        _ => fs::remove_file(&aside)?,
    }
    source.unlink()
}

/// Makes a copy beside its final place. No other process writes it.
fn copied(source: &Spot, to: &Path) -> io::Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let file = source.open_ordinary(OFlags::RDONLY | OFlags::NOFOLLOW, 0)?;
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder)?;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let aside = folder.join(format!("tmp_obj_gt-{}-{count}", std::process::id()));
    let mut copy = Spot::of(&aside)?.create_new(0o444)?;
    let copied = io::copy(&mut file.take(OBJECT_LIMIT), &mut copy).and_then(|_| copy.flush());
    if copied.is_err() {
        let _ = fs::remove_file(&aside);
    }
    copied.map(|()| aside)
}

/// Whether a loose object's content matches its name.
fn is_object(file: &mut File, id: &str) -> io::Result<bool> {
    let length = file.metadata()?.len();
    let mut content = ZlibDecoder::new(io::BufReader::new(&mut *file));
    let found = match id.len() {
        64 => digest::<Sha256>(&mut content)?,
        _ => digest::<sha1::Sha1>(&mut content)?,
    };
    // Git refuses an object with data after its end.
    Ok(found == id && content.total_in() == length)
}

fn digest<D: sha2::Digest>(content: &mut impl Read) -> io::Result<String> {
    let mut hasher = D::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut total = 0;
    loop {
        let count = content.read(&mut buffer)?;
        total += count as u64;
        if count == 0 {
            return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        if total > OBJECT_LIMIT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        hasher.update(&buffer[..count]);
    }
}

/// Copies packs, and makes their index again from their contents.
fn take_packs(git: &Git, repo: &Path, folder: &Path) -> io::Result<()> {
    let files = files(folder)?;
    // Git writes the index last.
    for stem in files.iter().filter_map(|file| file.strip_suffix(".idx")) {
        let _ = take_pack(git, repo, &folder.join(format!("{stem}.pack")));
        for file in files.iter().filter(|file| file.strip_prefix(stem).is_some_and(|rest| rest.starts_with('.'))) {
            Spot::of(&folder.join(file))?.unlink()?;
        }
    }
    Ok(())
}

fn take_pack(git: &Git, repo: &Path, pack: &Path) -> WorldResult<()> {
    let failed = |error: io::Error| WorldError::Unexpected(error.to_string());
    let aside = Scratch::new(repo)?;
    let index = aside.path().join("pack.idx");
    let copy = copied(&Spot::of(pack).map_err(failed)?, &index).map_err(failed)?;
    let format = format!("--object-format={}", object_format(repo).as_str());
    let call = git.question(&Place::Nowhere, "index-pack").arg(format).arg("-o").arg(&index).arg(&copy);
    let target = repo.join("objects/pack").join(format!("pack-{}", call.ok()?.line()));
    fs::create_dir_all(repo.join("objects/pack")).map_err(failed)?;
    // Git finds a pack by its index.
    fs::rename(&copy, target.with_extension("pack")).map_err(failed)?;
    fs::rename(&index, target.with_extension("idx")).map_err(failed)
}

fn is_hexadecimal(name: &str, lengths: &[usize]) -> bool {
    lengths.contains(&name.len()) && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns the folders directly in a folder, without links; empty if there is no such folder.
fn folders(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let names = entries(folder, true)?;
    Ok(names.into_iter().map(|name| (name.clone(), folder.join(name))).collect())
}

fn files(folder: &Path) -> io::Result<Vec<String>> {
    entries(folder, false)
}

fn entries(folder: &Path, are_folders: bool) -> io::Result<Vec<String>> {
    let Some(held) = found(Spot::of(folder).and_then(|spot| spot.open_folder()))? else { return Ok(Vec::new()) };
    let is_wanted = |name: &OsString| {
        let facts = Spot::of(&folder.join(name)).and_then(|spot| spot.look());
        let kind = facts.map(|facts| FileType::from_raw_mode(facts.st_mode));
        kind.is_ok_and(|kind| if are_folders { kind.is_dir() } else { kind.is_file() })
    };
    let names = door::names(&held)?.into_iter().filter(is_wanted);
    Ok(names.filter_map(|name| name.into_string().ok()).collect())
}
