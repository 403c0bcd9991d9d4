//! When a limit is over, from the words of whoever set it.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};

/// Longest time from now on that a reset is believed to be away.
const FURTHEST: Duration = Duration::from_hours(24 * 7);

/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

/// The time at which a limit ends, if the text says it so that it can be understood without knowing a time zone:
/// `…|1712345678` (seconds since the epoch), `resets in 2h 5m`, or `resets 1:35pm (UTC)`. At most seven days from now:
/// the text is not ours.
pub fn reset_time(text: &str, now: Timestamp) -> Option<Timestamp> {
    let latest = now.checked_add(FURTHEST).ok()?;
    let reset = epoch(text).or_else(|| wait(text).and_then(|wait| now.checked_add(wait).ok()));
    let reset = reset.or_else(|| hour(text, now))?;
    (reset > now).then(|| reset.min(latest))
}

/// The time that is said in seconds since the epoch, if it lies ahead; likewise at most seven days from now.
pub fn reset_at(seconds: i64, now: Timestamp) -> Option<Timestamp> {
    let latest = now.checked_add(FURTHEST).ok()?;
    Timestamp::from_second(seconds).ok().filter(|at| *at > now).map(|at| at.min(latest))
}

fn epoch(text: &str) -> Option<Timestamp> {
    let (_, rest) = text.rsplit_once('|')?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    // Ten digits are seconds until the year 2286.
    (digits.len() == 10).then(|| digits.parse().ok().and_then(|s| Timestamp::from_second(s).ok())).flatten()
}

/// The next time that a clock in UTC shows what is said; of no other zone is it known here what its clocks show.
fn hour(text: &str, now: Timestamp) -> Option<Timestamp> {
    let (_, rest) = text.split_once("resets ")?;
    let (said, _) = rest.split_once(" (UTC)")?;
    let (digits, afternoon) = match (said.strip_suffix("am"), said.strip_suffix("pm")) {
        (Some(digits), _) => (digits, false),
        (None, digits) => (digits?, true),
    };
    let (hour, minute) = digits.split_once(':').unwrap_or((digits, "0"));
    let (hour, minute): (u64, u64) = (hour.parse().ok()?, minute.parse().ok()?);
    if !(1..=12).contains(&hour) || minute > 59 {
        return None;
    }
    let of_day = (hour % 12 + if afternoon { 12 } else { 0 }) * 3600 + minute * 60;
    let today = now.as_second().div_euclid(DAY_SECONDS) * DAY_SECONDS + i64::try_from(of_day).ok()?;
    let next = if today > now.as_second() { today } else { today + DAY_SECONDS };
    Timestamp::from_second(next).ok()
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

    #[test]
    fn f20_a_reset_time_is_bounded_and_never_guessed() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let check = |text: &str, seconds: Option<i64>| {
            assert_eq!(reset_time(text, now).map(|at| at.as_second() - 1_700_000_000), seconds, "{text}");
        };
        check("Claude AI usage limit reached|1700003600", Some(3600));
        check("limit reached, resets in 2h 5m", Some(7500));
        check("You've hit your limit · resets in 45m.", Some(2700));
        check("resets in 3d", Some(3 * 86_400));
        check("resets in 900d", Some(7 * 86_400));
        check("limit reached|9999999999", Some(7 * 86_400));
        check("limit reached|1600000000", None);
        check("You've hit your session limit · resets 3pm (Europe/Berlin)", None);
        // It is 22:13:20.
        check("You've hit your 5-hour limit · resets 11:13pm (UTC)", Some(3580));
        check("resets 12am (UTC)", Some(6400));
        check("resets 12:30pm (UTC)", Some(14 * 3600 + 16 * 60 + 40));
        check("resets 10:13pm (UTC)", Some(86_400 - 20));
        for bad in
            ["resets 13pm (UTC)", "resets 0am (UTC)", "resets 9:99am (UTC)", "resets Nov 25, 3pm (UTC)", "resets (UTC)"]
        {
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
}
