//! Brings a worker's branch up to the trunk without losing any of its work.

use std::path::Path;

use gt_ledger::Attempt;
use gt_model::id::Sha;
use gt_world::history::{self, Way};
use serde::Serialize;

use crate::effects;
use crate::town::error::{Error, Result};
use crate::town::identity;
use crate::town::{Caller, Rig, Town};
use crate::work::hook::{clean, own_branch, worktree};

/// Result of bringing a branch up to the trunk.
#[derive(Clone, Debug, Serialize)]
pub struct CaughtUp {
    /// Commit of the trunk.
    pub trunk: Sha,
    /// Method used; `None` if the branch already contained the trunk.
    pub way: Option<&'static str>,
}

/// Fetches and brings the caller's branch up to the trunk without losing work. It rebases, or merges if the branch has merge
/// commits, because a rebase drops changes made in them.
pub fn catch_up(town: &Town, caller: &Caller) -> Result<CaughtUp> {
    let attempt = town.ledger.read(|view| identity::hooked_attempt(view, caller))?;
    if caller.incarnation.is_none() {
        // This runs git with the worktree's settings and hooks, so only the worker's own processes may do it.
        let hint = format!("gt mail send {} -s \"…\"", attempt.address());
        return Err(Error::refused("only the worker itself brings its branch up to the trunk", hint));
    }
    let rig = town.rig(attempt.rig.as_str())?;
    refuse_unfinished(town, &rig, &attempt)?;
    let trunk = effects::fetch(town, caller, &rig)?;
    let (repo, bare, path) = (town.world().repo(), rig.layout.repo(), rig.layout.worktree(&attempt.worker));
    let head = worktree(town, &rig, &attempt)?.head;
    if repo.contains(&bare, &head, &trunk)? {
        update_submodules(town, &rig, &path)?;
        return Ok(CaughtUp { trunk, way: None });
    }
    let merged = repo.commits_of(&bare, &head, std::slice::from_ref(&trunk))?.iter().any(|commit| commit.parents > 1);
    let (way, word) = if merged { (Way::Merge, "merge") } else { (Way::Rebase, "rebase") };
    match repo.catch_up(&bare, &path, &trunk, way)? {
        history::CaughtUp::Done => {
            update_submodules(town, &rig, &path)?;
            Ok(CaughtUp { trunk, way: Some(word) })
        }
        history::CaughtUp::Conflict { files } => Err(conflict(&rig, word, &files)),
    }
}

/// Checks out the submodules' current commits. A sandbox has no login for submodules that need one; the gates do.
fn update_submodules(town: &Town, rig: &Rig, path: &Path) -> Result<()> {
    if !rig.settings.worktree.submodules {
        return Ok(());
    }
    match town.world().repo().update_submodules(path)? {
        None => Ok(()),
        Some(why) => Err(Error::refused(
            format!("your branch contains the trunk, but a submodule is not at its commit: {why}"),
            "git submodule update --init --recursive tries again. If it can't be fetched from here, work without it: \
             the gates check it out. Do not commit the submodule as it is here (git add <files>, not -A)",
        )),
    }
}

/// Maximum number of conflicting files that an error names.
const CONFLICTS_SHOWN: usize = 20;

fn conflict(rig: &Rig, word: &str, files: &[String]) -> Error {
    let shown: Vec<&str> = files.iter().take(CONFLICTS_SHOWN).map(String::as_str).collect();
    let what = format!("the {word} with {} stopped: both sides changed {}", rig.row.trunk, shown.join(", "));
    let go_on = if word == "merge" { "git commit --no-edit" } else { "git rebase --continue" };
    let hint = format!(
        "make each file say what both sides meant, git add it, then {go_on}, then gt catch-up again; git {word} \
         --abort undoes it"
    );
    Error::refused(what, hint)
}

/// Returns an error if something in the worktree is unfinished or uncommitted.
fn refuse_unfinished(town: &Town, rig: &Rig, attempt: &Attempt) -> Result<()> {
    let path = rig.layout.worktree(&attempt.worker);
    if let Some(word) = town.world().repo().under_way(&rig.layout.repo(), &path)? {
        let hint = format!("finish it (git add, then git {word} --continue), or git {word} --abort; then: gt catch-up");
        return Err(Error::refused(format!("a {word} is unfinished in your worktree"), hint));
    }
    let facts = worktree(town, rig, attempt)?;
    if let Some(what) = own_branch(attempt, &facts) {
        return Err(Error::refused(what, format!("git switch {}", attempt.branch)));
    }
    match clean(&facts) {
        Some(what) => Err(Error::refused(what, "commit what belongs to the work, remove the rest, then: gt catch-up")),
        None => Ok(()),
    }
}
