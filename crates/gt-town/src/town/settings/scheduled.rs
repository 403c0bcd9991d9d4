//! Formulas that the deacon pours by the clock (`[[schedule]]` in `town.toml`).

use std::collections::BTreeMap;

use gt_model::formula::seconds;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

/// A formula with the times at which it is poured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Scheduled {
    /// Name of the formula.
    pub formula: String,
    /// When it is poured.
    pub when: When,
    /// Rig in which its commands run, if it needs one.
    pub rig: Option<String>,
    /// Values of its variables.
    pub vars: BTreeMap<String, String>,
}

/// A [`Scheduled`] as the settings write it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    formula: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<LocalTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every: Option<Interval>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rig: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    vars: BTreeMap<String, String>,
}

impl TryFrom<Written> for Scheduled {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let when = match (written.at, written.every) {
            (Some(at), None) => When::At(at),
            (None, Some(every)) => When::Every(every),
            _ => return Err(format!("the schedule of {} needs either `at` or `every`", written.formula)),
        };
        Ok(Self { formula: written.formula, when, rig: written.rig, vars: written.vars })
    }
}

impl From<Scheduled> for Written {
    fn from(scheduled: Scheduled) -> Self {
        let (at, every) = match scheduled.when {
            When::At(at) => (Some(at), None),
            When::Every(every) => (None, Some(every)),
        };
        Self { formula: scheduled.formula, at, every, rig: scheduled.rig, vars: scheduled.vars }
    }
}

/// Times of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// Each day at this local time, as `02:30`.
    At(LocalTime),
    /// After each such interval, as `12h`.
    Every(Interval),
}

/// A time of day in the machine's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalTime(Time);

/// An interval of at least a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interval(u64);

impl TryFrom<String> for LocalTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Time::strptime("%H:%M", &text).map(Self).map_err(|_| format!("`{text}` is not a time of day, such as 02:30"))
    }
}

impl From<LocalTime> for String {
    fn from(time: LocalTime) -> Self {
        time.0.strftime("%H:%M").to_string()
    }
}

impl TryFrom<String> for Interval {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let interval = seconds(&text).filter(|seconds| *seconds >= 60).map(Self);
        interval.ok_or_else(|| format!("`{text}` is not an interval of at least a minute, such as 12h"))
    }
}

impl From<Interval> for String {
    fn from(interval: Interval) -> Self {
        format!("{}s", interval.0)
    }
}

impl When {
    /// Returns the first moment after `last` at which the formula is due.
    pub fn after(&self, last: Timestamp, zone: &TimeZone) -> Timestamp {
        let next = match self {
            Self::Every(Interval(seconds)) => {
                last.checked_add(SignedDuration::from_secs(i64::try_from(*seconds).unwrap_or(i64::MAX))).ok()
            }
            Self::At(LocalTime(time)) => next_day(last, *time, zone),
        };
        next.unwrap_or(Timestamp::MAX)
    }
}

/// Returns the first moment after `last` at which the clocks of a zone show this time.
fn next_day(last: Timestamp, time: Time, zone: &TimeZone) -> Option<Timestamp> {
    let today = last.to_zoned(zone.clone()).date();
    let moment = |days: i64| {
        let day = today.checked_add(days.days()).ok()?;
        Some(day.to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp())
    };
    moment(0).filter(|moment| *moment > last).or_else(|| moment(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> When {
        When::At(LocalTime::try_from(text.to_owned()).unwrap())
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_daily_schedule_is_due_at_the_next_such_time_on_local_clocks() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let check = |last: &str, next: &str| assert_eq!(at("02:30").after(time(last), &zone), time(next), "{last}");
        check("2026-11-30T00:00:00Z", "2026-11-30T00:30:00Z");
        check("2026-11-30T00:30:00Z", "2026-12-01T00:30:00Z");
        check("2026-11-30T23:00:00Z", "2026-12-01T00:30:00Z");
    }

    #[test]
    fn an_interval_begins_at_the_last_time() {
        let every = When::Every(Interval::try_from("90m".to_owned()).unwrap());
        let next = every.after(time("2026-11-30T00:00:00Z"), &TimeZone::UTC);
        assert_eq!(next, time("2026-11-30T01:30:00Z"));
    }

    #[test]
    fn a_schedule_has_either_a_time_or_an_interval() {
        let read = |text: &str| toml::from_str::<Scheduled>(text);
        let nightly = read("formula = 'f'\nat = '02:30'\nrig = 'app'\n").unwrap();
        assert_eq!((nightly.when, nightly.rig.as_deref()), (at("02:30"), Some("app")));
        assert!(read("formula = 'f'\nevery = '12h'\n").is_ok());
        for wrong in
            ["formula = 'f'", "formula = 'f'\nat = '02:30'\nevery = '1h'", "formula = 'f'\nat = '1'", "at = '02:30'"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_example_on_the_page_of_formulas_is_read() {
        let page = include_str!("../../../../../docs/formulas.md");
        let blocks: Vec<&str> = page.split("```toml\n").filter(|block| block.starts_with("[[schedule]]")).collect();
        assert_eq!(blocks.len(), 1);
        let (block, _) = blocks[0].split_once("```").unwrap();
        let read: BTreeMap<String, Vec<Scheduled>> = toml::from_str(block).unwrap();
        assert_eq!(read["schedule"].len(), 2);
    }

    #[test]
    fn mistakes_in_times_are_named() {
        for wrong in ["2:30 pm", "25:00", "", "0230"] {
            assert!(LocalTime::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        for wrong in ["10s", "", "5", "1w"] {
            assert!(Interval::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
