//! The negative proof: whether a rig's gates fail when files are broken on purpose. This module stores the last result and
//! repeats the proof.

use gt_ledger::Tx;
use serde::{Deserialize, Serialize};

use super::{Negative, Proving, prove_by};
use crate::rigs::gates::GatesRun;
use crate::town::error::{Error, Result};
use crate::town::person;
use crate::town::{Caller, Rig, Town};

/// Last negative proof of a rig, as the ledger stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Hash of the gates.
    pub gates: String,
    /// Commit that was proved.
    pub commit: String,
    /// Duration of the gates in milliseconds.
    pub took_ms: u64,
    /// Files that were broken.
    pub broken: Vec<String>,
    /// First broken file that no gate noticed.
    pub missed: Option<String>,
    /// Whether the proof intended to break files. It does not if the gates take long.
    #[serde(default)]
    tried: bool,
    /// Time in UTC (RFC 3339). Empty if an older gt stored the record.
    #[serde(default)]
    pub at: String,
}

impl Seen {
    /// Returns the record of a proof, or `None` if it says less than the stored record.
    pub(super) fn of(town: &Town, rig: &Rig, run: &GatesRun, proving: &Proving<'_>) -> Result<Option<Self>> {
        if !run.passed() {
            return Ok(None);
        }
        // Read the rig again, because gates that were left out are no longer in its settings.
        let rig = town.rig(rig.name().as_str())?;
        let tried = proving.within_ms(&rig).is_some_and(|limit| run.took_ms() <= limit);
        if !tried && seen(town, &rig)?.is_some_and(|seen| seen.is_tried()) {
            return Ok(None);
        }
        Ok(Some(Self {
            gates: rig.settings.gates_hash(),
            commit: trunk(town, &rig)?.unwrap_or_default(),
            took_ms: run.took_ms(),
            broken: run.broken.iter().map(|broken| broken.file.clone()).collect(),
            missed: run.blind_to().map(str::to_owned),
            tried,
            at: town.world().clock().now().to_string(),
        }))
    }

    pub(super) fn keep(&self, tx: &Tx<'_>, rig: &Rig) -> Result<()> {
        tx.set_meta(&key(rig), &serde_json::to_string(self).unwrap_or_default()).map_err(Error::from)
    }

    /// Whether files were broken, or would have been if the project had a file that its tests are known to use.
    pub(crate) fn is_tried(&self) -> bool {
        self.tried || !self.broken.is_empty()
    }

    /// Whether the trunk has moved since.
    pub(crate) fn is_stale(&self, town: &Town, rig: &Rig) -> Result<bool> {
        Ok(trunk(town, rig)?.is_some_and(|trunk| trunk != self.commit))
    }
}

fn trunk(town: &Town, rig: &Rig) -> Result<Option<String>> {
    let commit = town.world().repo().refs(&rig.layout.repo())?.remove(&rig.trunk_ref());
    Ok(commit.map(|commit| commit.to_string()))
}

fn key(rig: &Rig) -> String {
    format!("gates-seen:{}", rig.name())
}

/// Returns the last negative proof of a rig; `None` if there is none or the gates have changed.
pub fn seen(town: &Town, rig: &Rig) -> Result<Option<Seen>> {
    let text = town.ledger.read(|view| view.meta(&key(rig)).map_err(Error::from))?;
    let seen: Option<Seen> = text.and_then(|text| serde_json::from_str(&text).ok());
    Ok(seen.filter(|seen| seen.gates == rig.settings.gates_hash()))
}

/// Longest duration, in milliseconds, of gates that the doctor runs again unasked.
const CHEAP_FOR_DOCTOR_MS: u64 = 10_000;

/// Outcome of repeating the negative proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// It was repeated.
    Done,
    /// It was unnecessary, or it would take too long to do unasked.
    NotDue,
    /// The rig's gates are running.
    Busy,
}

/// Repeats the negative proof of a rig if the trunk has moved and the gates are quick, or always if `negative` says so. Does
/// nothing while the rig's gates are running.
pub fn repeat(town: &Town, caller: &Caller, rig: &Rig, proving: &Proving<'_>) -> Result<Repeated> {
    if !is_due(town, rig, proving.negative)? {
        return Ok(Repeated::NotDue);
    }
    if town.try_lock(&rig.gates_lane())?.is_none() {
        return Ok(Repeated::Busy);
    }
    let person = person::require(caller, "has gates run on the trunk")?;
    prove_by(town, caller, rig, &person, proving)?;
    Ok(Repeated::Done)
}

fn is_due(town: &Town, rig: &Rig, negative: Negative) -> Result<bool> {
    if negative == Negative::Always {
        return Ok(rig.settings.prove_negative && !rig.settings.gate.is_empty());
    }
    let Some(seen) = seen(town, rig)? else { return Ok(false) };
    Ok(seen.took_ms <= CHEAP_FOR_DOCTOR_MS && !seen.broken.is_empty() && seen.is_stale(town, rig)?)
}
