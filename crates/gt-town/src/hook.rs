//! The hook: what an agent must run now, and its way through the molecule's steps.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_model::effect::Effect;
use gt_model::formula::Acceptance;
use gt_model::id::Sha;
use serde::Serialize;

use crate::causes;
use crate::contained::{self, Job};
use crate::effects;
use crate::error::{Error, Result};
use crate::gates;
use crate::identity;
use crate::ledger::{Attempt, MoleculeStep, Task, View};
use crate::own_work;
use crate::town::{Caller, Rig, Town};
use crate::worker_gates;
use crate::world::history::{self as world, Way};
use crate::world::{RunEnd, WorktreeFacts};

/// How long one acceptance command may take.
const ACCEPTANCE_TIMEOUT: Duration = Duration::from_mins(30);

/// How long a verb inside a session waits for an effect that only the deacon may run.
const EFFECT_DEADLINE: Duration = Duration::from_secs(60);

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
pub fn next_words(steps: &[MoleculeStep]) -> (String, String) {
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
            effects::decide_snapshot(tx, &attempt)?;
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

/// What came of bringing a branch up to the trunk.
#[derive(Clone, Debug, Serialize)]
pub struct CaughtUp {
    /// Where the trunk is.
    pub trunk: Sha,
    /// How; `None` where the branch contained it already.
    pub way: Option<&'static str>,
}

/// Fetches, and brings the caller's branch up to the trunk so that nothing of it is left out: by a rebase, or by a merge
/// where the branch has merge commits, since a rebase drops what was changed in them.
pub fn catch_up(town: &Town, caller: &Caller) -> Result<CaughtUp> {
    let attempt = town.ledger.read(|view| identity::hooked_attempt(view, caller))?;
    if caller.incarnation.is_none() {
        // Its git is run, with its settings and hooks: that is for its own processes.
        let hint = format!("gt mail send {} -s \"…\"", attempt.address());
        return Err(Error::refused("only the worker itself brings its branch up to the trunk", hint));
    }
    let rig = town.rig(attempt.rig.as_str())?;
    refuse_unfinished(town, &rig, &attempt)?;
    let trunk = fetch(town, caller, &rig)?;
    let (repo, bare, path) = (town.world().repo(), rig.layout.repo(), rig.layout.worktree(&attempt.worker));
    let head = worktree(town, &rig, &attempt)?.head;
    if repo.contains(&bare, &head, &trunk)? {
        update_submodules(town, &rig, &path)?;
        return Ok(CaughtUp { trunk, way: None });
    }
    let merged = repo.commits_of(&bare, &head, std::slice::from_ref(&trunk))?.iter().any(|commit| commit.parents > 1);
    let (way, word) = if merged { (Way::Merge, "merge") } else { (Way::Rebase, "rebase") };
    match repo.catch_up(&bare, &path, &trunk, way)? {
        world::CaughtUp::Done => {
            update_submodules(town, &rig, &path)?;
            Ok(CaughtUp { trunk, way: Some(word) })
        }
        world::CaughtUp::Conflict { files } => Err(conflict(&rig, word, &files)),
    }
}

/// Checks out what the branch's submodules are at now. What a sandbox has no login for it can't have: the gates do.
fn update_submodules(town: &Town, rig: &Rig, path: &Path) -> Result<()> {
    if !rig.settings.worktree.submodules {
        return Ok(());
    }
    match town.world().repo().update_submodules(path)? {
        None => Ok(()),
        Some(why) => Err(Error::refused(
            format!("your branch contains the trunk, but a submodule is not at its commit: {why}"),
            "git submodule update --init --recursive tries again. If it can't be had from here, go on without: the gates \
             check it out. Do not commit the submodule as it lies here (git add <files>, not -A)",
        )),
    }
}

/// Most files in conflict that an error names.
const CONFLICTS_SHOWN: usize = 20;

fn conflict(rig: &Rig, word: &str, files: &[String]) -> Error {
    let shown: Vec<&str> = files.iter().take(CONFLICTS_SHOWN).map(String::as_str).collect();
    let what = format!("the {word} with {} stopped: both sides changed {}", rig.row.trunk, shown.join(", "));
    let go_on = if word == "merge" { "git commit --no-edit" } else { "git rebase --continue" };
    let hint = format!(
        "make each file say what both sides meant, git add it, then {go_on}, then gt catch-up again; \
         git {word} --abort takes it back"
    );
    Error::refused(what, hint)
}

/// Refuses a worktree in which something is not finished or not committed.
fn refuse_unfinished(town: &Town, rig: &Rig, attempt: &Attempt) -> Result<()> {
    let path = rig.layout.worktree(&attempt.worker);
    if let Some(word) = town.world().repo().under_way(&rig.layout.repo(), &path)? {
        let hint = format!("finish it (git add, then git {word} --continue), or git {word} --abort; then: gt catch-up");
        return Err(Error::refused(format!("a {word} is under way in your worktree"), hint));
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
pub fn own_branch(attempt: &Attempt, facts: &WorktreeFacts) -> Option<String> {
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

/// Fetches a rig's remote; answers with where its trunk is. Inside a session the deacon does it.
pub fn fetch(town: &Town, caller: &Caller, rig: &Rig) -> Result<Sha> {
    let effect = Effect::Fetch { rig: rig.name().clone() };
    let id = town.ledger.write(&caller.name(), "rig fetch", |tx| {
        tx.decide(&effect, Some(rig.name()), None, Duration::ZERO).map_err(Error::from)
    })?;
    if caller.incarnation.is_some() {
        town.wake();
        wait_for_effect(town, id)?;
    } else {
        effects::run_one(town, id)?;
    }
    let refs = town.ledger.read(|view| view.remote_refs(rig.name()).map_err(Error::from))?;
    refs.get(&rig.row.trunk).cloned().ok_or_else(|| Error::NeedsPerson {
        what: format!("the remote {} has no branch {}", rig.row.remote, rig.row.trunk),
        hint: "look at the remote; the trunk's name is set when the rig is added".to_owned(),
    })
}

/// Waits until the deacon has run an effect; a bounded time.
pub fn wait_for_effect(town: &Town, id: i64) -> Result<()> {
    let clock = town.world().clock();
    let start = clock.monotonic();
    loop {
        let Some(row) = town.ledger.read(|view| view.open_effect(id).map_err(Error::from))? else { return Ok(()) };
        let hint = "gt status says whether the deacon runs; gt up starts it".to_owned();
        if row.gave_up {
            let why = row.last_error.unwrap_or_default();
            return Err(Error::TimedOut { what: format!("{} failed: {why}", row.effect.kind()), hint });
        }
        if clock.monotonic() - start > EFFECT_DEADLINE {
            let why = row.last_error.map(|e| format!(": {e}")).unwrap_or_default();
            return Err(Error::TimedOut { what: format!("{} was not done in time{why}", row.effect.kind()), hint });
        }
        clock.pause(Duration::from_millis(20));
    }
}
