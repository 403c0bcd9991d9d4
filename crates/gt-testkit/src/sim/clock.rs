//! A clock that advances only on command.

use std::time::Duration;

use gt_world::Clock;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{SimWorld, State};

/// Start time of every in-memory world: 2030-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp::constant(1_893_456_000, 0);

impl State {
    /// Returns the wall time: the start, plus the time that has passed, plus manual changes.
    pub(super) fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.monotonic).unwrap_or(SignedDuration::MAX);
        START.checked_add(passed.saturating_add(self.turned)).unwrap_or(Timestamp::MAX)
    }
}

impl SimWorld {
    /// Lets time pass and does nothing else.
    pub fn advance(&self, how_long: Duration) {
        let mut state = self.locked();
        state.monotonic = state.monotonic.saturating_add(how_long);
    }

    /// Sets the wall clock forwards or backwards. The monotonic clock does not change.
    pub fn turn_wall_clock(&self, by: SignedDuration) {
        let mut state = self.locked();
        state.turned = state.turned.saturating_add(by);
    }

    /// Sets a callback that runs in each [`Clock::pause`], after its time has passed. A pause within the callback only lets time
    /// pass.
    pub fn set_meanwhile(&self, meanwhile: impl FnMut(&SimWorld) + Send + 'static) {
        let old = self.locked().meanwhile.replace(Box::new(meanwhile));
        drop(old);
    }
}

impl Clock for SimWorld {
    fn now(&self) -> Timestamp {
        self.locked().now()
    }

    fn zone(&self) -> TimeZone {
        TimeZone::UTC
    }

    /// The simulation knows only one time zone.
    fn zone_of(&self, name: &str) -> Option<TimeZone> {
        if name == "Europe/Berlin" { TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").ok() } else { None }
    }

    fn monotonic(&self) -> Duration {
        self.locked().monotonic
    }

    fn pause(&self, how_long: Duration) {
        self.advance(how_long);
        // Removes the callback while it runs, so that a pause within it does not call it again.
        let Some(mut meanwhile) = self.locked().meanwhile.take() else { return };
        meanwhile(self);
        let mut state = self.locked();
        if state.meanwhile.is_none() {
            state.meanwhile = Some(meanwhile);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_only_on_command() {
        let world = SimWorld::new();
        assert_eq!(Clock::now(&world).to_string(), "2030-01-01T00:00:00Z");
        world.advance(Duration::from_millis(61_500));
        assert_eq!(Clock::now(&world).to_string(), "2030-01-01T00:01:01.5Z");
        assert_eq!(world.monotonic(), Duration::from_millis(61_500));
    }

    #[test]
    fn a_pause_runs_the_callback_but_not_within_the_callback() {
        let world = SimWorld::new();
        let mut left = 5;
        world.set_meanwhile(move |world| {
            left -= 1;
            assert!(left > 0, "called within itself");
            world.pause(Duration::from_secs(10));
        });
        world.pause(Duration::from_secs(1));
        assert_eq!(world.monotonic(), Duration::from_secs(11));
        world.pause(Duration::from_secs(1));
        assert_eq!(world.monotonic(), Duration::from_secs(22), "it is called at the second pause too");
    }
}
