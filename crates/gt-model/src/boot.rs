//! Decisions of boot, the process that keeps the deacon alive: when to restart the deacon, when it counts as hung, and when to
//! ask a person.

use std::time::Duration;

/// Number of starts of the deacon within [`WINDOW`] after which boot gives up.
pub const STARTS: usize = 6;

/// Observed time after which a start no longer counts.
pub const WINDOW: Duration = Duration::from_mins(10);

/// Observed time without a finished patrol after which a running deacon counts as hung. A patrol takes seconds. Work that takes
/// minutes (gates, a slow remote) runs beside it, or has its own, shorter time limit.
pub const HUNG_AFTER: Duration = Duration::from_mins(10);

/// Pause before the second start. It doubles with each further one.
const BACK_OFF: Duration = Duration::from_secs(1);

/// Action of boot when the deacon has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterEnd {
    /// The deacon was supposed to end, so boot ends as well.
    Finish,
    /// Start the deacon again after this pause.
    Restart(Duration),
    /// The deacon ended too often: a person must look into it.
    GiveUp,
}

/// Decides what to do when the deacon has ended. `wanted`: the town exists and should run. `starts`: the observed time since each
/// start.
pub fn after_end(wanted: bool, starts: &[Duration]) -> AfterEnd {
    if !wanted {
        return AfterEnd::Finish;
    }
    let recent = starts.iter().filter(|ago| **ago < WINDOW).count();
    if recent >= STARTS {
        return AfterEnd::GiveUp;
    }
    let doublings = u32::try_from(recent.saturating_sub(1)).unwrap_or(u32::MAX);
    AfterEnd::Restart(BACK_OFF * 2_u32.saturating_pow(doublings))
}

/// Whether a running deacon is hung. `silent_for` is the observed time since its last finished patrol.
pub fn is_hung(silent_for: Duration) -> bool {
    silent_for >= HUNG_AFTER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_slow_down_and_end() {
        let seconds = Duration::from_secs;
        let check = |starts: &[u64], expected: AfterEnd| {
            let starts: Vec<Duration> = starts.iter().map(|s| seconds(*s)).collect();
            assert_eq!(after_end(true, &starts), expected, "{starts:?}");
        };
        check(&[5], AfterEnd::Restart(seconds(1)));
        check(&[9, 5], AfterEnd::Restart(seconds(2)));
        check(&[9, 5, 1], AfterEnd::Restart(seconds(4)));
        check(&[6, 5, 4, 3, 2, 1], AfterEnd::GiveUp);
        check(&[700, 700, 700, 700, 700, 1], AfterEnd::Restart(seconds(1)));
        assert_eq!(after_end(false, &[seconds(1)]), AfterEnd::Finish);
    }

    #[test]
    fn silence_within_the_limit_is_work() {
        assert!(!is_hung(HUNG_AFTER - Duration::from_secs(1)));
        assert!(is_hung(HUNG_AFTER));
    }
}
