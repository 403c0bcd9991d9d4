//! Lists polecats (workers), present and past: what they did, what remains of it, and how to recover it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gt_ledger::{Attempt, AttemptOutcome, Incarnation, View};
use gt_model::bead::{Bead, Status};
use gt_model::id::{BeadId, RigName, Sha};
use jiff::Timestamp;
use serde::Serialize;

use crate::admission::usage::{self, Cost};
use crate::patrol::witness::{self, Explained};
use crate::town::error::{Error, Result};
use crate::town::person;
use crate::town::{Caller, Rig, Town};
use crate::view::doing::{self, WorkerDoing};
use crate::work::beads;
use crate::work::sling::{self, Before, Crew, SlingOptions, Slung};

/// A polecat (worker): one attempt on one bead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Polecat {
    /// Its address.
    pub worker: String,
    /// The rig.
    pub rig: RigName,
    /// The bead.
    pub bead: BeadId,
    /// Number of the attempt.
    pub attempt: u32,
    /// Its current activity, while it is present.
    pub doing: Option<WorkerDoing>,
    /// Outcome, once it has ended.
    pub outcome: Option<AttemptOutcome>,
    /// Short name of its branch.
    pub branch: String,
    /// Commit of its branch, while the branch exists.
    pub branch_at: Option<Sha>,
    /// Start of the attempt.
    pub opened_at: Timestamp,
    /// End of the attempt.
    pub ended_at: Option<Timestamp>,
    /// Path of its worktree in the archive, while it exists.
    pub archive: Option<PathBuf>,
    /// Ref of its snapshot, while it exists.
    pub snapshot: Option<String>,
}

/// A polecat with its sessions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolecatDetail {
    /// The polecat.
    #[serde(flatten)]
    pub polecat: Polecat,
    /// Its sessions, first to last.
    pub incarnations: Vec<Incarnation>,
    /// Current verdict of the witness with its reasons, while work is on the polecat's hook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub witness: Option<Explained>,
    /// Usage and cost of the attempt so far.
    pub cost: Cost,
}

/// Refs of a rig, by full name.
type Refs = BTreeMap<String, Sha>;

/// Returns the present polecats, and past ones too if `all`.
pub fn list(town: &Town, all: bool) -> Result<Vec<Polecat>> {
    let attempts = town.ledger.read(|view| view.attempts().map_err(Error::from))?;
    described(town, attempts.into_iter().filter(|attempt| all || is_there(attempt)).collect())
}

fn is_there(attempt: &Attempt) -> bool {
    attempt.ended_at.is_none() || attempt.archived_at.is_none()
}

fn described(town: &Town, attempts: Vec<Attempt>) -> Result<Vec<Polecat>> {
    let mut rigs: BTreeMap<RigName, (Rig, Refs)> = BTreeMap::new();
    for rig in town.rigs()? {
        let refs = town.world().repo().refs(&rig.layout.repo())?;
        rigs.insert(rig.name().clone(), (rig, refs));
    }
    let describe = |view: &View<'_>, attempt: Attempt| {
        let here = rigs.get(&attempt.rig).filter(|(rig, _)| rig.row.was_there(attempt.opened_at));
        polecat(town, view, attempt, here)
    };
    town.ledger.read(|view| attempts.into_iter().map(|attempt| describe(view, attempt)).collect())
}

fn polecat(town: &Town, view: &View<'_>, attempt: Attempt, here: Option<&(Rig, Refs)>) -> Result<Polecat> {
    let doing = if is_there(&attempt) { Some(doing::doing(town, view, &attempt)?) } else { None };
    let (mut branch_at, mut archive, mut snapshot) = (None, None, None);
    if let Some((rig, refs)) = here {
        branch_at = refs.get(&format!("refs/heads/{}", attempt.branch)).cloned();
        archive = Some(rig.layout.archived(&attempt)).filter(|path| town.world().disk().exists(path));
        snapshot = Some(attempt.snapshot_ref()).filter(|name| refs.contains_key(name));
    }
    Ok(Polecat {
        worker: attempt.address().to_string(),
        bead: attempt.bead,
        attempt: attempt.number,
        rig: attempt.rig,
        doing,
        outcome: attempt.outcome,
        branch: attempt.branch,
        branch_at,
        opened_at: attempt.opened_at,
        ended_at: attempt.ended_at,
        archive,
        snapshot,
    })
}

/// Returns the attempts that a text names, oldest first: by the worker's address (`<rig>/polecats/<name>` or `<rig>/<name>`) or
/// by the bead.
fn named(town: &Town, text: &str) -> Result<Vec<Attempt>> {
    let worker = match text.split('/').collect::<Vec<_>>().as_slice() {
        [rig, "polecats", name] | [rig, name] => Some((rig.to_lowercase(), (*name).to_owned())),
        _ => None,
    };
    let attempts = town.ledger.read(|view| match &worker {
        Some((rig, name)) => {
            let is_named = |a: &Attempt| a.rig.as_str().to_lowercase() == *rig && a.worker == *name;
            Ok::<_, Error>(view.attempts()?.into_iter().filter(is_named).collect::<Vec<_>>())
        }
        None => Ok(view.attempts_on(&beads::resolve(view, text)?)?),
    })?;
    if attempts.is_empty() {
        return Err(Error::Unknown { what: "polecat", name: text.to_owned() });
    }
    Ok(attempts)
}

/// Returns every polecat that a text names, oldest first.
pub fn show(town: &Town, text: &str) -> Result<Vec<PolecatDetail>> {
    let attempts = named(town, text)?;
    let polecats = described(town, attempts.clone())?;
    let detail = |(attempt, polecat): (&Attempt, Polecat)| {
        let witness = attempt.is_hooked().then(|| witness::explain(town, attempt)).transpose()?;
        let incarnations = town.ledger.read(|view| view.incarnations_of(attempt.id).map_err(Error::from))?;
        let cost = town.ledger.read(|view| usage::of_attempt(town, view, attempt.id))?;
        Ok(PolecatDetail { polecat, incarnations, witness, cost })
    };
    attempts.iter().zip(polecats).map(detail).collect()
}

/// Ends a live polecat for good, for a person. Its bead is free again; a snapshot and the archive keep its work. Returns its
/// attempt.
pub fn nuke(town: &Town, caller: &Caller, text: &str, dry_run: bool) -> Result<Attempt> {
    person::require(caller, "takes a worker down")?;
    let attempt = named(town, text)?.into_iter().rev().find(|attempt| attempt.ended_at.is_none());
    let attempt = attempt.ok_or_else(|| {
        Error::refused(format!("{text} has already ended"), format!("gt polecat show {text} shows what is left of it"))
    })?;
    if attempt.submitted_at.is_some() {
        let what = format!("{} has submitted its work, which is in the merge queue", attempt.address());
        return Err(Error::refused(what, format!("gt why {}", attempt.bead)));
    }
    if dry_run { Ok(attempt) } else { sling::unsling(town, caller, &attempt.bead) }
}

/// Result of a recovery.
#[derive(Clone, Debug, Serialize)]
pub struct Recovered {
    /// The new attempt.
    #[serde(flatten)]
    pub slung: Slung,
    /// Number of the attempt whose work it continues.
    pub from: u32,
    /// Commit that it starts at.
    pub head: Sha,
    /// Whether its worktree has the uncommitted files again.
    pub uncommitted: bool,
}

/// Gives a bead's last work to a new polecat. Its branch starts at the commit that the old worktree was at. Changes that were
/// uncommitted are in the new worktree, still uncommitted.
pub fn recover(town: &Town, caller: &Caller, bead: &BeadId, agent: Option<String>) -> Result<Recovered> {
    let attempts = town.ledger.read(|view| view.attempts_on(bead).map_err(Error::from))?;
    let newest = attempts.last().ok_or_else(|| {
        Error::refused(format!("no worker has worked on {bead} yet"), format!("gt sling {bead} <rig>"))
    })?;
    if newest.ended_at.is_some() && newest.archived_at.is_none() {
        let what = format!("the worktree of {} is still being removed", newest.address());
        return Err(Error::refused(what, "try again in a moment; gt status says whether the town is up"));
    }
    let rig = town.rig(newest.rig.as_str())?;
    let (from, work) = last_work(town, &rig, &attempts)?.ok_or_else(|| {
        Error::refused(format!("no work on {bead} is left"), format!("gt sling {bead} <rig> starts over"))
    })?;
    let (head, uncommitted, from) = (work.head.clone(), work.snapshot.is_some(), from.number);
    let before = Before { head: Some(work.head), why: work.why, restores: work.snapshot };
    let crew = Crew::of(town, &rig, agent.as_deref(), Some(&newest.formula))?;
    let options = SlingOptions { agent, before: Some(before), ..SlingOptions::default() };
    let slung = town.ledger.write(&caller.name(), "polecat recover", |tx| {
        // This resumes a bead that its worker had deferred.
        if let Some(parked) = tx.bead(bead)?
            && parked.status == Status::Deferred
            && tx.attempts_on(bead)?.last().is_some_and(|a| a.outcome == Some(AttemptOutcome::Parked))
        {
            tx.change_bead("bead-updated", &parked, &Bead { status: Status::Open, ..parked.clone() })?;
        }
        sling::sling_in(tx, caller, &crew, std::slice::from_ref(bead), &options)
    })?;
    town.wake();
    Ok(Recovered { slung, from, head, uncommitted })
}

/// Data that an attempt left behind.
struct Work {
    head: Sha,
    /// The snapshot, if it contains more than the head.
    snapshot: Option<Sha>,
    why: String,
}

/// Returns the work of the newest attempt that left any.
fn last_work<'a>(town: &Town, rig: &Rig, attempts: &'a [Attempt]) -> Result<Option<(&'a Attempt, Work)>> {
    let refs = town.world().repo().refs(&rig.layout.repo())?;
    let here = |attempt: &&Attempt| &attempt.rig == rig.name() && rig.row.was_there(attempt.opened_at);
    for attempt in attempts.iter().rev().filter(here) {
        if let Some((head, snapshot)) = left_by(town, rig, attempt, &refs)? {
            let why = why_text(attempt, &head, snapshot.is_some());
            return Ok(Some((attempt, Work { head, snapshot, why })));
        }
    }
    Ok(None)
}

fn left_by(town: &Town, rig: &Rig, attempt: &Attempt, refs: &Refs) -> Result<Option<(Sha, Option<Sha>)>> {
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    if let Some(snapshot) = refs.get(&attempt.snapshot_ref()) {
        let head = repo.snapshot_facts(&path, snapshot)?.head;
        let more = repo.tree_of(&path, snapshot)? != repo.tree_of(&path, &head)?;
        return Ok(Some((head, more.then(|| snapshot.clone()))));
    }
    if let Some(head) = refs.get(&format!("refs/heads/{}", attempt.branch)) {
        return Ok(Some((head.clone(), None)));
    }
    // A submitted head is not pinned forever and may be gone.
    let submitted = attempt.head.clone().filter(|head| repo.tree_of(&path, head).is_ok());
    Ok(submitted.map(|head| (head, None)))
}

fn why_text(attempt: &Attempt, head: &Sha, uncommitted: bool) -> String {
    let outcome = attempt.outcome.map_or("over", AttemptOutcome::as_str);
    let mut text = format!(
        "{} (attempt {}) was {outcome}; you continue from its last commit {}",
        attempt.address(),
        attempt.number,
        head.short()
    );
    if uncommitted {
        text.push_str(
            "; its uncommitted changes are in your worktree: look at them first (git status, git diff), commit what \
             belongs to the work and remove the rest",
        );
    }
    text
}
