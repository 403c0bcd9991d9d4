//! Runs the commands of steps.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_ledger::{Attempt, Molecule, MoleculeStep, StepEnd, StepState};
use gt_model::formula::{Acceptance, Act, Opens, Run, StepKind};
use gt_world::{RunEnd, RunResult};

use super::bond::{self, Bond};
use super::pass::{Job, JobKind, engine};
use super::{acts, steps, tidy};
use crate::town::error::{Error, Result};
use crate::town::lane::Lane;
use crate::town::{Rig, Town};
use crate::walls::contained;
use crate::work::hook;

/// Time limit of a command whose step sets none.
const TIMEOUT: Duration = Duration::from_mins(30);

/// Maximum size of a command's output that is read, in bytes.
const OUTPUT_LIMIT: usize = 256 * 1024;

/// Outcome of a command.
pub(super) struct Ran {
    /// Why it failed; `None` if it passed.
    failure: Option<String>,
    /// Last lines that it printed.
    tail: String,
    /// All that it printed, up to [`OUTPUT_LIMIT`].
    output: String,
}

impl Ran {
    /// Result of an act that passed and says this.
    pub(super) fn passed(said: String) -> Self {
        Self { failure: None, tail: said.clone(), output: said }
    }

    /// Result of a check: it passes if nothing speaks against it.
    pub(super) fn of_check(objection: Option<String>) -> Self {
        let tail = objection.clone().unwrap_or_default();
        Self { failure: objection, tail, output: String::new() }
    }
}

/// Runs a command and records its result. Does nothing if another process runs it, or if it is not wanted any more.
pub fn run(town: &Town, job: &Job) -> Result<()> {
    let lane = Lane::Step(job.molecule, job.step.clone());
    let Some(_held) = town.try_lock(&lane)? else { return Ok(()) };
    let read =
        town.ledger.read(|view| Ok::<_, Error>((view.molecule(job.molecule)?, view.step(job.molecule, &job.step)?)))?;
    let (Some(molecule), Some(step)) = read else { return Ok(()) };
    let is_early = step.waits > 0 && job.kind != JobKind::Round;
    if molecule.ended_at.is_some() || step.state.is_over() || is_early {
        return Ok(());
    }
    let place = Place::of(town, &molecule)?;
    match job.kind {
        JobKind::Step => run_step(town, &molecule, &step, &place)?,
        JobKind::Gate => check_gate(town, &molecule, &step, &place)?,
        JobKind::Round => check_round(town, &molecule, &step, &place)?,
    }
    place.rig.as_ref().map_or(Ok(()), |rig| tidy::worktrees(town, rig))
}

/// Where a molecule's commands run.
struct Place {
    rig: Option<Rig>,
    attempt: Option<Attempt>,
    logs: PathBuf,
}

impl Place {
    fn of(town: &Town, molecule: &Molecule) -> Result<Self> {
        let attempt = town.ledger.read(|view| match molecule.attempt {
            Some(id) => view.attempt(id).map_err(Error::from),
            None => Ok(None),
        })?;
        let rig = molecule.rig.as_ref().map(|rig| town.rig(rig.as_str())).transpose()?;
        Ok(Self { rig, attempt, logs: town.layout.molecule_logs(molecule.id) })
    }

    /// Returns the rig, and the worktree: the worker's, or one of the molecule's own at the trunk.
    fn worktree(&self, town: &Town, molecule: &Molecule) -> Result<(&Rig, PathBuf)> {
        let rig = self.rig.as_ref().ok_or_else(|| {
            Error::refused(format!("{} has no rig to run commands in", molecule.id), "gt mol pour … --rig <rig>")
        })?;
        match &self.attempt {
            Some(attempt) => Ok((rig, rig.layout.worktree(&attempt.worker))),
            None => Ok((rig, own_worktree(town, rig, molecule)?)),
        }
    }
}

/// Makes the molecule's own worktree at the trunk as it was last fetched, unless it is there.
fn own_worktree(town: &Town, rig: &Rig, molecule: &Molecule) -> Result<PathBuf> {
    let path = rig.layout.molecule_worktree(molecule.id);
    if town.world().disk().exists(&path) {
        return Ok(path);
    }
    let held = town.lock(&Lane::Repo(rig.name().clone()))?;
    let repo = town.world().repo();
    let trunk = repo.refs(&rig.layout.repo())?.remove(&rig.trunk_ref()).ok_or_else(|| {
        Error::refused(format!("the trunk of {} was never fetched", rig.name()), format!("gt rig fetch {}", rig.name()))
    })?;
    repo.reset_gate_worktree(&held, &rig.layout.repo(), &path, &trunk)?;
    Ok(path)
}

fn run_step(town: &Town, molecule: &Molecule, step: &MoleculeStep, place: &Place) -> Result<()> {
    let StepKind::Run(run) = &step.step.kind else { return Ok(()) };
    town.ledger
        .write(&engine().name(), "start step", |tx| Ok::<_, Error>(tx.start_step(molecule.id, &step.step.id)?))?;
    town.outside.faults.at("step:run:before");
    let ran = perform(town, molecule, step, place, run).and_then(|ran| checked(town, molecule, step, place, ran));
    town.outside.faults.at("step:run:after");
    // A ledger that is broken fails the record of this failure too.
    let ran = ran.unwrap_or_else(|error| Ran::of_check(Some(error.to_string())));
    let bond = match ran.failure {
        None => bond::prepare(town, step, place.rig.as_ref(), &ran.output),
        Some(_) => Ok(None),
    };
    match bond {
        Ok(bond) => record(town, molecule, step, &ran, bond.as_ref())?,
        Err(error) => record(town, molecule, step, &Ran::of_check(Some(error.to_string())), None)?,
    }
    town.wake();
    Ok(())
}

/// Applies the step's own checks to a command that passed.
fn checked(town: &Town, molecule: &Molecule, step: &MoleculeStep, place: &Place, ran: Ran) -> Result<Ran> {
    if ran.failure.is_some() {
        return Ok(ran);
    }
    for check in &step.step.acceptance {
        let checked = check_one(town, molecule, step, place, check)?;
        if checked.failure.is_some() {
            return Ok(checked);
        }
    }
    Ok(ran)
}

/// Records the result: the step is done, or it is tried again, or it has failed for good.
fn record(town: &Town, molecule: &Molecule, step: &MoleculeStep, ran: &Ran, bond: Option<&Bond>) -> Result<()> {
    let output = Some(ran.tail.as_str());
    town.ledger.write(&engine().name(), "end step", |tx| match &ran.failure {
        None => {
            if let Some(bond) = bond {
                bond::pour(tx, molecule, step, bond)?;
            }
            tx.end_step(molecule.id, &step.step.id, StepEnd { state: StepState::Done, note: None, output })?;
            Ok(())
        }
        Some(_) if step.tries < step.step.retries => {
            tx.count_try(molecule.id, &step.step.id, &ran.tail)?;
            Ok(())
        }
        Some(why) => {
            let end = StepEnd { state: StepState::Failed, note: Some(why), output };
            steps::fail(tx, molecule, step, end).map(drop)
        }
    })
}

fn perform(town: &Town, molecule: &Molecule, step: &MoleculeStep, place: &Place, run: &Run) -> Result<Ran> {
    match run {
        Run::Act(act) => act_of(town, molecule, step, place, *act),
        Run::Argv(argv) => command(town, molecule, step, place, argv.clone()),
        Run::Script(script) => {
            let argv = ["sh", "-eu", "-c", script].map(str::to_owned).to_vec();
            command(town, molecule, step, place, argv)
        }
    }
}

/// Runs a command in the molecule's worktree, with the walls that all agents' code has.
fn command(town: &Town, molecule: &Molecule, step: &MoleculeStep, place: &Place, argv: Vec<String>) -> Result<Ran> {
    let (rig, folder) = place.worktree(town, molecule)?;
    let log = place.logs.join(format!("{}.log", gt_model::id::slug(&step.step.id)));
    let timeout = step.step.timeout_seconds.map_or(TIMEOUT, Duration::from_secs);
    let slot = place.attempt.as_ref().and_then(|attempt| attempt.slot);
    let shown = argv.join(" ");
    let job = contained::Job { argv, folder: &folder, slot, timeout, log: &log, env: step.step.env.clone() };
    let result = contained::run(town, rig, &job)?;
    Ok(Ran { failure: failure(&shown, &result), tail: result.tail.join("\n"), output: output(town, &log)? })
}

fn failure(command: &str, result: &RunResult) -> Option<String> {
    let command = command.lines().next().unwrap_or_default();
    match result.end {
        RunEnd::Passed => None,
        RunEnd::Failed(_) => Some(format!("`{command}` failed: {}", result.tail.last().map_or("", String::as_str))),
        RunEnd::TimedOut => Some(format!("`{command}` was not over in time")),
    }
}

/// Reads what a command printed.
fn output(town: &Town, log: &Path) -> Result<String> {
    let bytes = town.world().disk().read_own(log)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes[..bytes.len().min(OUTPUT_LIMIT)]).into_owned())
}

/// Runs one check.
fn check_one(town: &Town, molecule: &Molecule, step: &MoleculeStep, place: &Place, check: &Acceptance) -> Result<Ran> {
    match check {
        Acceptance::Command(argv) => command(town, molecule, step, place, argv.clone()),
        Acceptance::Act(act) => act_of(town, molecule, step, place, *act),
    }
}

/// Performs a named act.
fn act_of(town: &Town, molecule: &Molecule, step: &MoleculeStep, place: &Place, act: Act) -> Result<Ran> {
    if let Some(patrol) = act.patrol() {
        return Err(Error::refused(
            format!("gt:{} is part of a patrol", act.name()),
            format!("it can stand in {} only", patrol.formula()),
        ));
    }
    if let Some(ran) = acts::perform(town, molecule, step, act)? {
        return Ok(ran);
    }
    match (&place.rig, &place.attempt) {
        (Some(rig), Some(attempt)) => {
            Ok(Ran::of_check(hook::objection(town, rig, &place.logs, attempt, &Acceptance::Act(act))?))
        }
        _ => Err(Error::refused(
            format!("gt:{} looks at a worker's worktree, and no worker follows {}", act.name(), molecule.id),
            format!("gt mol attach {} <bead>, then gt sling <bead>", molecule.id),
        )),
    }
}

/// Runs the check that opens a step's gate.
fn check_gate(town: &Town, molecule: &Molecule, step: &MoleculeStep, place: &Place) -> Result<()> {
    let Some(Opens::Command { check, .. }) = step.step.gate.as_ref().map(|gate| &gate.opens) else { return Ok(()) };
    let ran = check_one(town, molecule, step, place, check)?;
    town.ledger.write(&engine().name(), "check gate", |tx| match ran.failure {
        None => steps::open(tx, molecule, step, None).map(drop),
        Some(_) => tx.count_gate_try(molecule.id, &step.step.id, &ran.tail).map_err(Error::from),
    })?;
    town.wake();
    Ok(())
}

/// Runs the check after a round of a loop. If it passes, the later rounds are skipped.
fn check_round(town: &Town, molecule: &Molecule, group: &MoleculeStep, place: &Place) -> Result<()> {
    let Some(until) = &group.step.until else { return Ok(()) };
    let ran = check_one(town, molecule, group, place, &until.check)?;
    town.ledger.write(&engine().name(), "check round", |tx| {
        if ran.failure.is_some() {
            tx.count_round(molecule.id, &group.step.id, &ran.tail)?;
            return Ok::<_, Error>(());
        }
        let inside = bond::inside(&tx.steps_of(molecule.id)?, &group.step.id);
        for step in inside {
            let end = StepEnd { state: StepState::Skipped, note: Some("the loop ended before"), output: None };
            tx.end_step(molecule.id, &step, end)?;
        }
        Ok(())
    })?;
    town.wake();
    Ok(())
}
