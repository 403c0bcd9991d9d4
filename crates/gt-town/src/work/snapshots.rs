//! Lets people list, inspect and restore snapshots of worktrees.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gt_ledger::Attempt;
use gt_model::id::{BeadId, RigName, Sha};
use gt_world::{Change, SKIPPED_TRAILER, SnapshotFacts};
use jiff::Timestamp;
use serde::Serialize;

use crate::town::error::{Error, Result};
use crate::town::{Rig, Town};
use crate::work::beads;

/// Prefix of the snapshots' refs.
pub const SNAPSHOTS: &str = "refs/gt/snapshots/";

/// Maximum number of earlier snapshots shown for an attempt.
const EARLIER_LIMIT: usize = 20;

/// A snapshot's ref and commit.
#[derive(Clone, Debug)]
pub struct Found {
    /// Rig that contains it.
    pub rig: Rig,
    /// Full name of the ref.
    pub name: String,
    /// Commit of the snapshot.
    pub commit: Sha,
    /// Attempt that it belongs to. A snapshot from before the rig was removed and added again has none.
    pub attempt: Option<Attempt>,
}

/// A snapshot in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Rig that contains it.
    pub rig: RigName,
    /// Full name of the ref.
    pub name: String,
    /// The bead.
    pub bead: Option<BeadId>,
    /// Number of the attempt.
    pub attempt: Option<u32>,
    /// Address of the worker.
    pub worker: Option<String>,
    /// Commit of the snapshot.
    pub commit: Sha,
    /// Time of the snapshot.
    pub taken_at: Option<Timestamp>,
}

/// A snapshot with its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its entry in a list.
    #[serde(flatten)]
    pub listed: Listed,
    /// Commit that was checked out in the worktree.
    pub head: Sha,
    /// Trailers of its commit message, which describe the hook.
    pub trailers: Vec<(String, String)>,
    /// Paths that could not be included.
    pub skipped: Vec<String>,
    /// Uncommitted paths with the kind of change.
    pub changed: BTreeMap<String, Change>,
    /// Earlier snapshots of the same attempt, newest first.
    pub earlier: Vec<Sha>,
}

/// Returns all snapshots, or those of one bead, by rig and attempt.
pub fn list(town: &Town, bead: Option<&BeadId>) -> Result<Vec<Listed>> {
    let mut listed = Vec::new();
    for rig in town.rigs()? {
        for found in of_rig(town, &rig)? {
            if bead.is_none() || found.attempt.as_ref().map(|attempt| &attempt.bead) == bead {
                let facts = facts(town, &found)?;
                listed.push(in_list(&found, &facts));
            }
        }
    }
    Ok(listed)
}

fn of_rig(town: &Town, rig: &Rig) -> Result<Vec<Found>> {
    let refs = town.world().repo().refs(&rig.layout.repo())?;
    let attempts = town.ledger.read(|view| view.attempts_of_rig(rig.name()).map_err(Error::from))?;
    let here = attempts.into_iter().filter(|attempt| rig.row.was_there(attempt.opened_at));
    let mut by_name: BTreeMap<String, Attempt> = here.map(|attempt| (attempt.snapshot_ref(), attempt)).collect();
    let snapshots = refs.into_iter().filter(|(name, _)| name.starts_with(SNAPSHOTS));
    let found = snapshots.map(|(name, commit)| {
        let attempt = by_name.remove(&name);
        Found { rig: rig.clone(), name, commit, attempt }
    });
    let mut found: Vec<Found> = found.collect();
    found.sort_by_key(|found| found.attempt.as_ref().map(|attempt| attempt.id.0));
    Ok(found)
}

fn facts(town: &Town, found: &Found) -> Result<SnapshotFacts> {
    Ok(town.world().repo().snapshot_facts(&found.rig.layout.repo(), &found.commit)?)
}

fn in_list(found: &Found, facts: &SnapshotFacts) -> Listed {
    let attempt = found.attempt.as_ref();
    Listed {
        rig: found.rig.name().clone(),
        name: found.name.clone(),
        bead: attempt.map(|attempt| attempt.bead.clone()),
        attempt: attempt.map(|attempt| attempt.number),
        worker: attempt.map(|attempt| attempt.address().to_string()),
        commit: found.commit.clone(),
        taken_at: Timestamp::from_second(facts.taken_at).ok(),
    }
}

/// Finds the snapshot that a text names: a ref, the end of a ref (`<bead>-<attempt>`), or a bead, for its newest snapshot.
pub fn find(town: &Town, text: &str) -> Result<Found> {
    let mut all = Vec::new();
    for rig in town.rigs()? {
        all.extend(of_rig(town, &rig)?);
    }
    if let Some(at) =
        all.iter().position(|found| found.name == text || found.name.strip_prefix(SNAPSHOTS) == Some(text))
    {
        return Ok(all.swap_remove(at));
    }
    let bead = town.ledger.read(|view| beads::resolve(view, text))?;
    let newest = all.into_iter().filter(|found| found.attempt.as_ref().is_some_and(|a| a.bead == bead));
    newest.max_by_key(|found| found.attempt.as_ref().map(|attempt| attempt.number)).ok_or_else(|| {
        let hint = format!("gt snapshot list shows all snapshots; gt polecat show {bead} shows what else is left");
        Error::refused(format!("there is no snapshot of {bead}"), hint)
    })
}

/// Returns a snapshot with its content.
pub fn show(town: &Town, text: &str) -> Result<Shown> {
    let found = find(town, text)?;
    let facts = facts(town, &found)?;
    let (repo, path) = (town.world().repo(), found.rig.layout.repo());
    let (skipped, trailers): (Vec<_>, Vec<_>) =
        trailers(&facts.message).into_iter().partition(|(key, _)| key == SKIPPED_TRAILER);
    let mut earlier = Vec::new();
    let mut before = facts.before.clone();
    while let Some(commit) = before.take_if(|_| earlier.len() < EARLIER_LIMIT) {
        before = repo.snapshot_facts(&path, &commit)?.before;
        earlier.push(commit);
    }
    Ok(Shown {
        listed: in_list(&found, &facts),
        changed: repo.changed_paths(&path, &facts.head, &found.commit)?,
        head: facts.head,
        trailers,
        skipped: skipped.into_iter().map(|(_, path)| path).collect(),
        earlier,
    })
}

/// Returns the `Key: value` lines at the end of a message.
pub(crate) fn trailers(message: &str) -> Vec<(String, String)> {
    let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    let pairs = last.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect()
}

/// Returns the changes in a snapshot since its attempt began, or with `uncommitted` since the commit that was checked out.
pub fn diff(town: &Town, text: &str, uncommitted: bool, stat: bool) -> Result<String> {
    let found = find(town, text)?;
    let base = found.attempt.as_ref().and_then(|attempt| attempt.base.clone()).filter(|_| !uncommitted);
    let from = match base {
        Some(base) => base,
        None => facts(town, &found)?.head,
    };
    Ok(town.world().repo().diff_text(&found.rig.layout.repo(), &from, &found.commit, stat)?)
}

/// Writes a snapshot's files into a new folder outside the town.
pub fn restore(town: &Town, text: &str, to: &Path) -> Result<(Found, PathBuf)> {
    let found = find(town, text)?;
    if to.starts_with(&town.layout.root) {
        let hint = "choose a new folder outside of it; gt polecat recover gives the work to a new worker";
        return Err(Error::refused(format!("{} is inside of the town", to.display()), hint));
    }
    if town.world().disk().exists(to) {
        let hint = "choose a folder that does not exist yet";
        return Err(Error::refused(format!("{} already exists", to.display()), hint));
    }
    let held = town.lock(&found.rig.repo_lane())?;
    town.world().repo().export_tree(&held, &found.rig.layout.repo(), &found.commit, to)?;
    Ok((found, to.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_are_the_last_paragraph() {
        fn check(message: &str, expected: &[(&str, &str)]) {
            let expected: Vec<_> = expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            assert_eq!(trailers(message), expected, "{message:?}");
        }
        check("Snapshot of x: y\n\nBead: a-1\nStep: \n", &[("Bead", "a-1"), ("Step", "")]);
        check("Snapshot\n\nA: 1\n\nBead: a\nSkipped: deep/a: b\n\n", &[("Bead", "a"), ("Skipped", "deep/a: b")]);
        check("Snapshot", &[]);
    }
}
