//! Decides when to test landed work again without caches.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How often to run the gates without caches. In settings: a number of landings, or a time such as `"6h"`; 0 means never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Word", into = "Word")]
pub enum CleanEvery {
    /// Not at all.
    Never,
    /// After this many landings.
    Landings(u32),
    /// This long after the first landing that is not confirmed.
    Time(Duration),
}

impl Default for CleanEvery {
    fn default() -> Self {
        Self::Landings(10)
    }
}

/// Form in the settings.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Word {
    Landings(u32),
    Time(String),
}

impl TryFrom<Word> for CleanEvery {
    type Error = String;

    fn try_from(word: Word) -> Result<Self, String> {
        match word {
            Word::Landings(0) => Ok(Self::Never),
            Word::Landings(count) => Ok(Self::Landings(count)),
            Word::Time(text) => time(&text).ok_or_else(|| {
                format!(
                    "`{text}` is neither a number of landings nor a length of time: use clean_every = 10 or \
                     clean_every = \"6h\""
                )
            }),
        }
    }
}

/// Parses a number followed by `m`, `h` or `d`.
fn time(text: &str) -> Option<CleanEvery> {
    let text = text.trim();
    let unit = text.chars().last().filter(char::is_ascii_alphabetic)?;
    let count: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
    let seconds = match unit {
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return None,
    };
    let time = Duration::from_secs(count.checked_mul(seconds)?);
    Some(if time.is_zero() { CleanEvery::Never } else { CleanEvery::Time(time) })
}

impl From<CleanEvery> for Word {
    fn from(every: CleanEvery) -> Self {
        match every {
            CleanEvery::Never => Self::Landings(0),
            CleanEvery::Landings(count) => Self::Landings(count),
            CleanEvery::Time(time) if time.as_secs().is_multiple_of(60 * 60) => {
                Self::Time(format!("{}h", time.as_secs() / (60 * 60)))
            }
            CleanEvery::Time(time) => Self::Time(format!("{}m", time.as_secs() / 60)),
        }
    }
}

/// Landings of a rig that no clean run has confirmed yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unconfirmed {
    /// Number of these landings.
    pub landings: u64,
    /// Time since the first of them landed.
    pub age: Duration,
    /// Whether the last clean run failed.
    pub last_was_red: bool,
}

/// Whether a clean run is due. It is postponed while work waits, but at most until twice the configured interval. After a failed
/// run, the next landing is tested as soon as no work waits.
pub fn is_due(every: CleanEvery, unconfirmed: &Unconfirmed, work_waits: bool) -> bool {
    let patience = if work_waits { 2 } else { 1 };
    let after_red = unconfirmed.last_was_red && !work_waits;
    unconfirmed.landings > 0
        && match every {
            CleanEvery::Never => false,
            CleanEvery::Landings(count) => after_red || unconfirmed.landings >= u64::from(count) * u64::from(patience),
            CleanEvery::Time(time) => after_red || unconfirmed.age >= time * patience,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn it_is_a_number_of_landings_or_a_time() {
        let cases = [
            ("0", Some(CleanEvery::Never)),
            ("3", Some(CleanEvery::Landings(3))),
            ("\"6h\"", Some(CleanEvery::Time(6 * HOUR))),
            ("\"2 d\"", Some(CleanEvery::Time(48 * HOUR))),
            ("\"90m\"", Some(CleanEvery::Time(HOUR * 3 / 2))),
            ("\"0h\"", Some(CleanEvery::Never)),
            ("\"6\"", None),
            ("\"6s\"", None),
            ("\"h\"", None),
            ("\"-1h\"", None),
            ("\"999999999999999999d\"", None),
            ("-1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(serde_json::from_str::<CleanEvery>(text).ok(), expected, "{text}");
        }
        for every in [CleanEvery::Never, CleanEvery::Landings(3), CleanEvery::Time(HOUR), CleanEvery::Time(HOUR / 2)] {
            let text = serde_json::to_string(&every).unwrap();
            assert_eq!(serde_json::from_str::<CleanEvery>(&text).unwrap(), every, "{text}");
        }
    }

    #[test]
    fn it_is_due_by_landings_or_by_time_and_later_while_work_waits() {
        fn check(every: CleanEvery, landings: u64, hours: u32, last_was_red: bool, idle: bool, busy: bool) {
            let unconfirmed = Unconfirmed { landings, age: HOUR * hours, last_was_red };
            let due = (is_due(every, &unconfirmed, false), is_due(every, &unconfirmed, true));
            assert_eq!(due, (idle, busy), "{every:?} {unconfirmed:?}");
        }
        let (ten, six_hours) = (CleanEvery::Landings(10), CleanEvery::Time(6 * HOUR));
        check(ten, 0, 100, true, false, false);
        check(ten, 9, 100, false, false, false);
        check(ten, 10, 0, false, true, false);
        check(ten, 20, 0, false, true, true);
        check(ten, 1, 0, true, true, false);
        check(six_hours, 100, 5, false, false, false);
        check(six_hours, 1, 6, false, true, false);
        check(six_hours, 1, 12, false, true, true);
        check(CleanEvery::Never, 100, 100, true, false, false);
    }
}
