//! Schedule of the deacon's checkpoints: when the town is idle, rarely enough to be cheap, and often enough to be useful.

use std::time::Duration;

/// Minimum time between two checkpoints.
const AT_LEAST: Duration = Duration::from_mins(1);

/// Time after which a town that is never idle gets a checkpoint anyway.
const AT_MOST: Duration = Duration::from_mins(10);

/// Share of the deacon's time for checkpoints: one part in so many.
const SHARE: u32 = 20;

/// State for deciding when the next checkpoint is due.
#[derive(Debug, Default)]
pub struct Schedule {
    /// End of the last checkpoint by the monotonic clock, and its duration.
    last: Option<(Duration, Duration)>,
    /// Last event that the last checkpoint includes.
    done: Option<i64>,
    /// Newest event at the last check.
    seen: Option<i64>,
}

impl Schedule {
    /// Whether a checkpoint is due now; `newest` is the newest event.
    pub(crate) fn is_due(&mut self, now: Duration, newest: i64) -> bool {
        let (last, took) = *self.last.get_or_insert((now, Duration::ZERO));
        let rests = self.seen.replace(newest) == Some(newest);
        let since = now.saturating_sub(last);
        let pause = AT_LEAST.max(took.saturating_mul(SHARE));
        self.done != Some(newest) && since >= pause && (rests || since >= AT_MOST)
    }

    /// Records a checkpoint tried between `begun` and `now`, and whether it includes all events up to `newest`.
    pub fn tried(&mut self, begun: Duration, now: Duration, newest: i64, went_well: bool) {
        self.last = Some((now, now.saturating_sub(begun)));
        if went_well {
            self.done = Some(newest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_due_at_rest_and_once_a_minute() {
        let seconds = Duration::from_secs;
        let mut schedule = Schedule::default();
        let mut look = |at: u64, newest: i64| schedule.is_due(seconds(at), newest);
        assert!(!look(0, 1), "nobody has rested yet");
        assert!(!look(59, 1));
        assert!(look(60, 1));
        assert!(!look(61, 2), "something has just happened");
        assert!(look(62, 2));
        schedule.tried(seconds(62), seconds(63), 2, true);
        assert!(!schedule.is_due(seconds(200), 2), "nothing is new");
        assert!(!schedule.is_due(seconds(201), 3));
        assert!(schedule.is_due(seconds(202), 3));
        schedule.tried(seconds(202), seconds(212), 3, false);
        assert!(!schedule.is_due(seconds(300), 3), "it took long, so the pause is long");
        assert!(schedule.is_due(seconds(412), 3), "it did not go well");
    }

    #[test]
    fn a_town_that_never_rests_has_checkpoints_too() {
        let mut schedule = Schedule::default();
        let due: Vec<u64> =
            (0..1000).step_by(5).filter(|at| schedule.is_due(Duration::from_secs(*at), *at as i64)).collect();
        assert_eq!(due.first(), Some(&600));
    }
}
