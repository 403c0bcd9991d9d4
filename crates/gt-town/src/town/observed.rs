//! Deadlines in observed time. Only time that a running process has seen pass counts, so a clock that jumps or a machine that
//! slept makes nothing late.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A longer step between two ticks is a gap (suspend, stopped process) and does not count.
const GAP: Duration = Duration::from_mins(2);

/// Observed age of each of a set of conditions.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    ages: BTreeMap<String, Duration>,
    seen: BTreeSet<String>,
    last: Option<Duration>,
    impatient: bool,
}

impl Observed {
    /// Returns a value for a person's one-time call: pauses between retries count as over, but deadlines never pass.
    pub fn impatient() -> Self {
        Self { impatient: true, ..Self::default() }
    }

    /// Whether pauses between retries count as over.
    pub(crate) fn is_impatient(&self) -> bool {
        self.impatient
    }

    /// Advances to `now` (monotonic) and forgets the keys that were not asked for since the last call.
    pub fn tick(&mut self, now: Duration) {
        let step = self.last.map_or(Duration::ZERO, |last| now.saturating_sub(last));
        self.last = Some(now);
        let step = if step > GAP { Duration::ZERO } else { step };
        let seen = std::mem::take(&mut self.seen);
        self.ages.retain(|key, _| seen.contains(key));
        for age in self.ages.values_mut() {
            *age += step;
        }
    }

    /// Returns how long `key` has lasted; zero on the first call.
    pub fn age(&mut self, key: &str) -> Duration {
        self.seen.insert(key.to_owned());
        *self.ages.entry(key.to_owned()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_counts_while_it_is_watched_and_gaps_do_not() {
        let seconds = Duration::from_secs;
        let mut observed = Observed::default();
        let mut at = |now: u64| {
            observed.tick(seconds(now));
            observed.age("x").as_secs()
        };
        assert_eq!(at(100), 0);
        assert_eq!(at(110), 10);
        assert_eq!(at(10_000), 10, "a gap counts as nothing");
        assert_eq!(at(10_005), 15);
        observed.tick(seconds(10_006));
        observed.tick(seconds(10_007));
        assert_eq!(observed.age("x"), Duration::ZERO, "what nobody asked for is forgotten");
    }
}
