//! Submodules of a worktree. Each is a repository of its own, in the worktree's administrative folder.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::Git;
use super::admin::{Admin, real, required};
use super::command::{Answer, Place, path_from};
use super::worktree::rules;
use crate::world::real::disk::{RealDisk, found, io_error};
use crate::world::{Disk as _, Held, Referred, WorldResult};

/// Folder of an administrative folder, or of a submodule's repository, with the repositories of submodules.
const MODULES: &str = "modules";

/// File of a submodule's repository with the settings that keep a worker's git in it away from its remote.
const RULES: &str = "gt-config";

/// The mode under which an index holds a submodule.
const SUBMODULE: &[u8] = b"160000 ";

/// How deep a submodule may be nested; a folder made by hand may go on for ever.
const DEPTH_LIMIT: usize = 32;

/// Options of each call. Addresses come from `.gitmodules` at each check-out and are written down nowhere, since
/// worktrees share their configuration; an address never names a program to be run.
const OPTIONS: &[&str] = &["-c", "submodule.active=.", "-c", "protocol.ext.allow=never"];

/// Signs that a commit refers to what nobody can have.
const MISSING: &[&str] = &[
    "not our ref",
    "unadvertised object",
    "not allowed",
    "invalid value for",
    "without a URL",
    "no submodule mapping",
];

/// Checks out the submodules of a worktree, recursively.
pub(super) fn check_out(git: &Git, held: &Held, repo: &Path, path: &Path) -> WorldResult<Referred> {
    let admin = required(repo, path)?;
    for module in repositories(&admin)? {
        // What keeps a worker's git from the remote would keep ours from it.
        RealDisk.write(&module.join(RULES), b"")?;
    }
    let mut answer = update(git, held, &admin)?;
    if answer.code != 0 {
        // A killed git left a half of one, or its address is another now. Nobody has worked in them.
        remove(git, &admin)?;
        answer = update(git, held, &admin)?;
    }
    set(git, held, &admin.folder.join("config.worktree"), "submodule.active", ".")?;
    repositories(&admin)?.iter().try_for_each(|module| bind(git, held, &admin, module))?;
    if answer.code != 0 && MISSING.iter().any(|sign| answer.stderr.contains(sign)) {
        return Ok(Referred::Missing(answer.complaint()));
    }
    if answer.code != 0 {
        return Err(git.question(&admin.place(), "submodule").failed(answer.complaint()));
    }
    clean(git, held, &admin)?;
    Ok(Referred::There)
}

fn update(git: &Git, held: &Held, admin: &Admin) -> WorldResult<Answer> {
    let call = git.act(held, &admin.place(), "submodule").git_options(OPTIONS);
    call.args(["--quiet", "update", "--recursive", "--checkout", "--force"]).limit(git.remote_patience).answer()
}

/// Removes the submodules of a worktree with their repositories.
fn remove(git: &Git, admin: &Admin) -> WorldResult<()> {
    let answer = git.question(&admin.place(), "ls-files").args(["--stage", "-z"]).ok()?;
    // Each is `<mode> <object> <stage>`, a tab, and the path.
    let submodules = answer.fields().filter(|field| field.starts_with(SUBMODULE));
    for field in submodules {
        let path = field.split(|byte| *byte == b'\t').skip(1).collect::<Vec<_>>().join(&b'\t');
        let checkout = admin.path.join(path_from(&path));
        // Not through a link that a gate put there.
        if checkout.parent().is_some_and(|folder| real(folder) == folder) {
            RealDisk.remove(&checkout)?;
        }
    }
    RealDisk.remove(&admin.folder.join(MODULES))
}

/// Takes away what is in submodules beside what git holds or ignores.
fn clean(git: &Git, held: &Held, admin: &Admin) -> WorldResult<()> {
    let call = git.act(held, &admin.place(), "submodule").git_options(OPTIONS);
    call.args(["--quiet", "foreach", "--recursive", "git clean -ffd --quiet"]).ok().map(|_| ())
}

/// Gives a submodule's repository the worker's name, and an address for pushes that no git speaks.
fn bind(git: &Git, held: &Held, admin: &Admin, module: &Path) -> WorldResult<()> {
    let own = admin.folder.join("config.worktree");
    let identity = (get(git, &own, "user.name")?, get(git, &own, "user.email")?);
    let remote = get(git, &module.join("config"), "remote.origin.url")?;
    let text = format!("{}[submodule]\n\tactive = .\n", rules(&identity, &remote));
    RealDisk.write(&module.join(RULES), text.as_bytes())?;
    let call = git.act(held, &Place::Nowhere, "config").arg("--file").arg(module.join("config"));
    call.args(["--replace-all", "include.path", RULES, &format!("^{RULES}$")]).ok().map(|_| ())
}

fn get(git: &Git, file: &Path, key: &str) -> WorldResult<String> {
    let call = git.question(&Place::Nowhere, "config").arg("--file").arg(file).args(["--get", key]);
    Ok(call.expect(&[0, 1])?.line())
}

fn set(git: &Git, held: &Held, file: &Path, key: &str, value: &str) -> WorldResult<()> {
    let call = git.act(held, &Place::Nowhere, "config").arg("--file").arg(file);
    call.args(["--replace-all", key, value]).ok().map(|_| ())
}

/// The repositories of a worktree's submodules, nested ones after those that hold them.
fn repositories(admin: &Admin) -> WorldResult<Vec<PathBuf>> {
    let mut repositories = Vec::new();
    gather(&admin.folder.join(MODULES), &mut repositories, DEPTH_LIMIT)?;
    Ok(repositories)
}

/// A submodule's name may have slashes, so its repository may lie deeper.
fn gather(folder: &Path, into: &mut Vec<PathBuf>, depth: usize) -> WorldResult<()> {
    let Some(entries) = found(fs::read_dir(folder)).map_err(io_error("list", folder))?.filter(|_| depth > 0) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry.map_err(io_error("list", folder))?;
        let path = entry.path();
        if !entry.file_type().map_err(io_error("look at", &path))?.is_dir() {
            continue;
        }
        if path.join("HEAD").is_file() && path.join("config").is_file() {
            gather(&path.join(MODULES), into, depth - 1)?;
            into.push(path);
        } else {
            gather(&path, into, depth - 1)?;
        }
    }
    Ok(())
}

/// Makes the submodules of a worktree that was moved to `to` lead to where their repositories will be: in `kept/admin`
/// below it. Links that stayed would lead to those of the next worktree of the same name.
pub(super) fn move_along(git: &Git, held: &Held, admin: &Admin, to: &Path, kept: &Path) -> WorldResult<()> {
    let to = real(to);
    for module in repositories(admin)? {
        let Ok(inside) = module.strip_prefix(&admin.folder) else { continue };
        let worktree = get(git, &module.join("config"), "core.worktree")?;
        let worktree = plain(&module.join(path_from(worktree.as_bytes())));
        // One that was moved along already, or that somebody put elsewhere.
        let Ok(checkout) = worktree.strip_prefix(&admin.path) else { continue };
        let link = to.join(checkout).join(".git");
        let is_ours = link.parent().is_some_and(|folder| real(folder) == to.join(checkout));
        if !is_ours || !link.symlink_metadata().is_ok_and(|facts| facts.is_file()) {
            continue;
        }
        let repository = kept.join("admin").join(inside);
        let text = format!("gitdir: {}\n", up_from(checkout).join(&repository).display());
        RealDisk.write(&link, text.as_bytes())?;
        let back = up_from(&repository).join(checkout).display().to_string();
        set(git, held, &module.join("config"), "core.worktree", &back)?;
    }
    Ok(())
}

/// The way from a folder to the one that its relative path starts in.
fn up_from(path: &Path) -> PathBuf {
    path.components().map(|_| Component::ParentDir).collect()
}

/// A path without `..`, reckoned from its text alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_up_and_plain_paths_are_reckoned_from_the_text() {
        assert_eq!(up_from(Path::new("a/b")), Path::new("../.."));
        assert_eq!(plain(Path::new("/r/modules/x/../../../w/x")), Path::new("/w/x"));
    }
}
