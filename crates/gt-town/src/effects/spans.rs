//! Log lines about the runs of effects: each carries the rig, the bead, the attempt and the effect.

use std::error::Error as StdError;

use gt_ledger::EffectRow;

use crate::town::error::{Error, Result};

/// Runs an effect within its spans, and logs how that ended.
pub(crate) fn traced<T>(row: &EffectRow, run: impl FnOnce() -> Result<T>) -> Result<T> {
    let effect = row.effect.kind();
    let _rig = row.rig.as_ref().map(|rig| tracing::error_span!("rig", %rig).entered());
    let _bead = row.bead.as_ref().map(|bead| tracing::error_span!("bead", bead = bead.as_str()).entered());
    let _attempt = row.effect.attempt().map(|attempt| tracing::error_span!("attempt", %attempt).entered());
    let _effect = tracing::error_span!("effect", effect, row = row.id, tries = row.tries).entered();
    tracing::debug!("the effect begins");
    let result = run();
    match &result {
        Ok(_) => tracing::info!("the effect is done"),
        Err(error) => failed(error),
    }
    result
}

fn failed(error: &Error) {
    tracing::error!(error = error as &(dyn StdError + 'static), "the effect failed");
}
