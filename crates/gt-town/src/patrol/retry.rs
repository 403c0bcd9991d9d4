//! Starts again what did not start, once a person has mended the cause.

use std::collections::BTreeSet;

use crate::agents::readiness::{held, kind_key, worker_key};
use crate::agents::wanted;
use crate::town::error::{Error, Result};
use crate::town::{Caller, Town};
use crate::work::decided;

/// Starts again what did not start: as a person's word that the cause is mended.
pub fn starts(town: &Town, caller: &Caller) -> Result<usize> {
    let count = town.ledger.write(&caller.name(), "retry starts", |tx| {
        let mut mended = BTreeSet::new();
        let mut count = wanted::retry(tx)?;
        for attempt in tx.present_attempts()?.iter().filter(|attempt| attempt.is_hooked()) {
            let over = tx.incarnations_of(attempt.id)?.iter().all(|incarnation| incarnation.ended_at.is_some());
            // One that runs, and asks, goes on by itself when it is answered.
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
