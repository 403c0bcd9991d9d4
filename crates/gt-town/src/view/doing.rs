//! Derives a worker's activity from the facts.

use gt_ledger::{Attempt, EffectRow, MoleculeStep, View};
use gt_model::words::times;
use gt_world::SessionState;
use serde::Serialize;

use crate::agents::readiness;
use crate::effects::{self, Wait};
use crate::town::Town;
use crate::town::error::Result;
use crate::work::hook;

/// Current activity of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerDoing {
    /// Its work is submitted or its attempt is over. Session and worktree are removed.
    Leaves,
    /// No effect that starts it is decided yet.
    ToBeStarted,
    /// Its start must wait.
    Waits(Wait),
    /// An effect for its start waits for its turn, or failed and will be tried again.
    Effect(Box<EffectRow>),
    /// A condition keeps it from starting: the first line of its text.
    Held(String),
    /// Its session is decided and has not started.
    NotStarted,
    /// Its session runs, at this step.
    Works(StepAt),
    /// Its session has ended, which is not recorded yet.
    JustEnded(StepAt),
    /// Its session has ended and will be started again.
    Ended(StepAt),
    /// The state of its session can't be told: the reason.
    Unknown(String),
}

/// Step of its molecule that a worker is at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepAt {
    /// All steps are closed.
    AllDone,
    /// This step is next.
    Step {
        /// Number of the step; the first has 1.
        number: u32,
        /// Number of all steps.
        of: usize,
        /// Id of the step.
        id: String,
    },
}

impl StepAt {
    fn of(steps: &[MoleculeStep]) -> Self {
        hook::current(steps).map_or(Self::AllDone, |step| Self::Step {
            number: step.position + 1,
            of: steps.len(),
            id: step.step.id.clone(),
        })
    }
}

/// Returns the current activity of an attempt's worker.
pub(crate) fn doing(town: &Town, view: &View<'_>, attempt: &Attempt) -> Result<WorkerDoing> {
    if attempt.submitted_at.is_some() || attempt.ended_at.is_some() {
        return Ok(WorkerDoing::Leaves);
    }
    let Some(newest) = view.incarnations_of(attempt.id)?.pop() else { return before_start(town, view, attempt) };
    if let Some(why) = readiness::held(view, attempt)? {
        return Ok(WorkerDoing::Held(why));
    }
    let at = StepAt::of(&view.steps(attempt.id)?);
    Ok(match town.world().sessions().state(&town.layout.session(&newest.id))? {
        _ if newest.ended_at.is_some() => WorkerDoing::Ended(at),
        SessionState::NotStarted => WorkerDoing::NotStarted,
        SessionState::Running { .. } => WorkerDoing::Works(at),
        SessionState::Ended(_) => WorkerDoing::JustEnded(at),
        SessionState::Unknown(why) => WorkerDoing::Unknown(why),
    })
}

/// Returns what an attempt without a session waits for.
fn before_start(town: &Town, view: &View<'_>, attempt: &Attempt) -> Result<WorkerDoing> {
    let mut effects = view.open_effects()?.into_iter();
    let Some(row) = effects.find(|row| row.bead.as_ref() == Some(&attempt.bead)) else {
        return Ok(WorkerDoing::ToBeStarted);
    };
    let wait = if row.last_error.is_some() { None } else { effects::wait(view, &row, town.settings.max_polecats)? };
    Ok(wait.map_or_else(|| WorkerDoing::Effect(Box::new(row)), WorkerDoing::Waits))
}

/// Describes an effect that waits for its turn, or that failed.
pub fn waiting_for(row: &EffectRow) -> String {
    match &row.last_error {
        Some(error) => format!("{}, tried {}: {error}", row.effect.words(), times(row.tries)),
        None => format!("waiting for its turn: {}", row.effect.words()),
    }
}
