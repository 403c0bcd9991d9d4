//! Finds out when a limit ends, from the text that the client or the model's service wrote about it.

use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// Maximum time until a reset. Longer times are not believed.
const FURTHEST: Duration = Duration::from_hours(24 * 7);

/// Tolerance beyond [`FURTHEST`] for a day that a text names. A later day belongs to another year, or means nothing.
const LEEWAY: Duration = Duration::from_hours(24);

/// Maximum length of the name of a time zone, in bytes.
const ZONE_BYTES: usize = 64;

/// Phrases before a time of day.
const RESETS: [&str; 3] = ["resets at ", "reset at ", "resets "];

/// First three letters of each month.
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Returns the time when a limit ends, if the text states it unambiguously: `…|1712345678` (seconds since the epoch), `resets
/// in 2h 5m`, `resets 1:35pm (UTC)`, or `resets Nov 25, 3pm (Europe/Berlin)`. The last two work if `zone_of` knows the zone. The
/// result is at most seven days from now, because the text does not come from gt.
pub fn reset_time(text: &str, now: Timestamp, zone_of: &dyn Fn(&str) -> Option<TimeZone>) -> Option<Timestamp> {
    let latest = now.checked_add(FURTHEST).ok()?;
    let reset = epoch(text).or_else(|| wait(text).and_then(|wait| now.checked_add(wait).ok()));
    let reset = reset.or_else(|| RESETS.iter().find_map(|word| of_clock(text.split_once(word)?.1, now, zone_of)))?;
    (reset > now).then(|| reset.min(latest))
}

/// Returns the time for these seconds since the epoch, if it lies in the future. The result is at most seven days from now.
pub fn reset_at(seconds: i64, now: Timestamp) -> Option<Timestamp> {
    let latest = now.checked_add(FURTHEST).ok()?;
    Timestamp::from_second(seconds).ok().filter(|at| *at > now).map(|at| at.min(latest))
}

fn epoch(text: &str) -> Option<Timestamp> {
    let (_, rest) = text.rsplit_once('|')?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    // Seconds have ten digits until the year 2286.
    (digits.len() == 10).then(|| digits.parse().ok().and_then(|s| Timestamp::from_second(s).ok())).flatten()
}

/// Returns the next time when clocks in the zone show the stated time; on the stated day, if there is one.
fn of_clock(said: &str, now: Timestamp, zone_of: &dyn Fn(&str) -> Option<TimeZone>) -> Option<Timestamp> {
    let (said, rest) = said.split_once(" (")?;
    let zone = zone(rest.split_once(')')?.0, zone_of)?;
    let today = now.to_zoned(zone.clone()).date();
    let at = |date: Date, time: Time| Some(date.to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp());
    let next = |at: &Timestamp| *at > now;
    let Some((day, time)) = said.rsplit_once(", ") else {
        let time = time_of_day(said)?;
        return [today, today.tomorrow().ok()?].into_iter().filter_map(|date| at(date, time)).find(next);
    };
    let (time, latest) = (time_of_day(time)?, now.checked_add(FURTHEST + LEEWAY).ok()?);
    let dates = [today.year(), today.year() + 1].into_iter().filter_map(|year| day_of_year(day, year));
    dates.filter_map(|date| at(date, time)).find(next).filter(|at| *at <= latest)
}

fn zone(name: &str, zone_of: &dyn Fn(&str) -> Option<TimeZone>) -> Option<TimeZone> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    match name {
        "UTC" => Some(TimeZone::UTC),
        _ if name.len() > ZONE_BYTES || !name.chars().all(plain) => None,
        _ => zone_of(name),
    }
}

/// Parses `3pm`, `1:35am` or `15:00`.
fn time_of_day(said: &str) -> Option<Time> {
    let said = said.trim().to_ascii_lowercase();
    let (digits, begins) = match (said.strip_suffix("am"), said.strip_suffix("pm")) {
        (Some(digits), _) => (digits, Some(0)),
        (None, Some(digits)) => (digits, Some(12)),
        (None, None) => (said.as_str(), None),
    };
    let (hour, minute) = match (digits.trim_end().split_once(':'), begins) {
        (Some((hour, minute)), _) => (hour.parse().ok()?, minute.parse().ok()?),
        (None, Some(_)) => (digits.trim_end().parse().ok()?, 0),
        (None, None) => return None,
    };
    let hour: i8 = match begins {
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(begins) => hour % 12 + begins,
        None => hour,
    };
    Time::new(hour, minute, 0, 0).ok()
}

/// Parses `Nov 25` as a day of `year`.
fn day_of_year(said: &str, year: i16) -> Option<Date> {
    let (month, day) = said.trim().split_once(' ')?;
    let month = month.get(..3)?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    Date::new(year, i8::try_from(month).ok()?, day.trim().parse().ok()?).ok()
}

fn wait(text: &str) -> Option<jiff::Span> {
    let (_, rest) = text.split_once("resets in ")?;
    let mut seconds = 0_i64;
    for word in rest.split_whitespace().take(4) {
        let Some((number, unit)) = word.find(|c: char| !c.is_ascii_digit()).map(|at| word.split_at(at)) else { break };
        let Ok(number) = number.parse::<u32>() else { break };
        let unit = match unit.trim_end_matches(|c: char| !c.is_ascii_alphabetic()) {
            "d" => 86_400,
            "h" => 3600,
            "m" | "min" => 60,
            "s" => 1,
            _ => break,
        };
        seconds = seconds.saturating_add(i64::from(number) * unit);
    }
    (seconds > 0).then(|| seconds.min(30 * 86_400).seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Knows one zone, as the machine's database would.
    fn zone_of(name: &str) -> Option<TimeZone> {
        (name == "Europe/Berlin").then(|| TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap())
    }

    #[test]
    fn f20_a_reset_time_is_bounded_and_never_guessed() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let check = |text: &str, seconds: Option<i64>| {
            assert_eq!(reset_time(text, now, &zone_of).map(|at| at.as_second() - 1_700_000_000), seconds, "{text}");
        };
        check("Claude AI usage limit reached|1700003600", Some(3600));
        check("limit reached, resets in 2h 5m", Some(7500));
        check("You've hit your limit · resets in 45m.", Some(2700));
        check("resets in 3d", Some(3 * 86_400));
        check("resets in 900d", Some(7 * 86_400));
        check("limit reached|9999999999", Some(7 * 86_400));
        check("limit reached|1600000000", None);
        check("You've hit your session limit · resets 3pm (Europe/Nowhere)", None);
        check("You've hit your session limit · resets 3pm", None);
        check("Your limit will reset at 3am", None);
        // The time is 22:13:20.
        check("You've hit your 5-hour limit · resets 11:13pm (UTC)", Some(3580));
        check("resets 12am (UTC)", Some(6400));
        check("resets 12:30pm (UTC)", Some(14 * 3600 + 16 * 60 + 40));
        check("resets 10:13pm (UTC)", Some(86_400 - 20));
        check("resets 22:30 (UTC)", Some(16 * 60 + 40));
        for bad in [
            "resets 13pm (UTC)",
            "resets 0am (UTC)",
            "resets 9:99am (UTC)",
            "resets 9:-1am (UTC)",
            "resets 24:00 (UTC)",
            "resets 9 (UTC)",
            "resets (UTC)",
            "resets 3pm (../../etc/passwd)",
            "resets 3pm (UTC",
            "resets Nov 25, 3pm (UTC)",
            "resets Nov 13, 3pm (UTC)",
            "resets Nov 31, 3pm (UTC)",
            "resets Smarch 15, 3pm (UTC)",
            "resets ää 15, 3pm (UTC)",
        ] {
            check(bad, None);
        }
        let at = |seconds: i64| reset_at(seconds, now).map(|at| at.as_second() - 1_700_000_000);
        assert_eq!(at(1_700_000_007), Some(7));
        assert_eq!((at(i64::MAX), at(9_999_999_999)), (None, Some(7 * 86_400)));
        assert_eq!((at(1_700_000_000), at(0), at(i64::MIN)), (None, None, None));
        check("resets in", None);
        check("resets in soon", None);
        check("resets in 99999999999999999999h", None);
        check("", None);
    }
    #[test]
    fn f20_a_reset_time_is_read_by_the_clocks_of_its_zone() {
        let check = |now: &str, text: &str, expected: Option<&str>| {
            let found = reset_time(text, now.parse().unwrap(), &zone_of);
            assert_eq!(found, expected.map(|at| at.parse().unwrap()), "{now}: {text}");
        };
        let berlin = "You've hit your session limit · resets 3pm (Europe/Berlin)";
        check("2026-07-01T12:59:59Z", berlin, Some("2026-07-01T13:00:00Z"));
        check("2026-07-01T13:00:00Z", berlin, Some("2026-07-02T13:00:00Z"));
        check("2026-12-01T12:59:59Z", berlin, Some("2026-12-01T14:00:00Z"));
        // In this night the clocks go forward: 2:30 does not exist, and 3:30 takes its place.
        check("2026-03-28T23:30:00Z", "will reset at 2:30am (Europe/Berlin)", Some("2026-03-29T01:30:00Z"));
        check("2026-11-22T10:00:00Z", "resets Nov 25, 3pm (Europe/Berlin)", Some("2026-11-25T14:00:00Z"));
        check("2026-11-22T10:00:00Z", "resets November 25, 3:05 PM (UTC)", Some("2026-11-25T15:05:00Z"));
        check("2026-12-30T10:00:00Z", "resets Jan 2, 3pm (UTC)", Some("2027-01-02T15:00:00Z"));
        // A week and some minutes from now: limited to the maximum.
        check("2026-11-22T10:00:00Z", "resets Nov 29, 10:20am (UTC)", Some("2026-11-29T10:00:00Z"));
        check("2026-11-22T10:00:00Z", "resets Feb 29, 3pm (UTC)", None);
    }
}
