//! What a remote would do with a push, as far as that can be known without one.

use std::path::{Path, PathBuf};

use gt_model::id::Sha;
use rustix::fs::{Access, access};

use super::Git;
use super::command::{Place, path_from, shown};
use super::refs::{BRANCHES, bare, branch_ref, object};
use super::remote::{refusal, with_remote_words};
use crate::{Held, NamedRemote, OnCheckedOut, Receiving, WorldResult};

/// Hooks of a receiving repository that can say no.
const JUDGES: &[&str] = &["pre-receive", "update", "reference-transaction", "proc-receive"];

/// The folder that an address leads to; `None` where that is on another machine, as far as git is concerned. Git looks
/// for the repository at the path itself and with `.git` behind it.
fn local(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("file://").unwrap_or(url);
    let candidates = [path.to_owned(), format!("{}.git", path.trim_end_matches('/'))];
    path.starts_with('/').then(|| candidates.into_iter().map(PathBuf::from).find(|path| path.is_dir())).flatten()
}

/// What the repository at an address would do with pushes; `None` where it is not on this machine.
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

/// The branches that are checked out in its worktrees, and where.
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

/// What a push must write to and this user may not.
fn unwritable(git_dir: &Path) -> Option<PathBuf> {
    let needed = ["objects", "refs", "refs/heads"].map(|name| git_dir.join(name));
    needed.into_iter().find(|folder| folder.is_dir() && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err())
}

fn hooks(git: &Git, place: &Place, git_dir: &Path) -> WorldResult<Vec<String>> {
    let answer = git.question(place, "config").args(["--type=path", "--get-all", "core.hooksPath"]).expect(&[0, 1])?;
    // What we call git with says where hooks are not; the receiving git is not ours.
    let folder = answer.lines().into_iter().rfind(|path| path != "/dev/null").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| git_dir.join("hooks"));
    let runs = |name: &&&str| access(folder.join(name), Access::EXEC_OK).is_ok();
    Ok(JUDGES.iter().filter(runs).map(|name| (*name).to_owned()).collect())
}

/// Asks the remote of a rig whether it would let us push, without pushing: it is told of nothing to change. What its hooks
/// and rules for branches say is heard only when something is. Answers with why not.
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

/// The remotes that a checkout names.
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
        // Of several addresses git fetches from the first.
        let into = if key == "url" { &mut remote.url } else { &mut remote.push_url };
        into.get_or_insert(value.to_owned());
    }
    let tracked = tracked(git, &place)?;
    for remote in &mut remotes {
        remote.is_tracked = tracked.as_ref() == Some(&remote.name);
    }
    Ok(remotes)
}

/// The remote that the branch follows which is checked out.
fn tracked(git: &Git, place: &Place) -> WorldResult<Option<String>> {
    let Some(branch) = super::worktree::branch(git, place)? else { return Ok(None) };
    let answer = git.question(place, "config").args(["--get", &format!("branch.{branch}.remote")]).expect(&[0, 1])?;
    Ok(Some(answer.line()).filter(|name| answer.code == 0 && name != "."))
}
