//! When a limit is over, from the words of whoever set it.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};

/// Longest time from now on that a reset is believed to be away.
const FURTHEST: Duration = Duration::from_hours(24 * 7);

/// The time at which a limit ends, if the text says it so that it can be understood without knowing a time zone:
/// `…|1712345678` (seconds since the epoch) or `resets in 2h 5m`. At most seven days from now: the text is not ours.
pub fn reset_time(text: &str, now: Timestamp) -> Option<Timestamp> {
    let latest = now.checked_add(FURTHEST).ok()?;
    let reset = epoch(text).or_else(|| wait(text).and_then(|wait| now.checked_add(wait).ok()))?;
    (reset > now).then(|| reset.min(latest))
}

fn epoch(text: &str) -> Option<Timestamp> {
    let (_, rest) = text.rsplit_once('|')?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    // Ten digits are seconds until the year 2286.
    (digits.len() == 10).then(|| digits.parse().ok().and_then(|s| Timestamp::from_second(s).ok())).flatten()
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
        check("resets in", None);
        check("resets in soon", None);
        check("resets in 99999999999999999999h", None);
        check("", None);
    }
}
