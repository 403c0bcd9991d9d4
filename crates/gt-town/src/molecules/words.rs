//! Describes what the steps of a molecule wait for.

use gt_ledger::{MoleculeStep, StepState};
use gt_model::formula::{Acceptance, Gate, Opens, Run, StepKind};

use crate::work::hook::{self, Obstacle};

/// Returns what a step waits for, or who is at it. `None` if it is over.
pub fn waits_for(steps: &[MoleculeStep], step: &MoleculeStep) -> Option<String> {
    let bead = || step.bead.as_ref().map(|bead| format!("the worker of {bead}"));
    Some(match (step.state, hook::obstacle(steps, step)) {
        (StepState::Failed, _) => "it failed: a person decides".to_owned(),
        (_, Some(Obstacle::Over)) => return None,
        (_, Some(Obstacle::Needs(needs))) if needs.is_empty() => "the molecules that a step poured".to_owned(),
        (_, Some(Obstacle::Needs(needs))) => format!("comes after {}", needs.join(", ")),
        (StepState::Waiting, _) | (_, Some(Obstacle::Gate)) => {
            step.step.gate.as_ref().map_or_else(|| "its gate".to_owned(), gate)
        }
        (_, Some(Obstacle::Round)) => "the check of its loop".to_owned(),
        (StepState::Open, Some(Obstacle::Engine)) if step.step.gate.is_some() && step.opened_at.is_none() => {
            step.step.gate.as_ref().map_or_else(|| "its gate".to_owned(), gate)
        }
        (StepState::Running, Some(Obstacle::Engine)) => "the command is running".to_owned(),
        (_, Some(Obstacle::Engine)) => "the town does it".to_owned(),
        (_, None) => bead().unwrap_or_else(|| "an agent can do it now".to_owned()),
    })
}

/// Describes what opens a gate.
pub fn gate(gate: &Gate) -> String {
    match &gate.opens {
        Opens::Human { ask, who } => {
            let who = who.as_deref().unwrap_or("the overseer");
            ask.as_ref().map_or_else(|| format!("waits for {who}"), |ask| format!("waits for {who}: {ask}"))
        }
        Opens::After { seconds } => format!("waits {seconds} seconds"),
        Opens::At { time } => format!("waits until {time}"),
        Opens::Bead { bead } => format!("waits until {bead} is closed"),
        Opens::Merge { bead } => format!("waits until {} has landed", bead.as_deref().unwrap_or("its bead")),
        Opens::Mail { from, subject } => {
            let from = from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
            let subject = subject.as_ref().map(|subject| format!(" about {subject}")).unwrap_or_default();
            format!("waits for mail{from}{subject}")
        }
        Opens::Command { check, every_seconds } => {
            format!("waits until this passes, every {every_seconds} seconds: {}", acceptance(check))
        }
    }
}

/// Describes a check.
pub fn acceptance(check: &Acceptance) -> String {
    match check {
        Acceptance::Act(act) => format!("gt:{}", act.name()),
        Acceptance::Command(argv) => argv.join(" "),
    }
}

/// Describes who or what closes a step.
pub fn kind(kind: &StepKind) -> String {
    match kind {
        StepKind::Agent => "agent".to_owned(),
        StepKind::Gate => "gate".to_owned(),
        StepKind::Group => "group".to_owned(),
        StepKind::Run(Run::Act(act)) => format!("run gt:{}", act.name()),
        StepKind::Run(Run::Argv(argv)) => format!("run {}", argv.join(" ")),
        StepKind::Run(Run::Script(_)) => "run a script".to_owned(),
    }
}
