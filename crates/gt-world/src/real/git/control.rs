//! The control folder of a rig's repository: the git folder with which the town's own git works in the repository.
//!
//! Workers, gates and tools of the project can write the repository's configuration, attributes and hooks, so our git never reads
//! them. Its git folder is the control folder. Only the town writes the settings there, and links give it the repository's
//! objects and refs. In a sandbox the folder is read-only. Each submodule that the town checks out has such a folder too.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use gt_model::id::sha256_hex;

use super::Git;
use super::admin::Admin;
use super::command::Place;
use super::config::quoted;
use super::stores;
use crate::real::disk::{RealDisk, found, io_error, read_whole};
use crate::{Disk as _, WorldError, WorldResult};

/// Name of the folder, inside the repository.
const FOLDER: &str = "gt-control";

/// File with the version of the folder's layout, written last. If it holds another text, the town makes the folder again.
const VERSION: (&str, &str) = ("version", "3\n");

/// Files that the repository and its control folder share. Reflogs are not among them: git appends to a log without checking
/// whether a worker has made it a link to another file.
const SHARED: &[&str] = &["objects", "refs", "packed-refs", "worktrees", "lfs", "reftable"];

/// Shared folders that git makes when it needs them. It can't make them through a link that leads nowhere.
const MADE_BEFOREHAND: &[&str] = &["worktrees"];

/// Names in the configuration of the properties that a repository's objects and refs have.
const FORMATS: &[&str] = &["extensions.objectFormat", "extensions.refStorage"];

/// Name of a branch that never exists. HEAD names it, so that no branch of the project counts as checked out in the bare
/// repository.
pub(super) const NO_BRANCH: &str = "gt-none";

/// Refspec of every fetch.
pub(super) const FETCH: &str = "+refs/heads/*:refs/remotes/origin/*";

/// File where a repository names other sources of objects. The town's repositories never have one.
const ALTERNATES: &str = "objects/info/alternates";

/// Length of the name of a submodule's control folder, in characters: enough to tell all submodules of a worktree apart.
const NAME_LENGTH: usize = 16;

/// A file of settings beside the common ones, which hands large files to git-lfs.
const LARGE_FILES: (&str, &str) = ("gt-large-files", "filter \"lfs\"");

/// How git hands large files to git-lfs. The setting that makes it required comes last, as a sign that the others are set.
pub(super) const LARGE_FILES_FILTER: &[(&str, &str)] = &[
    ("clean", "git-lfs clean -- %f"),
    ("smudge", "git-lfs smudge -- %f"),
    ("process", "git-lfs filter-process"),
    ("required", "true"),
];

/// Overrides of settings that people have for their own files and screens. For the town's git, files are as the commit has them,
/// merges are the project's, and output for people or programs is the same for every user.
const IMPERSONAL: &[(&str, &[(&str, &str)])] = &[
    (
        "core",
        &[
            ("autocrlf", "false"),
            ("eol", "lf"),
            ("ignoreCase", "false"),
            ("symlinks", "true"),
            ("fileMode", "true"),
            ("attributesFile", "/dev/null"),
            ("quotePath", "true"),
            ("abbrev", "auto"),
            ("bigFileThreshold", "512m"),
        ],
    ),
    (
        "diff",
        &[
            ("noprefix", "false"),
            ("mnemonicPrefix", "false"),
            ("srcPrefix", "a/"),
            ("dstPrefix", "b/"),
            ("renames", "true"),
            ("algorithm", "default"),
            ("context", "3"),
            ("interHunkContext", "0"),
        ],
    ),
    (
        "merge",
        &[("conflictStyle", "merge"), ("renames", "true"), ("directoryRenames", "conflict"), ("renormalize", "false")],
    ),
];

/// Returns the control folder of a repository.
pub(super) fn folder(repo: &Path) -> PathBuf {
    repo.join(FOLDER)
}

/// Makes the control folder if it is missing or has the layout of another `gt`. Refuses a repository that names foreign sources
/// of objects.
pub(super) fn require(git: &Git, repo: &Path) -> WorldResult<()> {
    refuse_alternates(repo)?;
    stores::gather(git, repo);
    let version = found(read_whole(&folder(repo).join(VERSION.0))).map_err(io_error("read", repo))?;
    if version.as_deref() == Some(VERSION.1.as_bytes()) || !repo.join("objects").is_dir() {
        // Without objects it is not a repository, and git will say so.
        return Ok(());
    }
    let url = setting(git, repo, "remote.origin.url")?;
    make(git, repo, &url.unwrap_or_default())?;
    keep_on(repo)
}

/// Makes or repairs the control folder of a rig's repository, whose remote is `url`.
pub(super) fn make(git: &Git, repo: &Path, url: &str) -> WorldResult<()> {
    for name in MADE_BEFOREHAND {
        RealDisk.create_dir(&repo.join(name))?;
    }
    make_at(git, &folder(repo), repo, url)
}

/// Returns the folder for the control folders of one worktree's submodules.
fn modules(repo: &Path, worktree: &OsStr) -> PathBuf {
    folder(repo).join("modules").join(worktree)
}

/// Returns the control folder of a submodule's repository, which is in a worktree's administrative folder.
pub(super) fn of_module(admin: &Admin, git_dir: &Path) -> PathBuf {
    let inside = git_dir.strip_prefix(&admin.folder).unwrap_or(git_dir);
    let name = sha256_hex(&inside.to_string_lossy());
    modules(&admin.repo(), admin.folder.file_name().unwrap_or_default()).join(&name[..NAME_LENGTH])
}

/// Makes or repairs the control folder of a submodule's repository, whose remote is `url`.
pub(super) fn make_module(git: &Git, admin: &Admin, git_dir: &Path, url: &str) -> WorldResult<()> {
    make_at(git, &of_module(admin, git_dir), git_dir, url)
}

/// Removes the control folders of a worktree's submodules.
pub(super) fn forget_modules(admin: &Admin) -> WorldResult<()> {
    RealDisk.remove(&modules(&admin.repo(), admin.folder.file_name().unwrap_or_default()))
}

/// Refuses foreign sources of objects. Objects elsewhere can change or vanish, and git follows such names wherever they lead.
fn refuse_alternates(repo: &Path) -> WorldResult<()> {
    let file = repo.join(ALTERNATES);
    match file.symlink_metadata() {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(()),
        Err(error) => Err(io_error("look at", &file)(error)),
        Ok(facts) if facts.is_file() && facts.len() == 0 => Ok(()),
        // In a sandbox, a worker's own store of objects names the rig's.
        Ok(_) if stores::is_in_sandbox() => Ok(()),
        Ok(_) => Err(WorldError::Unexpected(format!(
            "{} names other folders as sources of objects, and the town trusts none: copy what is needed \
             (git -C {} repack -a -d), then remove that file",
            file.display(),
            repo.display()
        ))),
    }
}

/// Returns a value from a repository's own configuration, without the files that it includes.
fn setting(git: &Git, repo: &Path, key: &str) -> WorldResult<Option<String>> {
    let file = repo.join("config");
    if !file.is_file() {
        return Ok(None);
    }
    let call = git.question(&Place::Nowhere, "config").arg("--file").arg(&file).args(["--no-includes", "--get", key]);
    let answer = call.expect(&[0, 1])?;
    Ok((answer.code == 0).then(|| answer.line()))
}

fn make_at(git: &Git, folder: &Path, repo: &Path, url: &str) -> WorldResult<()> {
    for name in ["info", "logs"] {
        RealDisk.create_dir(&folder.join(name))?;
    }
    let way = way(folder, repo);
    SHARED.iter().try_for_each(|name| link(&folder.join(name), &way.join(name)))?;
    let mut formats = Vec::new();
    for name in FORMATS {
        formats.extend(setting(git, repo, name)?.map(|value| (*name, value)));
    }
    put(&folder.join("HEAD"), &format!("ref: refs/heads/{NO_BRANCH}\n"))?;
    put(&folder.join("config"), &settings(url, &formats))?;
    put(&folder.join(VERSION.0), VERSION.1)
}

fn put(file: &Path, text: &str) -> WorldResult<()> {
    let there = found(read_whole(file)).map_err(io_error("read", file))?;
    if there.as_deref() == Some(text.as_bytes()) { Ok(()) } else { RealDisk.write(file, text.as_bytes()) }
}

/// Returns the relative path from one folder to another. Both must be free of links, so that the path still holds after both were
/// moved together.
pub(super) fn way(from: &Path, to: &Path) -> PathBuf {
    let shared = from.components().zip(to.components()).take_while(|(one, other)| one == other).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(to.components().skip(shared)).collect()
}

fn link(path: &Path, target: &Path) -> WorldResult<()> {
    if fs::read_link(path).is_ok_and(|there| there == target) {
        return Ok(());
    }
    RealDisk.remove(path)?;
    match symlink(target, path) {
        // Another process of ours made the link first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(io_error("link", path)),
    }
}

/// Copies files into the control folder that an older `gt` and the project's remote put into the repository itself.
fn keep_on(repo: &Path) -> WorldResult<()> {
    for name in ["info/exclude", "shallow"] {
        let (from, to) = (repo.join(name), folder(repo).join(name));
        let is_file = from.symlink_metadata().is_ok_and(|facts| facts.is_file());
        if is_file && !RealDisk.exists(&to) {
            RealDisk.copy(&from, &to)?;
        }
    }
    Ok(())
}

fn settings(url: &str, formats: &[(&str, String)]) -> String {
    let mut text =
        "# Written by gt: how the town's own git works in this repository. Changes here are lost.\n".to_owned();
    let mut section = |name: &str, entries: &[(&str, &str)]| {
        text.push_str(&format!("[{name}]\n"));
        for (key, value) in entries {
            text.push_str(&format!("\t{key} = {}\n", quoted(value)));
        }
    };
    section("core", &[("repositoryFormatVersion", "1"), ("bare", "true"), ("logAllRefUpdates", "true")]);
    for (name, entries) in IMPERSONAL {
        section(name, entries);
    }
    section("extensions", &[("preciousObjects", "true")]);
    for (name, value) in formats {
        section("extensions", &[(name.trim_start_matches("extensions."), value)]);
    }
    section("remote \"origin\"", &[("url", url), ("fetch", FETCH)]);
    section("include", &[("path", LARGE_FILES.0)]);
    text
}

/// Makes our git hand large files to git-lfs, whatever the user has configured.
pub(super) fn hand_over_large_files(repo: &Path) -> WorldResult<()> {
    RealDisk.create_dir(&repo.join("lfs"))?;
    let entries = LARGE_FILES_FILTER.iter().map(|(key, value)| format!("\t{key} = {}\n", quoted(value)));
    let text = format!("[{}]\n{}", LARGE_FILES.1, entries.collect::<String>());
    put(&folder(repo).join(LARGE_FILES.0), &text)
}

/// Tells workers' git where a shallow history begins, as our fetch found it.
pub(super) fn share_shallow(control: &Path, repo: &Path) -> WorldResult<()> {
    let (from, to) = (control.join("shallow"), repo.join("shallow"));
    let Some(bytes) = RealDisk.read(&from)? else { return Ok(()) };
    if RealDisk.read(&to)?.as_deref() == Some(&bytes[..]) { Ok(()) } else { RealDisk.write(&to, &bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_lead_from_one_folder_to_another() {
        let check = |from: &str, to: &str, expected: &str| {
            assert_eq!(way(Path::new(from), Path::new(to)), Path::new(expected), "{from} {to}");
        };
        check("/r/gt-control", "/r", "..");
        check("/t/app/w/lib", "/t/app/r/worktrees/w/modules/lib", "../../r/worktrees/w/modules/lib");
        check("/a", "/a/b", "b");
    }
}
