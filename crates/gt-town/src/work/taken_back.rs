//! Finds others' landed work that a worker's branch undoes. The cause can be a merge that keeps the worker's side of every file,
//! or a submodule whose old commit the worker adds again because its worktree was never updated.

use std::collections::BTreeSet;

use gt_ledger::Attempt;
use gt_model::id::Sha;
use gt_model::kept::SUBMODULE;

use crate::town::error::{Error, Result};
use crate::town::{Rig, Town};

/// Maximum number of paths changed by others that are examined.
const PATHS_LIMIT: usize = 5000;

/// Maximum number of the worker's own commits whose changes are examined.
const COMMITS_LIMIT: usize = 100;

/// Maximum number of paths that an error names.
const SHOWN: usize = 10;

/// Returns the paths that `head` has in their state at the attempt's start, although others have changed them in the trunk that
/// `head` contains. A path that one of the worker's own commits changes was undone on purpose and does not count. A submodule
/// always counts, because `git add -A` adds it unintentionally.
pub fn look(town: &Town, rig: &Rig, attempt: &Attempt, head: &Sha) -> Result<Vec<String>> {
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let refs = town.ledger.read(|view| view.remote_refs(rig.name()).map_err(Error::from))?;
    let (Some(base), Some(trunk)) = (&attempt.base, refs.get(&rig.row.trunk)) else { return Ok(Vec::new()) };
    let Some(fork) = repo.merge_bases(&path, head, trunk)?.into_iter().next() else { return Ok(Vec::new()) };
    if fork == *base || !repo.contains(&path, &fork, base)? {
        return Ok(Vec::new());
    }
    let paths: Vec<String> = repo.changed_paths(&path, base, &fork)?.into_keys().take(PATHS_LIMIT).collect();
    let [before, theirs, own] = [base, &fork, head].map(|commit| repo.entries(&path, commit, &paths));
    let (before, theirs, own) = (before?, theirs?, own?);
    let is_back = |at: &String| before.get(at) == own.get(at) && before.get(at) != theirs.get(at);
    let mut back: Vec<String> = paths.iter().filter(|at| is_back(at)).cloned().collect();
    if back.is_empty() {
        return Ok(back);
    }
    let is_submodule = |at: &String| theirs.get(at).is_some_and(|entry| entry.mode == SUBMODULE);
    let mut meant = BTreeSet::new();
    let commits = repo.commits_of(&path, head, &[base.clone(), fork])?;
    for commit in commits.iter().filter(|commit| commit.parents == 1).take(COMMITS_LIMIT) {
        let changes = repo.changes_of(&path, &commit.commit)?;
        meant.extend(changes.into_iter().flat_map(|change| [change.path, change.from]));
    }
    back.retain(|at| is_submodule(at) || !meant.contains(at));
    Ok(back)
}

/// Formats the paths in one line.
pub fn named(back: &[String]) -> String {
    let shown: Vec<String> = back.iter().take(SHOWN).map(|path| gt_model::foreign::one_line(path)).collect();
    let more = back.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// Builds the error for work that a branch undoes without an explanation.
pub fn refusal(back: &[String], trunk: &str) -> Error {
    let what = format!("the branch undoes changes that others landed on {trunk}: {}", named(back));
    let hint = format!(
        "restore them (git checkout origin/{trunk} -- <file>; for a submodule: git checkout origin/{trunk} -- \
         <folder>, git submodule update) and commit; or, if you undid them on purpose, say why: gt done --dropped \
         \"<why>\""
    );
    Error::refused(what, hint)
}
