//! The negative proof: whether a rig's gates turn red where files are broken on purpose. What it said last, and when it is repeated.

use gt_ledger::Tx;
use serde::{Deserialize, Serialize};

use super::{Negative, Proving, prove_by};
use crate::rigs::gates::GatesRun;
use crate::town::error::{Error, Result};
use crate::town::person;
use crate::town::{Caller, Rig, Town};

/// What the gates of a rig were last seen to miss, as kept in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Which gates these were.
    pub gates: String,
    /// On which commit.
    pub commit: String,
    /// How long they took, in milliseconds.
    pub took_ms: u64,
    /// Files that were broken.
    pub broken: Vec<String>,
    /// The first of them that all gates missed.
    pub missed: Option<String>,
    /// Whether files were to be broken. They are not where the gates take long.
    #[serde(default)]
    tried: bool,
    /// When, in UTC as RFC 3339 has it; empty where an older gt has not kept it.
    #[serde(default)]
    pub at: String,
}

impl Seen {
    /// What a proof is remembered by; `None` where it says less than what is remembered.
    pub(super) fn of(town: &Town, rig: &Rig, run: &GatesRun, proving: &Proving<'_>) -> Result<Option<Self>> {
        if !run.passed() {
            return Ok(None);
        }
        // What was left out is no gate any more.
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

    /// Whether files were broken, or would have been if one were known that the tests use.
    pub(crate) fn is_tried(&self) -> bool {
        self.tried || !self.broken.is_empty()
    }

    /// Whether the trunk is at another commit by now.
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

/// What the gates of a rig were last seen to miss; `None` where they were never proved, or are others now.
pub fn seen(town: &Town, rig: &Rig) -> Result<Option<Seen>> {
    let text = town.ledger.read(|view| view.meta(&key(rig)).map_err(Error::from))?;
    let seen: Option<Seen> = text.and_then(|text| serde_json::from_str(&text).ok());
    Ok(seen.filter(|seen| seen.gates == rig.settings.gates_hash()))
}

/// Milliseconds that gates take at most which the doctor runs again by itself.
const CHEAP_FOR_DOCTOR_MS: u64 = 10_000;

/// What came of repeating the negative proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// It was repeated.
    Done,
    /// There was no need to, or it takes too long to do so unasked.
    NotDue,
    /// The rig's gates are at work.
    Busy,
}

/// Repeats the negative proof of a rig: where the trunk has moved since and the gates are quick; where `negative` says so,
/// always. Not while the rig's gates are at work.
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
