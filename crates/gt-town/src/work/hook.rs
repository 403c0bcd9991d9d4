//! The hook: the work that an agent must do now, and its progress through the formula's steps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_ledger::{Attempt, MoleculeStep, StepEnd, StepState, Task, Tx, View};
use gt_model::formula::{Acceptance, Act, StepKind};
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

/// Time limit of one acceptance command.
const ACCEPTANCE_TIMEOUT: Duration = Duration::from_mins(30);

/// Work on an agent's hook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// The task.
    pub bead: Task,
    /// The attempt.
    pub attempt: Attempt,
    /// Number of the current incarnation.
    pub incarnation: u32,
    /// Current step; `None` if all are over, or if none can be done now.
    pub step: Option<MoleculeStep>,
    /// Reason why no step can be done now although some are open.
    pub waits_for: Option<String>,
    /// Number of steps.
    pub steps: usize,
    /// Its worktree.
    pub worktree: PathBuf,
    /// The rig's trunk as a ref that git in the worktree can resolve.
    pub trunk_ref: String,
}

/// Returns the work on the caller's hook; `None` if the hook is empty.
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
            waits_for: waits_in_molecule(&steps),
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

/// Returns the step that the worker does next: the first one that is for an agent, is not over, and waits for nothing.
pub fn current(steps: &[MoleculeStep]) -> Option<&MoleculeStep> {
    let doable = steps.iter().filter(|step| obstacle(steps, step).is_none());
    doable.min_by_key(|step| (step.step.priority.unwrap_or(DEFAULT_PRIORITY), step.position))
}

/// Priority of a step that names none.
const DEFAULT_PRIORITY: u8 = 2;

/// Reason why a worker can't do a step now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It is over.
    Over,
    /// Steps that it needs are not over.
    Needs(Vec<String>),
    /// Its gate is closed.
    Gate,
    /// The check after the round of the loop before has not passed or failed yet.
    Round,
    /// The engine does it.
    Engine,
}

impl Obstacle {
    /// Describes what the step waits for.
    pub fn words(&self, step: &str) -> String {
        match self {
            Self::Over => format!("step {step} is over"),
            Self::Needs(needs) => format!("step {step} comes after {}", needs.join(", ")),
            Self::Gate => format!("the gate of step {step} is closed"),
            Self::Round => format!("step {step} waits for the check of its loop"),
            Self::Engine => format!("the town does step {step}"),
        }
    }
}

/// Returns what keeps a worker from doing a step now; `None` if nothing does.
pub fn obstacle(steps: &[MoleculeStep], step: &MoleculeStep) -> Option<Obstacle> {
    if step.done_at.is_some() {
        return Some(Obstacle::Over);
    }
    if step.waits > 0 {
        let is_open = |need: &&String| steps.iter().any(|other| other.step.id == **need && !other.state.frees_others());
        return Some(Obstacle::Needs(step.step.needs.iter().filter(is_open).cloned().collect()));
    }
    if step.step.kind != StepKind::Agent {
        return Some(Obstacle::Engine);
    }
    if step.step.gate.is_some() && step.opened_at.is_none() {
        return Some(Obstacle::Gate);
    }
    is_in_later_round(steps, step).then_some(Obstacle::Round)
}

/// Whether the step belongs, at any depth, to a round of a loop that the check of the loop has not let begin yet.
fn is_in_later_round(steps: &[MoleculeStep], step: &MoleculeStep) -> bool {
    let group_of = |part: &MoleculeStep| steps.iter().find(|other| Some(&other.step.id) == part.step.parent.as_ref());
    let mut part = step;
    while let Some(group) = group_of(part) {
        if group.is_before(&part.step) {
            return true;
        }
        part = group;
    }
    false
}

/// Returns what a molecule waits for, if no step of it can be done by its worker now and some are not over.
pub(crate) fn waits_in_molecule(steps: &[MoleculeStep]) -> Option<String> {
    if current(steps).is_some() {
        return None;
    }
    let open = steps.iter().find(|step| step.done_at.is_none() && step.waits == 0);
    let failed = || steps.iter().find(|step| step.state == StepState::Failed);
    match open {
        Some(step) => obstacle(steps, step).map(|obstacle| obstacle.words(&step.step.id)),
        None => failed().map(|step| format!("step {} failed: a person decides", step.step.id)),
    }
}

/// Describes the next task, and returns the command that reports it as done.
pub(crate) fn next_words(steps: &[MoleculeStep]) -> (String, String) {
    match current(steps) {
        Some(step) if step.position as usize + 1 < steps.len() => {
            let at = format!("step {} of {} {}", step.position + 1, steps.len(), step.step.id);
            (at, format!("gt step done {}", step.step.id))
        }
        Some(step) => (format!("the last step, {}", step.step.id), "gt done".to_owned()),
        None => match waits_in_molecule(steps) {
            Some(what) => (what, "gt mol status".to_owned()),
            None => ("every step is done".to_owned(), "gt done".to_owned()),
        },
    }
}

/// Returns what a worker without a current step is told.
pub fn without_step(waits_for: Option<&str>) -> String {
    match waits_for {
        Some(what) => format!("No step can be done now: {what}. End your turn: you are woken when you can go on"),
        None => "Every step is done: gt done".to_owned(),
    }
}

/// Returns what an attempt waits for, if something blocks its bead.
pub fn waits_for(view: &View<'_>, now: jiff::Timestamp, attempt: &Attempt) -> Result<Option<String>> {
    if !view.is_held(now, &attempt.bead)? {
        return Ok(waits_in_molecule(&view.steps(attempt.id)?));
    }
    let blockers: Vec<String> = view.blockers(now, &attempt.bead)?.into_iter().map(|b| b.id.0).collect();
    Ok(Some(if blockers.is_empty() { "its bead's parent".to_owned() } else { blockers.join(", ") }))
}

/// Describes how the previous incarnation ended.
pub(crate) fn last_end(view: &View<'_>, attempt: &Attempt) -> Result<Option<String>> {
    let ended = view.incarnations_of(attempt.id)?.into_iter().rev().find(|i| i.ended_at.is_some());
    Ok(ended.and_then(|ended| ended.cause.or(ended.exit.map(|exit| exit.reason))))
}

/// Result of closing a step.
#[derive(Clone, Debug)]
pub struct StepDone {
    /// The closed step.
    pub closed: MoleculeStep,
    /// The next step, if one can be done now.
    pub next: Option<MoleculeStep>,
    /// Reason why no step can be done now although some are open.
    pub waits_for: Option<String>,
    /// Number of steps.
    pub of: usize,
}

/// Closes a step (the current one by default) if its dependencies are done and its checks pass.
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
        // Check again, because the step's checks may have taken minutes.
        let attempt = identity::hooked_attempt(tx, caller)?;
        if close_step(tx, &attempt, &chosen.step.id, note)? {
            if let Some((head, trunk)) = &place {
                tx.set_step_place(attempt.id, &chosen.step.id, head, trunk.as_ref())?;
            }
            decided::decide_snapshot(tx, &attempt)?;
        }
        let steps = tx.steps(attempt.id)?;
        let (next, waits_for) = (current(&steps).cloned(), waits_in_molecule(&steps));
        Ok::<_, Error>(StepDone { closed: chosen.clone(), next, waits_for, of: steps.len() })
    })?;
    causes::forget_refusal(town, caller);
    town.wake();
    Ok(done)
}

/// Closes a step of an attempt's molecule. Returns false if it was over before.
pub(crate) fn close_step(tx: &Tx<'_>, attempt: &Attempt, step: &str, note: Option<&str>) -> Result<bool> {
    let molecule = tx
        .molecule_of(attempt.id)?
        .ok_or_else(|| Error::Unknown { what: "molecule of", name: attempt.bead.to_string() })?;
    Ok(tx.end_step(molecule.id, step, StepEnd::done(note))?)
}

/// Returns the head of an attempt's worktree from git's files, and the last known trunk. Starts no process.
fn place(town: &Town, attempt: &Attempt) -> Result<Option<(Sha, Option<Sha>)>> {
    let rig = town.rig(attempt.rig.as_str())?;
    let path = rig.layout.worktree(&attempt.worker);
    let head = town.world().repo().own_position(&rig.layout.repo(), &path, &attempt.branch)?;
    let mut refs = town.ledger.read(|view| view.remote_refs(rig.name()).map_err(Error::from))?;
    Ok(head.map(|head| (head, refs.remove(&rig.row.trunk))))
}

fn choose<'a>(steps: &'a [MoleculeStep], id: Option<&str>) -> Result<&'a MoleculeStep> {
    let Some(id) = id else {
        return current(steps).ok_or_else(|| match waits_in_molecule(steps) {
            Some(what) => Error::refused(what, "end your turn: you are woken when you can go on"),
            None => Error::refused("every step is done", "gt done submits your work"),
        });
    };
    let chosen = steps.iter().find(|s| s.step.id == id).ok_or_else(|| Error::Unknown {
        what: "step",
        name: format!(
            "{id}; the steps are {}",
            steps.iter().map(|s| s.step.id.as_str()).collect::<Vec<_>>().join(", ")
        ),
    })?;
    match obstacle(steps, chosen) {
        None => Ok(chosen),
        // Saying it twice does no harm.
        Some(Obstacle::Over) if chosen.state == StepState::Done => Ok(chosen),
        Some(obstacle) => {
            let hint = match &obstacle {
                Obstacle::Needs(needs) => format!("gt step done {}", needs.first().map_or("", String::as_str)),
                _ => "gt mol status shows every step".to_owned(),
            };
            Err(Error::refused(obstacle.words(id), hint))
        }
    }
}

/// Returns the folder for the output of commands that the caller runs. It is in the caller's own session folder, the only one
/// that a sandbox lets it write.
fn logs_of(town: &Town, caller: &Caller, attempt: &Attempt) -> Result<PathBuf> {
    match &caller.incarnation {
        Some(incarnation) => Ok(town.layout.session_logs(incarnation)),
        None => Ok(town.rig(attempt.rig.as_str())?.layout.gate_logs()),
    }
}

/// Runs the checks that do not depend on the worker's claims. Their output goes to `logs`.
fn check_acceptance(town: &Town, logs: &Path, attempt: &Attempt, step: &MoleculeStep) -> Result<()> {
    let rig = town.rig(attempt.rig.as_str())?;
    for check in &step.step.acceptance {
        if let Some(why) = objection(town, &rig, logs, attempt, check)? {
            let hint = match check {
                Acceptance::Act(Act::Commits) => own_work::NOTHING_HINT.to_owned(),
                _ => format!("fix that, then: gt step done {}", step.step.id),
            };
            return Err(Error::refused(format!("step {} is not done: {why}", step.step.id), hint));
        }
    }
    Ok(())
}

/// Returns why a check does not pass in an attempt's worktree; `None` if it passes.
pub(crate) fn objection(
    town: &Town,
    rig: &Rig,
    logs: &Path,
    attempt: &Attempt,
    check: &Acceptance,
) -> Result<Option<String>> {
    let facts = worktree(town, rig, attempt)?;
    match check {
        Acceptance::Act(Act::OwnBranch) => Ok(own_branch(attempt, &facts)),
        Acceptance::Act(Act::Clean) => Ok(clean(&facts)),
        Acceptance::Act(Act::Commits) => Ok(own_work::look(town, rig, attempt, &facts.head)?.objection(&rig.row.trunk)),
        Acceptance::Act(Act::Rebased) => rebased(town, rig, &facts),
        Acceptance::Act(Act::Gates) => {
            let logs = gates::Logs { folder: logs, label: "acceptance" };
            Ok(worker_gates::run(town, rig, attempt, logs, false)?.failure())
        }
        Acceptance::Act(act) => Ok(Some(format!("gt:{} does not check a worktree", act.name()))),
        Acceptance::Command(argv) => run_command(town, rig, logs, attempt, argv),
    }
}

/// Returns the state of an attempt's worktree.
pub fn worktree(town: &Town, rig: &Rig, attempt: &Attempt) -> Result<WorktreeFacts> {
    let path = rig.layout.worktree(&attempt.worker);
    let facts = town.world().repo().worktree(&rig.layout.repo(), &path)?;
    facts.ok_or_else(|| {
        Error::refused(
            format!("the worktree {} is gone", path.display()),
            "stop here; the witness will start a new worker",
        )
    })
}

/// Returns an objection if the worktree is not on the attempt's own branch.
pub(crate) fn own_branch(attempt: &Attempt, facts: &WorktreeFacts) -> Option<String> {
    if facts.branch.as_deref() == Some(&attempt.branch) {
        return None;
    }
    let on = facts.branch.as_deref().map_or("on no branch".to_owned(), |branch| format!("on branch {branch}"));
    Some(format!("the worktree is {on}, not on {}", attempt.branch))
}

/// Returns an objection if the worktree has uncommitted changes.
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
    let job = Job { argv: argv.to_vec(), folder: &folder, slot: None, timeout, log: &log, env: BTreeMap::new() };
    let result = contained::run(town, rig, &job)?;
    Ok(match result.end {
        RunEnd::Passed => None,
        RunEnd::Failed(_) => Some(format!("`{}` failed:\n{}", argv.join(" "), result.tail.join("\n"))),
        RunEnd::TimedOut => Some(format!("`{}` exceeded its time limit", argv.join(" "))),
    })
}
