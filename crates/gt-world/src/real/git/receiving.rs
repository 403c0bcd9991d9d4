//! Predicts how a remote would treat a push, as far as that is possible without pushing.

use std::path::{Path, PathBuf};

use gt_model::id::Sha;
use rustix::fs::{Access, access};

use super::Git;
use super::command::{Place, path_from, shown};
use super::refs::{BRANCHES, bare, branch_ref, object};
use super::remote::{refusal, with_remote_words};
use crate::{Held, NamedRemote, OnCheckedOut, Receiving, WorldResult};

/// Hooks of a receiving repository that can refuse a push.
const JUDGES: &[&str] = &["pre-receive", "update", "reference-transaction", "proc-receive"];

/// Returns the folder to which an address leads; `None` if git would ask another machine. Git looks for the repository at the
/// path itself and at the path with `.git` appended.
fn local(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("file://").unwrap_or(url);
    let candidates = [path.to_owned(), format!("{}.git", path.trim_end_matches('/'))];
    path.starts_with('/').then(|| candidates.into_iter().map(PathBuf::from).find(|path| path.is_dir())).flatten()
}

/// Returns how the repository at an address would treat pushes; `None` if it is not on this machine.
pub(super) fn facts(git: &Git, url: &str) -> WorldResult<Option<Receiving>> {
    let Some(folder) = local(url) else { return Ok(None) };
    let place = Place::Folder(folder.clone());
    let git_dir = git.question(&place, "rev-parse").args(["--path-format=absolute", "--git-common-dir"]).ok()?;
    let git_dir = path_from(git_dir.stdout.strip_suffix(b"\n").unwrap_or(&git_dir.stdout));
    let denied = git.question(&place, "config").args(["--get", "receive.denyCurrentBranch"]).expect(&[0, 1])?.line();
    let is_shallow = git.question(&place, "rev-parse").arg("--is-shallow-repository").ok()?.line() == "true";
    Ok(Some(Receiving {
        checked_out: checked_out(git, &place)?,
        on_checked_out: on_checked_out(&denied),
        unwritable: unwritable(&git_dir),
        hooks: hooks(git, &place, &git_dir)?,
        is_shallow,
        folder,
    }))
}

/// Returns the branches that are checked out in its worktrees, each with the path.
fn checked_out(git: &Git, place: &Place) -> WorldResult<Vec<(String, PathBuf)>> {
    let answer = git.question(place, "worktree").args(["list", "--porcelain", "-z"]).ok()?;
    let (mut found, mut path) = (Vec::new(), PathBuf::new());
    for field in answer.fields() {
        if let Some(folder) = field.strip_prefix(b"worktree ") {
            path = path_from(folder);
        } else if let Some(branch) = shown(field).strip_prefix("branch ").and_then(|name| name.strip_prefix(BRANCHES)) {
            found.push((branch.to_owned(), path.clone()));
        }
    }
    Ok(found)
}

fn on_checked_out(setting: &str) -> OnCheckedOut {
    match setting.to_ascii_lowercase().as_str() {
        "updateinstead" => OnCheckedOut::Updates,
        "ignore" | "warn" | "false" | "no" | "off" | "0" => OnCheckedOut::Ignores,
        _ => OnCheckedOut::Refuses,
    }
}

/// Returns a path that a push must write and this user may not.
fn unwritable(git_dir: &Path) -> Option<PathBuf> {
    let needed = ["objects", "refs", "refs/heads"].map(|name| git_dir.join(name));
    needed.into_iter().find(|folder| folder.is_dir() && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err())
}

fn hooks(git: &Git, place: &Place, git_dir: &Path) -> WorldResult<Vec<String>> {
    let answer = git.question(place, "config").args(["--type=path", "--get-all", "core.hooksPath"]).expect(&[0, 1])?;
    // `/dev/null` is the setting of our own calls of git. The receiving git does not have it.
    let folder = answer.lines().into_iter().rfind(|path| path != "/dev/null").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| git_dir.join("hooks"));
    let runs = |name: &&&str| access(folder.join(name), Access::EXEC_OK).is_ok();
    Ok(JUDGES.iter().filter(runs).map(|name| (*name).to_owned()).collect())
}

/// Asks the remote of a rig whether it would accept a push, without changing anything there. The remote's hooks and branch rules
/// only judge real changes, so they stay silent. Returns the reason if the remote would refuse.
pub(super) fn try_push(git: &Git, held: &Held, repo: &Path, branch: &str, at: &Sha) -> WorldResult<Option<String>> {
    let refspec = format!("{}:{}", object(at)?, branch_ref(branch)?);
    let call = git.act(held, &bare(repo), "push");
    let call = call.args(["--dry-run", "--no-verify", "--porcelain", "--end-of-options", "origin", &refspec]);
    let answer = call.limit(git.remote_patience).answer()?;
    if answer.code == 0 {
        return Ok(None);
    }
    Ok(Some(match refusal(&answer) {
        Some(reason) => with_remote_words(&reason, &answer.stderr),
        None => answer.complaint(),
    }))
}

/// Returns the remotes that a checkout names.
pub(super) fn remotes(git: &Git, folder: &Path) -> WorldResult<Vec<NamedRemote>> {
    let place = Place::Folder(folder.to_owned());
    let call = git.question(&place, "config").args(["-z", "--get-regexp", r"^remote\..*\.(url|pushurl)$"]);
    let mut remotes: Vec<NamedRemote> = Vec::new();
    for field in call.expect(&[0, 1])?.fields().map(shown) {
        let Some((key, value)) = field.split_once('\n') else { continue };
        let Some((name, key)) = key.strip_prefix("remote.").and_then(|rest| rest.rsplit_once('.')) else { continue };
        if !remotes.iter().any(|remote| remote.name == name) {
            remotes.push(NamedRemote { name: name.to_owned(), ..NamedRemote::default() });
        }
        let Some(remote) = remotes.iter_mut().find(|remote| remote.name == name) else { continue };
        // If there are several addresses, git fetches from the first.
        let into = if key == "url" { &mut remote.url } else { &mut remote.push_url };
        into.get_or_insert(value.to_owned());
    }
    let tracked = tracked(git, &place)?;
    for remote in &mut remotes {
        remote.is_tracked = tracked.as_ref() == Some(&remote.name);
    }
    Ok(remotes)
}

/// Returns the remote that the checked-out branch follows.
fn tracked(git: &Git, place: &Place) -> WorldResult<Option<String>> {
    let Some(branch) = super::worktree::branch(git, place)? else { return Ok(None) };
    let answer = git.question(place, "config").args(["--get", &format!("branch.{branch}.remote")]).expect(&[0, 1])?;
    Ok(Some(answer.line()).filter(|name| answer.code == 0 && name != "."))
}
