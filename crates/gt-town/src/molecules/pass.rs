//! One pass over the live molecules: opens gates, closes groups, hands out steps, and lists the commands to run.

use std::collections::BTreeSet;
use std::time::Duration;

use gt_ledger::{Molecule, MoleculeStep, StepEnd, StepState, Tx, View};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::formula::StepKind;
use gt_model::id::MoleculeId;
use jiff::Timestamp;

use super::gates::{self, GateState};
use super::{hand_out, schedule, steps};
use crate::town::error::{Error, Result};
use crate::town::observed::Observed;
use crate::town::{Caller, Town};

/// Pause before the second run of a failed command. It doubles with each further run.
const FIRST_PAUSE: Duration = Duration::from_secs(10);

/// Longest pause between two runs.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// Outcome of a pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Whether anything changed.
    pub changed: bool,
    /// Commands to run now.
    pub jobs: BTreeSet<Job>,
    /// Earliest moment at which a closed gate changes by itself.
    pub next: Option<Timestamp>,
}

/// A command that the engine runs for a step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Job {
    /// Molecule of the step.
    pub molecule: MoleculeId,
    /// Id of the step.
    pub step: String,
    /// Purpose of the command.
    pub kind: JobKind,
}

/// Purpose of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobKind {
    /// The step itself.
    Step,
    /// The check that opens the step's gate.
    Gate,
    /// The check after a round of the loop that the step is the group of.
    Round,
}

/// Looks at every live molecule once.
pub fn look(town: &Town, observed: &mut Observed) -> Result<Pass> {
    let (changed, next) = schedule::pour_due(town)?;
    let mut pass = Pass { changed, next, ..Pass::default() };
    for molecule in town.ledger.read(|view| view.live_molecules().map_err(Error::from))? {
        // Closing a group or opening a gate can make other steps ready.
        while advance(town, &molecule, observed, &mut pass)? {
            pass.changed = true;
        }
    }
    Ok(pass)
}

/// Advances the ready steps of a molecule. Returns whether any changed.
fn advance(town: &Town, molecule: &Molecule, observed: &mut Observed, pass: &mut Pass) -> Result<bool> {
    let ready = town.ledger.read(|view| view.ready_steps(molecule.id).map_err(Error::from))?;
    let mut changed = false;
    for step in &ready {
        changed |= Turn { town, molecule, step, observed, pass }.take()?;
    }
    Ok(changed)
}

/// One look at one ready step.
struct Turn<'a> {
    town: &'a Town,
    molecule: &'a Molecule,
    step: &'a MoleculeStep,
    observed: &'a mut Observed,
    pass: &'a mut Pass,
}

impl Turn<'_> {
    /// Returns whether the step changed.
    fn take(&mut self) -> Result<bool> {
        if self.waits_for_round()? {
            return Ok(false);
        }
        match (self.step.state, &self.step.step.gate) {
            (StepState::Open, Some(_)) if self.step.opened_at.is_none() => self.hold(),
            (StepState::Waiting, _) => self.try_gate(),
            _ => self.proceed(),
        }
    }

    fn write<T>(&self, verb: &str, change: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        self.town.ledger.write(&engine().name(), verb, change)
    }

    fn id(&self) -> &str {
        &self.step.step.id
    }

    fn job(&mut self, kind: JobKind, step: &str) {
        self.pass.jobs.insert(Job { molecule: self.molecule.id, step: step.to_owned(), kind });
    }

    /// Whether the step belongs to a round of a loop that has not begun: the check after the round before decides.
    fn waits_for_round(&mut self) -> Result<bool> {
        let Some(group) = self.town.ledger.read(|view| undecided_loop(view, self.molecule.id, self.step))? else {
            return Ok(false);
        };
        self.job(JobKind::Round, &group);
        Ok(true)
    }

    /// Marks the step as held back by its gate, and asks the person who opens it.
    fn hold(&self) -> Result<bool> {
        let question = gates::question(self.step);
        self.write("hold step", |tx| {
            if let Some(question) = &question {
                tx.raise(ConditionKind::Gate, &steps::subject(self.molecule.id, self.id()), question)?;
            }
            Ok(tx.hold_step(self.molecule.id, self.id())?)
        })
    }

    fn try_gate(&mut self) -> Result<bool> {
        let Some(gate) = &self.step.step.gate else { return Ok(false) };
        let now = self.town.world().clock().now();
        let since = self.step.started_at.unwrap_or(now);
        let state = self.town.ledger.read(|view| gates::state(view, self.molecule, gate, since, now))?;
        match state {
            GateState::Open => self.write("open gate", |tx| steps::open(tx, self.molecule, self.step, None)),
            GateState::Expired => self.write("expire gate", |tx| {
                let note = Some("its gate did not open in time");
                steps::fail(tx, self.molecule, self.step, StepEnd { state: StepState::Failed, note, output: None })
            }),
            GateState::Closed(when) => {
                self.pass.next = self.pass.next.into_iter().chain(when).min();
                Ok(false)
            }
            GateState::Check(_, pause) => {
                let pause = if self.step.tries == 0 { Duration::ZERO } else { pause };
                self.job_after(JobKind::Gate, "gate", pause);
                Ok(false)
            }
        }
    }

    /// Adds a job for the step if the pause since its last failed run is over.
    fn job_after(&mut self, kind: JobKind, what: &str, pause: Duration) {
        let key = format!("{what}-{}-{}-{}", self.molecule.id, self.id(), self.step.tries);
        let left = pause.saturating_sub(self.observed.age(&key));
        if left.is_zero() || self.observed.is_impatient() {
            self.job(kind, &self.step.step.id.clone());
            return;
        }
        let when = self.town.world().clock().now().saturating_add(left).unwrap_or(Timestamp::MAX);
        self.pass.next = self.pass.next.into_iter().chain([when]).min();
    }

    fn proceed(&mut self) -> Result<bool> {
        match &self.step.step.kind {
            StepKind::Group | StepKind::Gate => {
                self.write("close group", |tx| Ok(tx.end_step(self.molecule.id, self.id(), StepEnd::done(None))?))
            }
            StepKind::Run(_) => {
                self.job_after(JobKind::Step, "run", pause(self.step.tries));
                Ok(false)
            }
            StepKind::Agent if self.molecule.convoy.is_none() => Ok(false),
            StepKind::Agent if self.step.state == StepState::Open => {
                hand_out::sling(self.town, &engine(), self.molecule, self.step)
            }
            StepKind::Agent => self.write("follow bead", |tx| hand_out::follow(tx, self.molecule, self.step)),
        }
    }
}

/// Returns the group of a loop that holds the step, at any depth, in a round that the check of the loop has not let begin yet.
fn undecided_loop(view: &View<'_>, molecule: MoleculeId, step: &MoleculeStep) -> Result<Option<String>> {
    let mut part = step.step.clone();
    while let Some(parent) = part.parent.take() {
        let Some(group) = view.step(molecule, &parent)? else { return Ok(None) };
        if group.is_before(&part) {
            return Ok(Some(parent));
        }
        part = group.step;
    }
    Ok(None)
}

/// Returns the pause before the next run of a command that has failed so often.
fn pause(tries: u32) -> Duration {
    match tries {
        0 => Duration::ZERO,
        tries => FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(tries - 1)).min(LONGEST_PAUSE),
    }
}

/// Returns the caller under which the engine acts.
pub(super) fn engine() -> Caller {
    Caller::role(Address::Deacon)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_between_runs_double_up_to_a_limit() {
        let seconds: Vec<u64> = (0..6).map(|tries| pause(tries).as_secs()).collect();
        assert_eq!(seconds, [0, 10, 20, 40, 80, 160]);
        assert_eq!(pause(100), LONGEST_PAUSE);
    }
}
