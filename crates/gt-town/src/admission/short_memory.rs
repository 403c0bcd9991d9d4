//! Admission by memory: while the machine has too little free memory, no new agent starts. Running agents continue.

use gt_ledger::View;
use gt_model::address::Address;
use gt_model::condition::ConditionKind;

use crate::town::Town;
use crate::town::error::{Error, Result};
use crate::town::settings;

const SUBJECT: &str = "machine";

const MB: u64 = 1024 * 1024;

/// Whether new agents must not start.
pub(crate) fn is_short(view: &View<'_>) -> Result<bool> {
    Ok(view.condition(ConditionKind::Memory, SUBJECT)?.is_some())
}

/// Raises or clears the condition for low memory.
pub(crate) fn patrol(town: &Town) -> Result<()> {
    let wanted = settings::current(town).min_free_memory_mb.saturating_mul(MB);
    let free = town.world().sessions().free_memory();
    let known = town.ledger.read(is_short)?;
    if known == becomes_short(known, free, wanted) {
        return Ok(());
    }
    town.ledger.write(&Address::Deacon.to_string(), "memory", |tx| {
        if known {
            return tx.clear(ConditionKind::Memory, SUBJECT).map(drop).map_err(Error::from);
        }
        let text = format!(
            "{} MB of memory are free, less than min_free_memory_mb = {} in town.toml: no new worker is started, \
             running ones continue",
            free.unwrap_or_default() / MB,
            wanted / MB
        );
        tx.raise(ConditionKind::Memory, SUBJECT, &text).map(drop).map_err(Error::from)
    })
}

/// Returns the new state. The condition ends only when a quarter more than the required memory is free; otherwise ending and
/// starting would alternate. An unknown amount counts as enough.
fn becomes_short(is_short: bool, free: Option<u64>, wanted: u64) -> bool {
    let enough = if is_short { wanted.saturating_add(wanted / 4) } else { wanted };
    free.is_some_and(|free| free < enough)
}

#[cfg(test)]
mod tests {
    use super::becomes_short;

    #[test]
    fn f17_memory_is_short_below_the_least_and_until_a_quarter_more_is_free() {
        for (is_short, free, expected) in [
            (false, Some(99), true),
            (false, Some(100), false),
            (true, Some(100), true),
            (true, Some(124), true),
            (true, Some(125), false),
            (true, None, false),
            (false, None, false),
        ] {
            assert_eq!(becomes_short(is_short, free, 100), expected, "{is_short} {free:?}");
        }
        assert!(!becomes_short(true, Some(0), 0), "0: never");
    }
}
