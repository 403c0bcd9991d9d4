//! Runs a plan to its end in a ledger of its own, with a worker that is simulated. Nothing outside of that ledger happens: no command runs,
//! and no gate waits.

use gt_ledger::{Ledger, Molecule, MoleculeStep, NewMolecule, StepEnd, StepState, Tx};
use gt_model::formula::{Plan, StepKind};
use gt_model::id::MoleculeId;
use serde::Serialize;
use serde_json::json;

use super::{bond, words};
use crate::town::Town;
use crate::town::error::{Error, Result};

/// Caller of the trial's changes.
const WORKER: &str = "simulated worker";

/// Outcome of a trial.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// Ended steps, in the order in which they ended.
    pub steps: Vec<Ended>,
    /// Ids of steps that never ended. None: the formula comes to its end.
    pub stuck: Vec<String>,
    /// Time that the engine took, in seconds.
    pub seconds: f64,
}

impl Trial {
    /// Returns the number of steps that the engine took in a second.
    pub fn steps_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.steps.len() as f64 / self.seconds } else { 0.0 }
    }
}

/// A step that ended in a trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ended {
    /// Id of the step.
    pub id: String,
    /// Actor that closed it: the simulated worker, the engine or a gate.
    pub kind: String,
    /// State that it ended in.
    pub state: StepState,
    /// Action of that actor.
    pub what: String,
}

/// Runs a plan to its end.
pub fn trial(town: &Town, plan: &Plan) -> Result<Trial> {
    let locks = town.layout.lock("trial").with_file_name("");
    let ledger = Ledger::in_memory_locked_in(&locks, town.outside.world.clone())?;
    let clock = town.world().clock();
    let before = clock.monotonic();
    let molecule = ledger.write(WORKER, "pour", |tx| pour(tx, plan))?;
    let mut steps = Vec::new();
    loop {
        let ready = ledger.read(|view| view.ready_steps(molecule.id).map_err(Error::from))?;
        if ready.is_empty() {
            break;
        }
        for step in &ready {
            ledger.write(WORKER, "step", |tx| take(tx, molecule.id, step, &mut steps))?;
        }
    }
    let seconds = clock.monotonic().saturating_sub(before).as_secs_f64();
    let all = ledger.read(|view| view.steps_of(molecule.id).map_err(Error::from))?;
    let stuck = all.into_iter().filter(|step| !step.state.is_over()).map(|step| step.step.id).collect();
    Ok(Trial { steps, stuck, seconds })
}

fn pour(tx: &Tx<'_>, plan: &Plan) -> Result<Molecule> {
    Ok(tx.pour(&NewMolecule {
        formula: &plan.formula,
        hash: "",
        vars: json!(plan.vars),
        steps: &plan.steps,
        rig: None,
        bead: None,
        attempt: None,
        parent: None,
        is_ephemeral: false,
    })?)
}

/// Ends a ready step.
fn take(tx: &Tx<'_>, molecule: MoleculeId, step: &MoleculeStep, ended: &mut Vec<Ended>) -> Result<()> {
    if let Some(group) = loop_that_ends(tx, molecule, step)? {
        for id in bond::inside(&tx.steps_of(molecule)?, &group) {
            let end = StepEnd { state: StepState::Skipped, note: None, output: None };
            if let Some(step) = tx.step(molecule, &id)?.filter(|step| !step.state.is_over()) {
                tx.end_step(molecule, &id, end)?;
                ended.push(told(&step, StepState::Skipped, "the check of the loop counts as passed".to_owned()));
            }
        }
        return Ok(());
    }
    if tx.end_step(molecule, &step.step.id, StepEnd::done(None))? {
        ended.push(told(step, StepState::Done, what(step)));
    }
    Ok(())
}

/// Returns the group of a loop with a condition whose second round the step belongs to: the check after the first round counts as passed.
fn loop_that_ends(tx: &Tx<'_>, molecule: MoleculeId, step: &MoleculeStep) -> Result<Option<String>> {
    let (Some(2..), Some(parent)) = (step.step.round, &step.step.parent) else { return Ok(None) };
    let group = tx.step(molecule, parent)?.filter(|group| group.step.until.is_some());
    Ok(group.map(|group| group.step.id))
}

fn told(step: &MoleculeStep, state: StepState, what: String) -> Ended {
    Ended { id: step.step.id.clone(), kind: words::kind(&step.step.kind), state, what }
}

fn what(step: &MoleculeStep) -> String {
    let mut parts: Vec<String> =
        step.step.gate.iter().map(|gate| format!("simulated: {}", words::gate(gate))).collect();
    parts.push(match &step.step.kind {
        StepKind::Agent => format!("the simulated worker did: {}", step.step.title),
        StepKind::Run(_) => "simulated, not run".to_owned(),
        StepKind::Group => "all its parts are over".to_owned(),
        StepKind::Gate => "its gate opened".to_owned(),
    });
    parts.extend(step.step.acceptance.iter().map(|check| format!("simulated check: {}", words::acceptance(check))));
    parts.extend(
        step.step.on_complete.as_ref().map(|bonds| format!("simulated: its output names no items for {}", bonds.bond)),
    );
    parts.join("; ")
}
