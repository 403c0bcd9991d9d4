//! Repositories themselves: what a folder is, a rig's bare repository, a bare copy to push to.

use std::path::{Path, PathBuf};

use super::Git;
use super::admin::real;
use super::command::Place;
use super::control::{self, FETCH, NO_BRANCH};
use super::hooks;
use super::refs::{bare, commit_at};
use super::worktree::branch;
use crate::real::disk::{RealDisk, make_parent, read_whole, rename_to_free};
use crate::{Disk as _, FolderFacts, Held, ObjectFormat, WorldError, WorldResult};

/// Settings of a rig's repository for workers' git, in the order that git requires: the format before its extensions.
pub(super) const REPOSITORY_SETTINGS: &[(&str, &str)] = &[
    ("core.repositoryFormatVersion", "1"),
    ("extensions.worktreeConfig", "true"),
    ("extensions.preciousObjects", "true"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("core.logAllRefUpdates", "true"),
    ("remote.origin.fetch", FETCH),
];

/// Returns how git sees `folder`.
pub(super) fn folder(git: &Git, folder: &Path) -> WorldResult<FolderFacts> {
    if !folder.is_dir() {
        return Ok(FolderFacts::NoRepository);
    }
    let place = Place::Folder(folder.to_owned());
    let call = git.question(&place, "rev-parse").args(["--is-bare-repository", "--is-inside-work-tree"]);
    let answer = call.answer()?;
    if answer.code != 0 && answer.stderr.contains("not a git repository") {
        return Ok(FolderFacts::NoRepository);
    }
    if answer.code != 0 {
        return Err(call.failed(answer.complaint()));
    }
    match answer.lines().iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["true", _] => Ok(FolderFacts::Bare),
        [_, "true"] if is_top(git, &place, folder)? => checkout(git, &place),
        _ => Ok(FolderFacts::NoRepository),
    }
}

/// Whether `folder` is the root of its checkout.
fn is_top(git: &Git, place: &Place, folder: &Path) -> WorldResult<bool> {
    let answer = git.question(place, "rev-parse").arg("--show-toplevel").ok()?;
    let top = answer.stdout.strip_suffix(b"\n").unwrap_or(&answer.stdout);
    Ok(real(&super::command::path_from(top)) == real(folder))
}

fn checkout(git: &Git, place: &Place) -> WorldResult<FolderFacts> {
    let has_commit = commit_at(git, place, "HEAD")?.is_some();
    Ok(FolderFacts::Checkout {
        origin: setting(git, place, "remote.origin.url")?,
        branch: branch(git, place)?,
        has_commit,
    })
}

fn setting(git: &Git, place: &Place, key: &str) -> WorldResult<Option<String>> {
    let answer = git.question(place, "config").args(["--get", key]).expect(&[0, 1])?;
    Ok((answer.code == 0).then(|| answer.line()))
}

/// Makes the bare repository of a rig.
pub(super) fn create(git: &Git, held: &Held, repo: &Path, url: &str, format: ObjectFormat) -> WorldResult<()> {
    RealDisk.create_dir(repo)?;
    match folder(git, repo)? {
        FolderFacts::Bare => {}
        FolderFacts::NoRepository => init(git, held, repo, format)?,
        FolderFacts::Checkout { .. } => {
            return Err(WorldError::Unexpected(format!("{} is a repository with a checkout", repo.display())));
        }
    }
    control::make(git, repo, url)?;
    let config = |name: &str| git.act(held, &bare(repo), "config").arg("--file").arg(repo.join(name));
    let shared = |key: &str, value: &str| config("config").args(["--replace-all", key, value]).ok().map(|_| ());
    for (key, value) in REPOSITORY_SETTINGS {
        shared(key, value)?;
    }
    shared("remote.origin.url", url)?;
    // Worktrees share the main configuration and are not bare. So the bare repository has that setting in its own file.
    config("config.worktree").args(["core.bare", "true"]).ok()?;
    config("config").args(["--unset-all", "core.bare"]).expect(&[0, 5])?;
    hooks::install(repo)?;
    RealDisk.create_dir(&repo.join("info"))
}

/// Returns the format of a repository's objects, which its refs show.
pub(super) fn object_format(repo: &Path) -> ObjectFormat {
    let first = |file: PathBuf| {
        let bytes = read_whole(&file).unwrap_or_default();
        String::from_utf8_lossy(&bytes).lines().filter_map(|line| line.split(' ').next()).find_map(ObjectFormat::of)
    };
    first(repo.join("packed-refs")).or_else(|| loose(&repo.join("refs")).find_map(first)).unwrap_or_default()
}

/// Yields the files of single refs below a folder.
fn loose(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder { &mut folders } else { &mut files }.push(entry.path());
        }
    }
    files.into_iter()
}

fn init(git: &Git, held: &Held, repo: &Path, format: ObjectFormat) -> WorldResult<()> {
    for lock in ["HEAD.lock", "config.lock"] {
        // No process uses an unfinished repository, so these locks are a killed git's.
        RealDisk.remove(&repo.join(lock))?;
    }
    let call = git.act(held, &Place::Folder(repo.to_owned()), "init");
    // The user may have another default. Our own code reads refs as files.
    let call =
        call.git_options(&["-c", "init.defaultRefFormat=files"]).arg(format!("--object-format={}", format.as_str()));
    let call = call.args(["--quiet", "--bare", "--template=", "--initial-branch", NO_BRANCH]);
    call.arg(real(repo)).ok().map(|_| ())
}

/// Makes a bare copy of the repository in `from` at `bare`, and names it `origin` in `from`.
pub(super) fn make_bare_remote(git: &Git, held: &Held, from: &Path, bare: &Path) -> WorldResult<()> {
    let FolderFacts::Checkout { origin, branch, .. } = folder(git, from)? else {
        return Err(WorldError::Unexpected(format!("{} is not a repository with a checkout", from.display())));
    };
    let (from, bare) = (real(from), real(bare));
    let address = bare.to_string_lossy().into_owned();
    if let Some(origin) = origin.filter(|origin| *origin != address) {
        return Err(WorldError::Unexpected(format!("{} has a remote origin already: {origin}", from.display())));
    }
    if !RealDisk.exists(&bare) {
        copy(git, held, &from, &bare)?;
    }
    let here = Place::Folder(from);
    let set = |key: &str, value: &str| git.act(held, &here, "config").args([key, value]).ok();
    // Fetches as a clone would, so that landed work is one `git pull` away.
    git.act(held, &here, "fetch").args(["--quiet", "--no-tags", "--"]).arg(&bare).arg(FETCH).ok()?;
    if let Some(branch) = branch {
        set(&format!("branch.{branch}.remote"), "origin")?;
        set(&format!("branch.{branch}.merge"), &format!("refs/heads/{branch}"))?;
    }
    // The address comes last: once it is set, everything is done.
    set("remote.origin.fetch", FETCH)?;
    set("remote.origin.url", &address)?;
    Ok(())
}

fn copy(git: &Git, held: &Held, from: &Path, bare: &Path) -> WorldResult<()> {
    make_parent(bare)?;
    let mut making = bare.as_os_str().to_owned();
    making.push(".gt-making");
    let making = PathBuf::from(making);
    RealDisk.remove(&making)?;
    let call = git.act(held, &Place::Nowhere, "clone").args(["--quiet", "--bare", "--no-hardlinks", "--template="]);
    call.arg("--").arg(from).arg(&making).ok()?;
    git.act(held, &Place::Bare(making.clone()), "config").args(["--remove-section", "remote.origin"]).ok()?;
    rename_to_free(&making, bare)
}
