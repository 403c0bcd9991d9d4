//! Times as people type them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// What `text` means, from the first instant until just before the second: an RFC 3339 time is one instant, a date is
/// that day in UTC, `today`, `yesterday` and `tomorrow` are days, `now` is `now`. `7d` is that long before `now`, `+7d`
/// after it.
pub fn moment(text: &str, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let today = TimeZone::UTC.to_datetime(now).date();
    match text.to_ascii_lowercase().as_str() {
        "now" => return Some(instant(now)),
        "today" => return day(today),
        "yesterday" => return day(today.yesterday().ok()?),
        "tomorrow" => return day(today.tomorrow().ok()?),
        _ => {}
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(instant(at));
    }
    // A date has a form that no length of time has; jiff reads more forms of dates than people expect.
    if text.len() == 10 && text.as_bytes().get(4) == Some(&b'-') {
        return day(text.parse::<Date>().ok()?);
    }
    let at = match text.strip_prefix('+') {
        Some(ahead) => now.checked_add(relative(ahead)?).ok()?,
        None => now.checked_sub(relative(text.strip_prefix('-').unwrap_or(text))?).ok()?,
    };
    Some(instant(at))
}

/// A length of time: a whole number of `min`, `h`, `d`, `w`, `m` (30 days) or `y` (365 days).
pub fn relative(text: &str) -> Option<SignedDuration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let hours = match unit {
        "min" => return Some(SignedDuration::from_mins(checked(number, 1)?)),
        "h" => 1,
        "d" => 24,
        "w" => 7 * 24,
        "m" => 30 * 24,
        "y" => 365 * 24,
        _ => return None,
    };
    Some(SignedDuration::from_hours(checked(number, hours)?))
}

/// `number` times `factor`, if that is no more than any calendar has.
fn checked(number: &str, factor: i64) -> Option<i64> {
    const MINUTES_LIMIT: i64 = 20_000 * 366 * 24 * 60;
    number.parse::<i64>().ok()?.checked_mul(factor).filter(|product| *product <= MINUTES_LIMIT)
}

fn instant(at: Timestamp) -> (Timestamp, Timestamp) {
    (at, at.checked_add(SignedDuration::from_nanos(1)).unwrap_or(at))
}

fn day(date: Date) -> Option<(Timestamp, Timestamp)> {
    let start = |date: Date| TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok();
    Some((start(date)?, start(date.tomorrow().ok()?)?))
}
