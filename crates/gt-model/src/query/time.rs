//! Parses times as people type them. Times without a zone are local: they are in the zone of `now`.

use jiff::civil::{Date, Time, Weekday, time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, Zoned};

/// Returns the range that `text` means: from the first instant until just before the second. An RFC 3339 time and a time of day
/// are one instant; a day is the whole day.
///
/// - `now`, `today`, `yesterday`, `tomorrow`, `next week`, `next month`, `next year`
/// - `monday` or `next monday`: the next one that is not today; `this monday` may be today; `last monday`
/// - `2027-03-15`; `2027-03-15 10:00`, `tomorrow at 9am`, `10:30`
/// - `7d`, `-7d`, `7 days ago`: that long before `now`; `+7d`, `in 7 days`: that long after it
pub fn moment(text: &str, now: &Zoned) -> Option<(Timestamp, Timestamp)> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(instant(at));
    }
    let text = text.to_ascii_lowercase();
    if text == "now" {
        return Some(instant(now.timestamp()));
    }
    if let Some(at) = from_now(&text, now) {
        return Some(instant(at));
    }
    let (words, clock) = split_clock(&text)?;
    let date = date(&words, now.date())?;
    let zone = now.time_zone();
    match clock {
        Some(clock) => Some(instant(zone.to_timestamp(date.to_datetime(clock)).ok()?)),
        None => day(date, zone),
    }
}

/// Returns the end of a wait that `text` means. Unlike in [`moment`], a length of time without a sign counts from now on, and a
/// day means its beginning.
pub fn future(text: &str, now: &Zoned) -> Option<Timestamp> {
    let ahead = length(text.trim()).map(|_| format!("+{}", text.trim()));
    moment(ahead.as_deref().unwrap_or(text), now).map(|(from, _)| from)
}

/// Parses `+7d`, `-7d`, `7d`, `in 7 days` or `7 days ago`.
fn from_now(text: &str, now: &Zoned) -> Option<Timestamp> {
    let (span, is_ahead) = if let Some(ahead) = text.strip_prefix("in ") {
        (length_in_words(ahead)?, true)
    } else if let Some(ago) = text.strip_suffix(" ago") {
        (length_in_words(ago)?, false)
    } else if let Some(ahead) = text.strip_prefix('+') {
        (length(ahead)?, true)
    } else {
        (length(text.strip_prefix('-').unwrap_or(text))?, false)
    };
    let at = if is_ahead { now.checked_add(span) } else { now.checked_sub(span) };
    at.ok().map(|at| at.timestamp())
}

/// Parses a length of time: a whole number of `min`, `h`, `d`, `w`, `m` (months) or `y`.
fn length(text: &str) -> Option<Span> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "min" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "m" => "month",
        "y" => "year",
        _ => return None,
    };
    span(number.parse().ok()?, unit)
}

/// Parses a length of time in words: `3 days`, `a week`.
fn length_in_words(text: &str) -> Option<Span> {
    let mut words = text.split_whitespace();
    let (number, unit) = (words.next()?, words.next()?);
    let number = if matches!(number, "a" | "an" | "one") { 1 } else { whole(number)? };
    let unit = unit.strip_suffix('s').unwrap_or(unit);
    words.next().is_none().then(|| span(number, unit))?
}

fn whole(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn span(number: i64, unit: &str) -> Option<Span> {
    let span = Span::new();
    match unit {
        "min" | "minute" => span.try_minutes(number),
        "hour" => span.try_hours(number),
        "day" => span.try_days(number),
        "week" => span.try_weeks(number),
        "month" => span.try_months(number),
        "year" => span.try_years(number),
        _ => return None,
    }
    .ok()
}

/// Splits a text into the words for a day and the time of day after them. Without words the day is today.
fn split_clock(text: &str) -> Option<(String, Option<Time>)> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    // Handles `2027-03-15T10:00`: a date and a time in one word.
    if let [only] = words[..]
        && let Some((date, clock)) = only.split_once('t')
        && date.starts_with(|c: char| c.is_ascii_digit())
    {
        words = vec![date, clock];
    }
    let Some(clock) = clock(words.last()?) else { return Some((words.join(" "), None)) };
    words.pop();
    if words.last() == Some(&"at") {
        words.pop();
    }
    if words.is_empty() {
        words.push("today");
    }
    Some((words.join(" "), Some(clock)))
}

/// Parses a time of day: `10:00`, `10:00:30`, `9am`, `9:30pm`, `noon`, `midnight`.
fn clock(word: &str) -> Option<Time> {
    match word {
        "noon" => return Some(time(12, 0, 0, 0)),
        "midnight" => return Some(time(0, 0, 0, 0)),
        _ => {}
    }
    let half = ["am", "pm"].into_iter().find(|half| word.ends_with(half));
    let mut parts = half.map_or(word, |half| &word[..word.len() - half.len()]).split(':');
    let hour: i8 = whole(parts.next()?)?.try_into().ok()?;
    // `9` alone is not a time of day; `9am` is one.
    let minute = parts.next().map_or(half.map(|_| 0), two_digits)?;
    let second = parts.next().map_or(Some(0), two_digits)?;
    let hour = match half {
        None => hour,
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some("am") => hour % 12,
        Some(_) => hour % 12 + 12,
    };
    parts.next().is_none().then(|| Time::new(hour, minute, second, 0).ok())?
}

fn two_digits(text: &str) -> Option<i8> {
    (text.len() == 2).then(|| whole(text)?.try_into().ok())?
}

fn date(words: &str, today: Date) -> Option<Date> {
    match words {
        "today" => return Some(today),
        "yesterday" => return today.yesterday().ok(),
        "tomorrow" => return today.tomorrow().ok(),
        "next week" => return today.checked_add(span(1, "week")?).ok(),
        "next month" => return today.checked_add(span(1, "month")?).ok(),
        "next year" => return today.checked_add(span(1, "year")?).ok(),
        _ => {}
    }
    // A date has a form that no length of time has. The check comes first, because jiff accepts more forms of dates than people
    // expect.
    if words.len() == 10 && words.as_bytes().get(4) == Some(&b'-') {
        return words.parse().ok();
    }
    let (which, name) = words.split_once(' ').unwrap_or(("next", words));
    let weekday = weekday(name)?;
    match which {
        "next" => today.nth_weekday(1, weekday).ok(),
        "last" => today.nth_weekday(-1, weekday).ok(),
        "this" => today.yesterday().ok()?.nth_weekday(1, weekday).ok(),
        _ => None,
    }
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name {
        "monday" | "mon" => Weekday::Monday,
        "tuesday" | "tue" => Weekday::Tuesday,
        "wednesday" | "wed" => Weekday::Wednesday,
        "thursday" | "thu" => Weekday::Thursday,
        "friday" | "fri" => Weekday::Friday,
        "saturday" | "sat" => Weekday::Saturday,
        "sunday" | "sun" => Weekday::Sunday,
        _ => return None,
    })
}

fn instant(at: Timestamp) -> (Timestamp, Timestamp) {
    (at, at.checked_add(SignedDuration::from_nanos(1)).unwrap_or(at))
}

fn day(date: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let start = |date: Date| zone.to_timestamp(date.at(0, 0, 0, 0)).ok();
    Some((start(date)?, start(date.tomorrow().ok()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns Tuesday, 10 March 2026, 23:30 in a zone five hours behind UTC. In UTC it is already Wednesday.
    fn now() -> Zoned {
        "2026-03-11T04:30:00Z".parse::<Timestamp>().unwrap().to_zoned(TimeZone::fixed(jiff::tz::offset(-5)))
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let found =
            moment(text, &now()).map(|(from, _)| from.to_zoned(now().time_zone().clone()).datetime().to_string());
        assert_eq!(found.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_day_without_a_zone_is_local() {
        check("today", Some("2026-03-10T00:00:00"));
        check("yesterday", Some("2026-03-09T00:00:00"));
        check("Tomorrow", Some("2026-03-11T00:00:00"));
        check("2027-03-15", Some("2027-03-15T00:00:00"));
        check("next week", Some("2026-03-17T00:00:00"));
        check("next month", Some("2026-04-10T00:00:00"));
        check("next monday", Some("2026-03-16T00:00:00"));
        check("monday", Some("2026-03-16T00:00:00"));
        check("tuesday", Some("2026-03-17T00:00:00"));
        check("this tuesday", Some("2026-03-10T00:00:00"));
        check("last tuesday", Some("2026-03-03T00:00:00"));
        let (from, to) = moment("today", &now()).unwrap();
        assert_eq!((from.to_string(), to.to_string()), ("2026-03-10T05:00:00Z".into(), "2026-03-11T05:00:00Z".into()));
    }

    #[test]
    fn a_time_of_day_is_local() {
        check("2027-03-15 10:00", Some("2027-03-15T10:00:00"));
        check("2027-03-15T10:00:30", Some("2027-03-15T10:00:30"));
        check("tomorrow at 9am", Some("2026-03-11T09:00:00"));
        check("next monday 9:30pm", Some("2026-03-16T21:30:00"));
        check("tomorrow noon", Some("2026-03-11T12:00:00"));
        check("12am", Some("2026-03-10T00:00:00"));
        check("10:30", Some("2026-03-10T10:30:00"));
    }

    #[test]
    fn a_length_counts_from_now_by_the_calendar() {
        check("now", Some("2026-03-10T23:30:00"));
        check("+6h", Some("2026-03-11T05:30:00"));
        check("7d", Some("2026-03-03T23:30:00"));
        check("-7d", Some("2026-03-03T23:30:00"));
        check("in 3 days", Some("2026-03-13T23:30:00"));
        check("in a week", Some("2026-03-17T23:30:00"));
        check("2 months ago", Some("2026-01-10T23:30:00"));
        check("+5min", Some("2026-03-10T23:35:00"));
        check("1y", Some("2025-03-10T23:30:00"));
        let ahead = |text| future(text, &now()).map(|at| at.to_string());
        assert_eq!(ahead("6h"), Some("2026-03-11T10:30:00Z".into()));
        assert_eq!(ahead("-6h"), Some("2026-03-10T22:30:00Z".into()));
    }

    #[test]
    fn a_day_is_a_day_where_the_clock_is_changed() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let now = "2026-03-28T11:00:00Z".parse::<Timestamp>().unwrap().to_zoned(zone);
        let at = |text| moment(text, &now).map(|(from, to)| (from.to_string(), to.to_string())).unwrap();
        assert_eq!(at("tomorrow"), ("2026-03-28T23:00:00Z".into(), "2026-03-29T22:00:00Z".into()));
        assert_eq!(at("in 1 day").0, "2026-03-29T10:00:00Z");
    }

    #[test]
    fn what_names_its_zone_is_of_that_zone() {
        check("2026-03-10T12:00:00Z", Some("2026-03-10T07:00:00"));
        check("2026-03-10T12:00:00+02:00", Some("2026-03-10T05:00:00"));
    }

    #[test]
    fn what_means_no_time_is_none() {
        for text in [
            "",
            "d",
            "7",
            "7x",
            "7.5d",
            "99999999999999999999d",
            "9223372036854775807y",
            "20000y",
            "+99999y",
            "7dd",
            "soon",
            "+",
            "-",
            "2026-13-01",
            "2026-02-30",
            "in",
            "in days",
            "ago",
            "3 ago",
            "next",
            "next day",
            "13pm",
            "0am",
            "25:00",
            "10:5",
            "10:00:00:00",
            "tomorrow at",
            "at 9am at",
            "+-3d",
            "in -3 days",
            "monday monday",
            "t10:00",
        ] {
            check(text, None);
        }
    }
}
