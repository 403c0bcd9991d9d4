//! Retries failed rounds of a refinery after pauses, as for effects. Rounds are never given up.

use std::time::Duration;

use gt_model::condition::ConditionKind;
use gt_model::effect::pause_after;

use crate::refinery::{self, Round};
use crate::town::error::{Error, Result};
use crate::town::observed::Observed;
use crate::town::{Rig, Town};

/// Number of consecutive failed rounds of each rig, as seen by one process.
#[derive(Debug, Default)]
pub struct BackOff {
    failures: u32,
}

impl BackOff {
    /// Runs a round, unless the pause after the last failure is not over. `None`: no round was tried.
    pub fn round(&mut self, town: &Town, rig: &Rig, observed: &mut Observed) -> Result<Option<Round>> {
        if !self.is_due(town, rig, observed)? {
            return Ok(None);
        }
        let round = refinery::run_round(town, rig);
        self.failures = if round.is_ok() { 0 } else { self.failures.saturating_add(1) };
        // The pause starts now.
        observed.age(&self.key(rig));
        round.map(Option::unwrap_or_default).map(Some)
    }

    fn is_due(&mut self, town: &Town, rig: &Rig, observed: &mut Observed) -> Result<bool> {
        if self.failures == 0 {
            return Ok(true);
        }
        let told = town
            .ledger
            .read(|view| view.condition(ConditionKind::Refinery, rig.name().as_str()).map_err(Error::from))?;
        if told.is_none() {
            self.failures = 0;
            return Ok(true);
        }
        Ok(observed.age(&self.key(rig)) >= self.pause())
    }

    fn key(&self, rig: &Rig) -> String {
        format!("round-{}-{}", rig.name(), self.failures)
    }

    fn pause(&self) -> Duration {
        pause_after(self.failures)
    }
}
