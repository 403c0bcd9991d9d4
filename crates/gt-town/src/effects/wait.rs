//! Reasons why an effect that starts a worker must wait: pauses, a town going down, spending limits, full slots.

use gt_ledger::{Attempt, EffectRow, View};
use gt_model::address::Address;
use gt_model::effect::Effect;
use gt_model::id::{AttemptId, IncarnationId};
use serde::Serialize;

use crate::admission::limits;
use crate::admission::short_memory;
use crate::admission::spend;
use crate::town::desired;
use crate::town::error::Result;

/// Reason why a worker can't start yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wait {
    /// A person paused the town or the rig.
    Paused,
    /// The town is going down.
    GoingDown,
    /// The daily spending limit is reached.
    Spend,
    /// Too little memory is free.
    Memory,
    /// Its kind of agent can't work now, because of a limit of its account or an outage of the service.
    Parked(String),
    /// All slots are taken: their number and holders.
    Slots(u32, Vec<Address>),
}

/// Returns the attempts that hold a worker slot: from the choice of their base until their worktree is archived.
pub(super) fn slot_holders(view: &View<'_>, but: AttemptId) -> Result<Vec<Attempt>> {
    let has_slot = |other: &Attempt| other.id != but && other.base.is_some() && other.archived_at.is_none();
    Ok(view.present_attempts()?.into_iter().filter(has_slot).collect())
}

/// Returns what an effect that starts a worker waits for, apart from its turn. `None` if it waits for nothing or is another
/// effect.
pub(crate) fn wait(view: &View<'_>, row: &EffectRow, slots: u32) -> Result<Option<Wait>> {
    let attempt = match &row.effect {
        Effect::FetchBase { attempt } => view.attempt(*attempt)?,
        Effect::StartSession { incarnation } => attempt_of(view, incarnation)?,
        _ => return Ok(None),
    };
    let begins = matches!(row.effect, Effect::FetchBase { .. });
    if begins && desired::is_paused(view, row.rig.as_ref())? {
        return Ok(Some(Wait::Paused));
    }
    if desired::is_going_down(view)? {
        return Ok(Some(Wait::GoingDown));
    }
    if spend::is_reached(view)? {
        return Ok(Some(Wait::Spend));
    }
    if short_memory::is_short(view)? {
        return Ok(Some(Wait::Memory));
    }
    let Some(attempt) = attempt else { return Ok(None) };
    if limits::is_parked_for(view, &attempt)? {
        return Ok(Some(Wait::Parked(attempt.agent)));
    }
    if !begins {
        return Ok(None);
    }
    // Effects run in order, so slots go to the first. An attempt that can't get a base blocks no other.
    let holders = slot_holders(view, attempt.id)?;
    let is_full = holders.len() >= slots as usize;
    Ok(is_full.then(|| Wait::Slots(slots, holders.iter().map(Attempt::address).collect())))
}

pub(super) fn makes_worktree(row: &EffectRow, attempt: AttemptId) -> bool {
    matches!(row.effect, Effect::AddWorktree { attempt: a } | Effect::SetUp { attempt: a } if a == attempt)
}

pub(super) fn attempt_of(view: &View<'_>, incarnation: &IncarnationId) -> Result<Option<Attempt>> {
    let incarnation = view.incarnation(incarnation)?;
    let attempt = incarnation.and_then(|incarnation| incarnation.attempt());
    Ok(attempt.map(|attempt| view.attempt(attempt)).transpose()?.flatten())
}
