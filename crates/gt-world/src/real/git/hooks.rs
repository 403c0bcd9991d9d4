//! Hooks in the worktrees of a rig. One keeps a worker's git to its own branch; the others run the project's own hooks.

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

/// Folder of a repository for the hooks of its worktrees.
pub(super) const FOLDER: &str = "gt-hooks";

/// File of a worktree's administrative folder that tells the hook which branch is the worker's own. It is a file and not a
/// setting because a shell can read it without starting git.
const RULES: &str = "gt-rules";

/// The hook that sees every change of a ref.
pub(super) const GUARD: &str = "reference-transaction";

const GUARD_SCRIPT: &str = concat!(include_str!("hooks/settings.sh"), include_str!("hooks/reference-transaction.sh"));
const DISPATCH_SCRIPT: &str = concat!(include_str!("hooks/settings.sh"), include_str!("hooks/dispatch.sh"));

/// Mark that tells our hooks from those that a project's tool put in their place.
const MARK: &str = "\n# gt-hook: ";

/// Hooks that git runs in a checkout with a user. Hooks of a receiving repository are not among them: nothing pushes to a rig's
/// repository, and the mere existence of some of them changes what git does.
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

/// Installs the hooks that are missing in a repository or differ from what this `gt` writes.
pub(super) fn install(repo: &Path) -> WorldResult<()> {
    let folder = repo.join(FOLDER);
    broken(repo)?.into_iter().try_for_each(|name| put(&folder, name, script(name)))
}

/// Returns the hooks that are missing or differ from what this `gt` writes.
pub(super) fn broken(repo: &Path) -> WorldResult<Vec<&'static str>> {
    let mut broken = Vec::new();
    for name in CHAINED.iter().chain([&GUARD]) {
        if is_broken(&repo.join(FOLDER).join(name), name)? {
            broken.push(*name);
        }
    }
    Ok(broken)
}

/// Returns the hooks that a project's tool put in the place of ours. They stay, because they are the hooks that ours would call.
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

/// Whether a hook is missing, empty, not executable, or ours of another version. No tool may replace the guard.
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

/// Reads a hook without waiting. A hook may be a link of the overseer's, and its target a pipe.
fn read_without_waiting(hook: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut file = fs::File::options().read(true).custom_flags(flags).open(hook)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns a hook's text; `None` for a link that leads nowhere, or a folder.
fn read(hook: &Path) -> WorldResult<Option<Vec<u8>>> {
    let bytes = match read_without_waiting(hook) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => Ok(None),
        other => found(other),
    };
    bytes.map_err(io_error("read", hook))
}

/// Replaces a hook. The new file is executable from its first moment.
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
    // A person may give a folder a name that no ref can have.
    let worker = if is_worker_name(&name) { name.into_owned() } else { slug(&name) };
    ref_name(&format!("refs/gt/stash/{worker}"))?;
    let text = format!("{}\n{worker}\n", branch.unwrap_or_default());
    let file = rules(admin);
    if read(&file)?.as_deref() == Some(text.as_bytes()) { Ok(()) } else { replace_for_now(&file, text.as_bytes()) }
}

fn rules(admin: &Admin) -> PathBuf {
    admin.folder.join(RULES)
}

/// Returns the path of a repository's hooks, as its worktrees' settings name it.
pub(super) fn folder(repo: &Path) -> PathBuf {
    real(repo).join(FOLDER)
}
