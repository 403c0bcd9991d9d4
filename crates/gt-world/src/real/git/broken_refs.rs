//! Refs that name no object: an empty file after a crash, or a file below `refs` that an agent wrote. One of them makes each
//! fetch fail, since git lists the commits of all refs.
//!
//! The town sets such a ref aside: it keeps the ref's file, whatever its content, and puts the branch back to the last commit in
//! the branch's own log. It leaves its own pinning refs where they are: a person must see those.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use gt_model::id::Sha;

use super::Git;
use super::command::Answer;
use super::refs::{AT_ONCE, REMOTE_BRANCHES, bare, object, ref_name};
use crate::real::disk::{RealDisk, rename_to_free};
use crate::{Damage, Disk as _, Held, WorldResult};

/// Folder of the control folder for the files of refs that were set aside. A folder in it holds those that were already reported.
pub(super) const ASIDE: &str = "gt-control/broken-refs";
const TOLD: &str = "told";

/// Git's messages about a ref that names no object. The town itself looks up which ref it is and whether the message is true.
const COMPLAINTS: &[&str] =
    &["bad object", "missing object", "broken ref", "unable to resolve reference", "does not point to a valid object"];

/// Refs that only the town writes; the second list names those below them that an agent writes too.
const TOWNS: &[&str] = &[REMOTE_BRANCHES, "refs/gt/", "refs/tags/"];
const AGENTS: &str = "refs/gt/stash/";

/// Limits on the part of a ref's log that is searched for a commit to go back to: bytes, and lines.
const LOG_BYTES: usize = 64 * 1024;
const LOG_LINES: usize = 100;

/// Whether git failed because of a ref that names no object.
pub(super) fn are_in_the_way(answer: &Answer) -> bool {
    answer.code != 0 && COMPLAINTS.iter().any(|complaint| answer.stderr.contains(complaint))
}

/// Returns the refs that name no object and that agents may write.
pub(super) fn find(git: &Git, repo: &Path) -> WorldResult<Vec<String>> {
    let format = "--format=%(objectname) %(refname)";
    let answer = git.question(&bare(repo), "for-each-ref").arg(format).ok()?;
    let unreadable = answer.stderr.lines().filter_map(|line| line.strip_prefix("warning: ignoring broken ref "));
    let mut broken: Vec<String> = unreadable.map(str::to_owned).collect();
    let lines = answer.lines();
    let refs: Vec<_> = lines.iter().filter_map(|line| line.split_once(' ')).collect();
    let there = commits_there(git, repo, &refs.iter().map(|(id, _)| *id).collect::<Vec<_>>())?;
    for (id, name) in refs.iter().filter(|(id, _)| !there.contains(*id)) {
        if !is_there(git, repo, id)? {
            broken.push((*name).to_owned());
        }
    }
    // If no object is found at all, the refs are not what is broken.
    if there.is_empty() {
        broken.clear();
    }
    broken.retain(|name| is_agents(name) && repo.join(name).symlink_metadata().is_ok());
    Ok(broken)
}

fn is_agents(name: &str) -> bool {
    let is_towns = TOWNS.iter().any(|folder| name.starts_with(folder)) && !name.starts_with(AGENTS);
    ref_name(name).is_ok() && !is_towns
}

/// Returns those ids that are existing commits. Other objects are checked one by one, since refs seldom name them.
fn commits_there(git: &Git, repo: &Path, ids: &[&str]) -> WorldResult<BTreeSet<String>> {
    let mut there = BTreeSet::new();
    for ids in ids.chunks(AT_ONCE) {
        let call = git.question(&bare(repo), "rev-list").args(["--no-walk", "--ignore-missing"]);
        there.extend(call.args(ids).arg("--").ok()?.lines());
    }
    Ok(there)
}

fn is_there(git: &Git, repo: &Path, name: &str) -> WorldResult<bool> {
    Ok(git.question(&bare(repo), "cat-file").args(["-e", name]).answer()?.code == 0)
}

/// Sets aside all refs that name no object. Returns whether there were any.
pub(super) fn set_aside(git: &Git, held: &Held, repo: &Path) -> WorldResult<bool> {
    let broken = find(git, repo)?;
    for name in &broken {
        put_aside(repo, name)?;
        if let Some(last) = last_known(git, repo, name)? {
            git.act(held, &bare(repo), "update-ref").args(["--no-deref", name, last.as_str()]).ok()?;
        }
    }
    Ok(!broken.is_empty())
}

fn put_aside(repo: &Path, name: &str) -> WorldResult<()> {
    let folder = repo.join(ASIDE);
    RealDisk.create_dir(&folder)?;
    rename_to_free(&repo.join(name), &free(&folder, &name.replace('/', "+")))
}

fn free(folder: &Path, name: &str) -> PathBuf {
    let taken = |path: &PathBuf| RealDisk.exists(path) || RealDisk.exists(&folder.join(TOLD).join(name));
    let numbered = (1..).map(|number| folder.join(format!("{name}+{number}")));
    std::iter::once(folder.join(name)).chain(numbered).find(|path| !taken(path)).unwrap_or_default()
}

/// Returns the last existing commit in a ref's own log.
fn last_known(git: &Git, repo: &Path, name: &str) -> WorldResult<Option<Sha>> {
    let log = repo.join("logs").join(name);
    let Ok(facts) = log.symlink_metadata() else { return Ok(None) };
    let start = facts.len().saturating_sub(LOG_BYTES as u64);
    let Some(bytes) = RealDisk.read_part(&log, start, LOG_BYTES)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    // Each line has the old value, the new one, and the actor with a reason.
    let after = text.lines().rev().take(LOG_LINES).filter_map(|line| line.split(' ').nth(1)).map(Sha::from);
    for sha in after.filter(|sha| object(sha).is_ok()) {
        if is_there(git, repo, &format!("{sha}^{{commit}}"))? {
            return Ok(Some(sha));
        }
    }
    Ok(None)
}

/// Returns the refs that were set aside and not reported yet.
pub(super) fn untold(repo: &Path) -> Vec<Damage> {
    let names = files(&repo.join(ASIDE)).into_iter();
    names.map(|name| damage(&name.replace('+', "/"), &format!("kept as {ASIDE}/{name}"))).collect()
}

/// Returns the broken refs that are not set aside.
pub(super) fn unmended(git: &Git, repo: &Path) -> WorldResult<Vec<Damage>> {
    Ok(find(git, repo)?.iter().map(|name| damage(name, "it stops fetches")).collect())
}

fn damage(what: &str, more: &str) -> Damage {
    Damage { what: what.to_owned(), found: format!("names an object that does not exist; {more}") }
}

/// Records that all refs that were set aside have been reported.
pub(super) fn tell(repo: &Path) -> WorldResult<()> {
    let folder = repo.join(ASIDE);
    for name in files(&folder) {
        RealDisk.create_dir(&folder.join(TOLD))?;
        rename_to_free(&folder.join(&name), &folder.join(TOLD).join(&name))?;
    }
    Ok(())
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()));
    let mut names: Vec<String> =
        files.map(|e| String::from_utf8_lossy(e.file_name().as_bytes()).into_owned()).collect();
    names.sort();
    names
}
