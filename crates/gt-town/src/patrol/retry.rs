//! Retries failed starts after a person has fixed the cause.

use std::collections::BTreeSet;

use crate::agents::readiness::{held, kind_key, worker_key};
use crate::agents::wanted;
use crate::town::error::{Error, Result};
use crate::town::{Caller, Town};
use crate::work::decided;

/// Retries failed starts, for a person who has fixed the cause. Returns their number.
pub fn starts(town: &Town, caller: &Caller) -> Result<usize> {
    let count = town.ledger.write(&caller.name(), "retry starts", |tx| {
        let mut mended = BTreeSet::new();
        let mut count = wanted::retry(tx)?;
        for attempt in tx.present_attempts()?.iter().filter(|attempt| attempt.is_hooked()) {
            let over = tx.incarnations_of(attempt.id)?.iter().all(|incarnation| incarnation.ended_at.is_some());
            // A running agent that asks a question continues by itself once it is answered.
            if over && held(tx, attempt)?.is_some() {
                decided::begin_incarnation(tx, attempt)?;
                mended.extend([worker_key(attempt), kind_key(attempt)]);
                count += 1;
            }
        }
        for (kind, subject) in mended {
            tx.clear(kind, &subject)?;
        }
        Ok::<_, Error>(count)
    })?;
    town.wake();
    Ok(count)
}
