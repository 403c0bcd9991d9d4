//! The machine's clocks.
#![expect(clippy::disallowed_methods, reason = "this is the one place that reads clocks and sleeps")]

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustix::time::{ClockId, clock_gettime};

use crate::Clock;

/// The clocks of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn zone(&self) -> TimeZone {
        TimeZone::system()
    }

    fn zone_of(&self, name: &str) -> Option<TimeZone> {
        TimeZone::get(name).ok()
    }

    fn monotonic(&self) -> Duration {
        let time = clock_gettime(ClockId::Monotonic);
        // Neither part of this clock is ever negative.
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    }

    fn pause(&self, how_long: Duration) {
        std::thread::sleep(how_long);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_those_of_the_machine() {
        assert_eq!(RealClock.zone_of("No/Where"), None);
        // Some machines lack the time zone database.
        if std::path::Path::new("/usr/share/zoneinfo/Europe/Berlin").exists() {
            let zone = RealClock.zone_of("Europe/Berlin").expect("a zone");
            let noon = "2026-07-01T10:00:00Z".parse::<Timestamp>().expect("a time").to_zoned(zone);
            assert_eq!(noon.hour(), 12);
        }
    }

    #[test]
    fn monotonic_time_passes_with_a_pause() {
        let before = RealClock.monotonic();
        RealClock.pause(Duration::from_millis(2));
        assert!(RealClock.monotonic() >= before + Duration::from_millis(2));
    }
}
