//! Hooks that hold in the worktrees of a rig: one keeps a worker's git to its own branch, the others run the
//! project's own.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use gt_model::address::is_worker_name;
use gt_model::id::slug;
use rustix::fs::OFlags;

use super::admin::{Admin, real};
use super::refs::ref_name;
use crate::real::disk::{RealDisk, found, io_error, replace_for_now};
use crate::{Disk as _, WorldResult};

/// Folder of a repository with the hooks that hold in its worktrees.
pub(super) const FOLDER: &str = "gt-hooks";

/// File of a worktree's administrative folder that tells the hook which branch is the worker's own. A file and not a
/// setting: a shell reads it without starting git.
const RULES: &str = "gt-rules";

/// The hook that sees every change of a ref.
pub(super) const GUARD: &str = "reference-transaction";

const GUARD_SCRIPT: &str = concat!(include_str!("hooks/settings.sh"), include_str!("hooks/reference-transaction.sh"));
const DISPATCH_SCRIPT: &str = concat!(include_str!("hooks/settings.sh"), include_str!("hooks/dispatch.sh"));

/// What tells a hook of ours from one that a project's tool put in its place.
const MARK: &str = "\n# gt-hook: ";

/// Hooks that git runs where somebody works. Those of a receiving repository are not among them: nobody pushes to a
/// rig's repository, and that some of them exist changes what git does.
const CHAINED: &[&str] = &[
    "applypatch-msg",
    "commit-msg",
    "p4-changelist",
    "p4-post-changelist",
    "p4-pre-submit",
    "p4-prepare-changelist",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-rewrite",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "prepare-commit-msg",
    "sendemail-validate",
];

/// Puts the hooks into a repository, where they are missing or not as this `gt` writes them.
pub(super) fn install(repo: &Path) -> WorldResult<()> {
    let folder = repo.join(FOLDER);
    broken(repo)?.into_iter().try_for_each(|name| put(&folder, name, script(name)))
}

/// The hooks that are missing or not as this `gt` writes them.
pub(super) fn broken(repo: &Path) -> WorldResult<Vec<&'static str>> {
    let mut broken = Vec::new();
    for name in CHAINED.iter().chain([&GUARD]) {
        if is_broken(&repo.join(FOLDER).join(name), name)? {
            broken.push(*name);
        }
    }
    Ok(broken)
}

/// The hooks that a project's tool put in the place of ours. They stay: they are what ours would call on.
pub(super) fn foreign(repo: &Path) -> WorldResult<Vec<&'static str>> {
    let mut foreign = Vec::new();
    for name in CHAINED {
        if is_foreign(read(&repo.join(FOLDER).join(name))?.as_deref()) {
            foreign.push(*name);
        }
    }
    Ok(foreign)
}

fn script(name: &str) -> &'static str {
    if name == GUARD { GUARD_SCRIPT } else { DISPATCH_SCRIPT }
}

/// Whether a hook is missing, empty, not executable, or ours of another version. No tool may take the guard's place.
fn is_broken(hook: &Path, name: &str) -> WorldResult<bool> {
    let bytes = read(hook)?;
    if name != GUARD && is_foreign(bytes.as_deref()) {
        return Ok(false);
    }
    let runs = fs::metadata(hook).is_ok_and(|facts| facts.permissions().mode() & 0o111 != 0);
    Ok(!runs || bytes.as_deref() != Some(script(name).as_bytes()))
}

fn is_foreign(hook: Option<&[u8]>) -> bool {
    hook.is_some_and(|bytes| !bytes.is_empty() && !String::from_utf8_lossy(bytes).contains(MARK))
}

/// A hook may be a link of the overseer's, and what is behind it a pipe of somebody's.
fn read_without_waiting(hook: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut file = fs::File::options().read(true).custom_flags(flags).open(hook)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A hook's text. A link that leads nowhere, or a folder, is no hook.
fn read(hook: &Path) -> WorldResult<Option<Vec<u8>>> {
    let bytes = match read_without_waiting(hook) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => Ok(None),
        other => found(other),
    };
    bytes.map_err(io_error("read", hook))
}

/// Replaces a hook; it is never there without being executable.
fn put(folder: &Path, name: &str, script: &str) -> WorldResult<()> {
    let aside = folder.join(format!("{name}.new"));
    RealDisk.write(&aside, script.as_bytes())?;
    fs::set_permissions(&aside, fs::Permissions::from_mode(0o755)).map_err(io_error("make executable", &aside))?;
    let hook = folder.join(name);
    fs::rename(&aside, &hook).map_err(io_error("replace", &hook))
}

/// Tells the guard which branch is the worktree's own.
pub(super) fn set_rules(admin: &Admin, branch: Option<&str>) -> WorldResult<()> {
    let name = admin.path.file_name().unwrap_or_default().to_string_lossy();
    // A folder that a person has named may be called as no ref can be.
    let worker = if is_worker_name(&name) { name.into_owned() } else { slug(&name) };
    ref_name(&format!("refs/gt/stash/{worker}"))?;
    let text = format!("{}\n{worker}\n", branch.unwrap_or_default());
    let file = rules(admin);
    if read(&file)?.as_deref() == Some(text.as_bytes()) { Ok(()) } else { replace_for_now(&file, text.as_bytes()) }
}

fn rules(admin: &Admin) -> PathBuf {
    admin.folder.join(RULES)
}

/// Where the hooks of a repository are, as its worktrees' settings name it.
pub(super) fn folder(repo: &Path) -> PathBuf {
    real(repo).join(FOLDER)
}
