//! The hook: what an agent must run now, and its way through the molecule's steps.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_ledger::{Attempt, MoleculeStep, Task, View};
use gt_model::formula::Acceptance;
use gt_model::id::Sha;
use gt_world::{RunEnd, WorktreeFacts};

use crate::rigs::gates;
use crate::town::error::{Error, Result};
use crate::town::identity;
use crate::town::{Caller, Rig, Town};
use crate::walls::contained::{self, Job};
use crate::work::causes;
use crate::work::decided;
use crate::work::own_work;
use crate::work::worker_gates;

/// How long one acceptance command may take.
const ACCEPTANCE_TIMEOUT: Duration = Duration::from_mins(30);

/// What is on an agent's hook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// What is to be done.
    pub bead: Task,
    /// The attempt.
    pub attempt: Attempt,
    /// Which incarnation runs it now.
    pub incarnation: u32,
    /// The step that it stands at; `None` when all are done.
    pub step: Option<MoleculeStep>,
    /// How many steps there are.
    pub steps: usize,
    /// Its worktree.
    pub worktree: PathBuf,
    /// The rig's trunk, as a ref that the worktree can name.
    pub trunk_ref: String,
}

/// What is on the caller's hook; `None` when it is empty.
pub fn hook(town: &Town, caller: &Caller) -> Result<Option<Hook>> {
    let Some(attempt) = hooked(town, caller)? else { return Ok(None) };
    let rig = town.rig(attempt.rig.as_str())?;
    town.ledger.read(|view| {
        let bead = view.task(&attempt.bead)?.ok_or_else(|| Error::UnknownBead(attempt.bead.0.clone()))?;
        let incarnation = view.incarnations_of(attempt.id)?.last().map_or(0, |i| i.number);
        let steps = view.steps(attempt.id)?;
        Ok(Some(Hook {
            bead,
            incarnation,
            step: current(&steps).cloned(),
            steps: steps.len(),
            worktree: rig.layout.worktree(&attempt.worker),
            trunk_ref: rig.trunk_ref(),
            attempt,
        }))
    })
}

fn hooked(town: &Town, caller: &Caller) -> Result<Option<Attempt>> {
    match town.ledger.read(|view| identity::hooked_attempt(view, caller)) {
        Ok(attempt) => Ok(Some(attempt)),
        Err(Error::Refused { .. }) if caller.incarnation.is_some() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The first step that is not done and whose needs are.
pub fn current(steps: &[MoleculeStep]) -> Option<&MoleculeStep> {
    steps.iter().find(|step| step.done_at.is_none())
}

/// What is to be done next, in words, and the command that says that it is done.
pub(crate) fn next_words(steps: &[MoleculeStep]) -> (String, String) {
    match current(steps) {
        Some(step) if step.position as usize + 1 < steps.len() => {
            let at = format!("step {} of {} {}", step.position + 1, steps.len(), step.step.id);
            (at, format!("gt step done {}", step.step.id))
        }
        Some(step) => (format!("the last step, {}", step.step.id), "gt done".to_owned()),
        None => ("every step is done".to_owned(), "gt done".to_owned()),
    }
}

/// What an attempt's work waits for now, where something holds its bead back.
pub fn waits_for(view: &View<'_>, now: jiff::Timestamp, attempt: &Attempt) -> Result<Option<String>> {
    if !view.is_held(now, &attempt.bead)? {
        return Ok(None);
    }
    let blockers: Vec<String> = view.blockers(&attempt.bead)?.into_iter().map(|b| b.id.0).collect();
    Ok(Some(if blockers.is_empty() { "its bead's parent".to_owned() } else { blockers.join(", ") }))
}

/// How the incarnation before ended, in words.
pub(crate) fn last_end(view: &View<'_>, attempt: &Attempt) -> Result<Option<String>> {
    let ended = view.incarnations_of(attempt.id)?.into_iter().rev().find(|i| i.ended_at.is_some());
    Ok(ended.and_then(|ended| ended.cause.or(ended.exit.map(|exit| exit.reason))))
}

/// What closing a step led to.
#[derive(Clone, Debug)]
pub struct StepDone {
    /// The step that was closed.
    pub closed: MoleculeStep,
    /// The next one, if there is one.
    pub next: Option<MoleculeStep>,
    /// How many there are.
    pub of: usize,
}

/// Closes a step (the current one, where none is named) if its needs are done and its checks pass.
pub fn step_done(town: &Town, caller: &Caller, step: Option<&str>, note: Option<&str>) -> Result<StepDone> {
    let (attempt, steps) = town.ledger.read(|view| {
        let attempt = identity::hooked_attempt(view, caller)?;
        let steps = view.steps(attempt.id)?;
        Ok::<_, Error>((attempt, steps))
    })?;
    let logs = logs_of(town, caller, &attempt)?;
    let chosen = causes::noting_refusal(town, caller, choose(&steps, step))?;
    causes::noting_refusal(town, caller, check_acceptance(town, &logs, &attempt, chosen))?;
    let place = place(town, &attempt)?;
    let done = town.ledger.write(&caller.name(), "step done", |tx| {
        // Asked again: the checks may have taken minutes.
        let attempt = identity::hooked_attempt(tx, caller)?;
        if tx.close_step(&attempt, &chosen.step.id, note)? {
            if let Some((head, trunk)) = &place {
                tx.set_step_place(attempt.id, &chosen.step.id, head, trunk.as_ref())?;
            }
            decided::decide_snapshot(tx, &attempt)?;
        }
        let steps = tx.steps(attempt.id)?;
        Ok::<_, Error>(StepDone { closed: chosen.clone(), next: current(&steps).cloned(), of: steps.len() })
    })?;
    causes::forget_refusal(town, caller);
    town.wake();
    Ok(done)
}

/// Where an attempt's worktree is, as its git wrote it down, and where the trunk is known to be. No process is needed.
fn place(town: &Town, attempt: &Attempt) -> Result<Option<(Sha, Option<Sha>)>> {
    let rig = town.rig(attempt.rig.as_str())?;
    let path = rig.layout.worktree(&attempt.worker);
    let head = town.world().repo().own_position(&rig.layout.repo(), &path, &attempt.branch)?;
    let mut refs = town.ledger.read(|view| view.remote_refs(rig.name()).map_err(Error::from))?;
    Ok(head.map(|head| (head, refs.remove(&rig.row.trunk))))
}

fn choose<'a>(steps: &'a [MoleculeStep], id: Option<&str>) -> Result<&'a MoleculeStep> {
    let is_done = |id: &str| steps.iter().any(|s| s.step.id == id && s.done_at.is_some());
    let chosen = match id {
        None => current(steps).ok_or_else(|| Error::refused("every step is done", "gt done submits your work"))?,
        Some(id) => steps.iter().find(|s| s.step.id == id).ok_or_else(|| Error::Unknown {
            what: "step",
            name: format!(
                "{id}; there are {}",
                steps.iter().map(|s| s.step.id.as_str()).collect::<Vec<_>>().join(", ")
            ),
        })?,
    };
    let open: Vec<&str> = chosen.step.needs.iter().map(String::as_str).filter(|need| !is_done(need)).collect();
    if open.is_empty() {
        return Ok(chosen);
    }
    let what = format!("step {} comes after {}", chosen.step.id, open.join(", "));
    Err(Error::refused(what, format!("gt step done {}", open[0])))
}

/// Where the output of what the caller has run goes: into its own session's folder, the only one that a sandbox lets it
/// write.
fn logs_of(town: &Town, caller: &Caller, attempt: &Attempt) -> Result<PathBuf> {
    match &caller.incarnation {
        Some(incarnation) => Ok(town.layout.session_logs(incarnation)),
        None => Ok(town.rig(attempt.rig.as_str())?.layout.gate_logs()),
    }
}

/// Checks that do not depend on the worker's word. `logs` is where what they run puts its output.
fn check_acceptance(town: &Town, logs: &Path, attempt: &Attempt, step: &MoleculeStep) -> Result<()> {
    let rig = town.rig(attempt.rig.as_str())?;
    for check in &step.step.acceptance {
        if let Some(why) = objection(town, &rig, logs, attempt, check)? {
            let hint = match check {
                Acceptance::Commits => own_work::NOTHING_HINT.to_owned(),
                _ => format!("mend that, then: gt step done {}", step.step.id),
            };
            return Err(Error::refused(format!("step {} is not done: {why}", step.step.id), hint));
        }
    }
    Ok(())
}

fn objection(town: &Town, rig: &Rig, logs: &Path, attempt: &Attempt, check: &Acceptance) -> Result<Option<String>> {
    let facts = worktree(town, rig, attempt)?;
    match check {
        Acceptance::OwnBranch => Ok(own_branch(attempt, &facts)),
        Acceptance::Clean => Ok(clean(&facts)),
        Acceptance::Commits => Ok(own_work::look(town, rig, attempt, &facts.head)?.objection(&rig.row.trunk)),
        Acceptance::Rebased => rebased(town, rig, &facts),
        Acceptance::Gates => {
            let logs = gates::Logs { folder: logs, label: "acceptance" };
            Ok(worker_gates::run(town, rig, attempt, logs, false)?.failure())
        }
        Acceptance::Command(argv) => run_command(town, rig, logs, attempt, argv),
    }
}

/// What is in an attempt's worktree.
pub fn worktree(town: &Town, rig: &Rig, attempt: &Attempt) -> Result<WorktreeFacts> {
    let path = rig.layout.worktree(&attempt.worker);
    let facts = town.world().repo().worktree(&rig.layout.repo(), &path)?;
    facts.ok_or_else(|| {
        Error::refused(format!("the worktree {} is gone", path.display()), "stop here; the witness will see to it")
    })
}

/// Objects where the worktree is not on the attempt's own branch.
pub(crate) fn own_branch(attempt: &Attempt, facts: &WorktreeFacts) -> Option<String> {
    if facts.branch.as_deref() == Some(&attempt.branch) {
        return None;
    }
    let on = facts.branch.as_deref().map_or("on no branch".to_owned(), |branch| format!("on branch {branch}"));
    Some(format!("the worktree is {on}, not on {}", attempt.branch))
}

/// Objects where something is not committed.
pub fn clean(facts: &WorktreeFacts) -> Option<String> {
    if facts.dirty.is_empty() {
        return None;
    }
    let shown: Vec<&str> = facts.dirty.iter().take(5).map(String::as_str).collect();
    let more = facts.dirty.len().saturating_sub(shown.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    Some(format!("not committed: {}{more}", shown.join(", ")))
}

fn rebased(town: &Town, rig: &Rig, facts: &WorktreeFacts) -> Result<Option<String>> {
    let refs = town.world().repo().refs(&rig.layout.repo())?;
    let Some(trunk) = refs.get(&rig.trunk_ref()) else { return Ok(Some("the trunk was never fetched".to_owned())) };
    let contains = town.world().repo().contains(&rig.layout.repo(), &facts.head, trunk)?;
    Ok((!contains).then(|| format!("the branch does not contain the trunk ({}): gt catch-up", rig.trunk_ref())))
}

fn run_command(town: &Town, rig: &Rig, logs: &Path, attempt: &Attempt, argv: &[String]) -> Result<Option<String>> {
    let folder = rig.layout.worktree(&attempt.worker);
    let log = logs.join("acceptance.log");
    let timeout = ACCEPTANCE_TIMEOUT;
    let job = Job { argv: argv.to_vec(), folder: &folder, slot: None, timeout, log: &log };
    let result = contained::run(town, rig, &job)?;
    Ok(match result.end {
        RunEnd::Passed => None,
        RunEnd::Failed(_) => Some(format!("`{}` failed:\n{}", argv.join(" "), result.tail.join("\n"))),
        RunEnd::TimedOut => Some(format!("`{}` was not over in time", argv.join(" "))),
    })
}
