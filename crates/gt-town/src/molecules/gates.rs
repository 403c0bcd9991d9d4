//! Decides whether a step's gate is open.

use std::time::Duration;

use gt_ledger::{AttemptOutcome, LedgerError, Molecule, MoleculeStep, View};
use gt_model::bead::Status;
use gt_model::formula::{Acceptance, Gate, Opens};
use gt_model::id::BeadId;
use jiff::Timestamp;

use crate::town::error::Result;

/// State of a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GateState {
    /// It is open.
    Open,
    /// It is closed. The time is when it may change by itself, if that is known.
    Closed(Option<Timestamp>),
    /// Its time limit is over.
    Expired,
    /// A check decides, and is due again after this time.
    Check(Acceptance, Duration),
}

/// Returns the state of a gate that has held back a step since `since`.
pub(super) fn state(
    view: &View<'_>,
    molecule: &Molecule,
    gate: &Gate,
    since: Timestamp,
    now: Timestamp,
) -> Result<GateState> {
    let after = |seconds: u64| since.saturating_add(Duration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    let until = gate.timeout_seconds.map(after);
    let state = match &gate.opens {
        Opens::Human { .. } => GateState::Closed(None),
        Opens::After { seconds } => timer(after(*seconds), now),
        Opens::At { time } => timer(moment(time)?, now),
        Opens::Bead { bead } => open_if(is_closed(view, &BeadId::from(bead.as_str()))?),
        Opens::Merge { bead } => {
            let bead = bead.as_deref().map(BeadId::from).or_else(|| molecule.bead.clone());
            open_if(bead.map_or(Ok(false), |bead| has_landed(view, &bead))?)
        }
        Opens::Mail { from, subject } => open_if(view.has_mail_since(since, from.as_deref(), subject.as_deref())?),
        Opens::Command { check, every_seconds } => {
            GateState::Check(check.clone(), Duration::from_secs((*every_seconds).max(1)))
        }
    };
    Ok(match (state, until) {
        (GateState::Open, _) => GateState::Open,
        (_, Some(until)) if now >= until => GateState::Expired,
        (GateState::Closed(when), until) => GateState::Closed(when.into_iter().chain(until).min()),
        (other, _) => other,
    })
}

/// Parses the moment of a planned gate.
fn moment(text: &str) -> Result<Timestamp> {
    let corrupt = || LedgerError::Corrupt { what: "the time of a gate", text: text.to_owned() };
    text.parse().map_err(|_| corrupt().into())
}

fn timer(at: Timestamp, now: Timestamp) -> GateState {
    if now >= at { GateState::Open } else { GateState::Closed(Some(at)) }
}

fn open_if(is_open: bool) -> GateState {
    if is_open { GateState::Open } else { GateState::Closed(None) }
}

/// Whether a bead is closed. A bead that does not exist is not: it may be made later.
fn is_closed(view: &View<'_>, bead: &BeadId) -> Result<bool> {
    Ok(view.bead(bead)?.is_some_and(|bead| bead.status == Status::Closed))
}

fn has_landed(view: &View<'_>, bead: &BeadId) -> Result<bool> {
    Ok(view.attempts_on(bead)?.iter().any(|attempt| attempt.outcome == Some(AttemptOutcome::Landed)))
}

/// Returns the question of a gate for a person.
pub(super) fn question(step: &MoleculeStep) -> Option<String> {
    match &step.step.gate.as_ref()?.opens {
        Opens::Human { ask, .. } => Some(ask.clone().unwrap_or_else(|| format!("may step {} begin?", step.step.id))),
        _ => None,
    }
}
