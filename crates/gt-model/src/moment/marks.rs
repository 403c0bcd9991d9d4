//! Marks: records that moments (hook calls) leave, and the agent's stage that follows from them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Record that a moment left. There is one file per kind of moment; only the newest mark counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mark {
    /// Time on the machine's monotonic clock, in microseconds. Only comparisons between marks make sense.
    pub at_us: u64,
    /// Client's text: what it asks for, why it failed, or why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Name of the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Pattern that would allow what the client asks for, in the form that `gt rig allow` takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<String>,
    /// Stated end of a limit, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<i64>,
    /// Number of the agent's own tasks that it waits for.
    #[serde(skip_serializing_if = "is_zero")]
    pub background: u32,
    /// Whether gt made the turn continue.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub blocked: bool,
    /// Whether the prompt was a nudge.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nudge: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Mark {
    /// Creates a mark with this time.
    pub fn at(at_us: u64) -> Self {
        Self { at_us, ..Self::default() }
    }
}

/// All marks of a session, by the names of their files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(pub BTreeMap<String, Mark>);

/// Stage of an agent, as reported by its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its client has reported nothing yet, or never reports.
    Silent,
    /// Its client runs, and has had no prompt yet.
    Ready,
    /// It works, or was told to continue.
    Working,
    /// A tool has begun and has not ended.
    InTool(Mark),
    /// It asks a person for something.
    Asking(Mark),
    /// Its turn is over, and tasks of its own run that will wake it.
    Background(Mark),
    /// It stands at its prompt: its turn is over, failed, or was interrupted.
    AtPrompt(Mark),
    /// The account has reached a limit.
    Limited(Mark),
    /// The model's service does not answer.
    Outage(Mark),
    /// The account can't be used until a person does something.
    LoggedOut(Mark),
    /// Its client reported the end of the session.
    Ended,
}

impl Stage {
    /// Returns the mark of the reason why it can't continue for now: a limit, an account that can't be used, or an outage.
    pub fn told(&self) -> Option<&Mark> {
        match self {
            Self::Limited(mark) | Self::LoggedOut(mark) | Self::Outage(mark) => Some(mark),
            _ => None,
        }
    }
}

impl Marks {
    /// Names of marks. Of two marks with the same time, the later one in this list counts.
    pub const NAMES: [&'static str; 13] = [
        "start",
        "compacted",
        "prompt",
        "before-tool",
        "after-tool",
        "permission",
        "stop",
        "stop-failure",
        "idle",
        "limit",
        "outage",
        "login",
        "end",
    ];

    /// Returns the mark with this name.
    pub fn get(&self, name: &str) -> Option<&Mark> {
        self.0.get(name)
    }

    /// Whether the first mark exists and is newer than the second.
    pub fn is_newer(&self, name: &str, than: &str) -> bool {
        match (self.get(name), self.get(than)) {
            (Some(one), Some(other)) => one.at_us > other.at_us,
            (one, _) => one.is_some(),
        }
    }

    /// Returns the newest mark with its name.
    fn newest(&self) -> Option<(&'static str, &Mark)> {
        let known = Self::NAMES.iter().filter_map(|name| Some((*name, self.get(name)?)));
        known.max_by_key(|(_, mark)| mark.at_us)
    }

    /// Derives the agent's stage.
    pub fn stage(&self) -> Stage {
        let Some((name, mark)) = self.newest() else { return Stage::Silent };
        let mark = mark.clone();
        match name {
            "start" => Stage::Ready,
            "before-tool" => Stage::InTool(mark),
            "permission" => Stage::Asking(mark),
            "stop" if mark.background > 0 => Stage::Background(mark),
            "stop" if mark.blocked => Stage::Working,
            "stop" | "stop-failure" => Stage::AtPrompt(mark),
            // A client that waits for its own tasks also reports that it is idle.
            "idle" => self.waiting().map_or(Stage::AtPrompt(mark), Stage::Background),
            "limit" => Stage::Limited(mark),
            "outage" => Stage::Outage(mark),
            "login" => Stage::LoggedOut(mark),
            "end" => Stage::Ended,
            _ => Stage::Working,
        }
    }

    fn waiting(&self) -> Option<Mark> {
        let stop = self.get("stop").filter(|stop| stop.background > 0)?;
        let since =
            ["prompt", "before-tool", "after-tool", "stop-failure"].iter().any(|name| self.is_newer(name, "stop"));
        (!since).then(|| stop.clone())
    }

    /// Whether the model has answered since the last prompt and since the last outage.
    pub fn has_answered(&self) -> bool {
        let since = |name: &str| self.is_newer(name, "prompt") && self.is_newer(name, "outage");
        ["before-tool", "after-tool", "stop"].into_iter().any(since)
    }

    /// Whether its turn is over and nothing of its own will wake it.
    pub fn is_at_rest(&self) -> bool {
        let stage = self.stage();
        matches!(stage, Stage::AtPrompt(_) | Stage::Limited(_) | Stage::LoggedOut(_) | Stage::Outage(_) | Stage::Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_mark_says_where_an_agent_stands() {
        let check = |marks: &[(&str, u64)], expected: Stage| {
            let marks = Marks(marks.iter().map(|(name, at)| ((*name).to_owned(), Mark::at(*at))).collect());
            assert_eq!(marks.stage(), expected, "{marks:?}");
        };
        let mark = Mark::at;
        check(&[], Stage::Silent);
        check(&[("blocks", 9)], Stage::Silent);
        check(&[("start", 1)], Stage::Ready);
        check(&[("start", 1), ("compacted", 2)], Stage::Working);
        check(&[("start", 1), ("prompt", 2)], Stage::Working);
        check(&[("prompt", 2), ("before-tool", 3)], Stage::InTool(mark(3)));
        check(&[("before-tool", 3), ("permission", 4)], Stage::Asking(mark(4)));
        check(&[("before-tool", 3), ("permission", 4), ("after-tool", 5)], Stage::Working);
        check(&[("after-tool", 5), ("stop", 6)], Stage::AtPrompt(mark(6)));
        check(&[("stop", 6), ("prompt", 7)], Stage::Working);
        check(&[("stop", 6), ("idle", 7)], Stage::AtPrompt(mark(7)));
        check(&[("before-tool", 3), ("idle", 7)], Stage::AtPrompt(mark(7)));
        check(&[("prompt", 2), ("stop-failure", 3)], Stage::AtPrompt(mark(3)));
        check(&[("prompt", 2), ("stop-failure", 3), ("limit", 3)], Stage::Limited(mark(3)));
        check(&[("prompt", 2), ("stop-failure", 3), ("outage", 3)], Stage::Outage(mark(3)));
        check(&[("outage", 3), ("prompt", 4)], Stage::Working);
        check(&[("prompt", 2), ("login", 3)], Stage::LoggedOut(mark(3)));
        check(&[("limit", 2), ("prompt", 3)], Stage::Working);
        check(&[("stop", 2), ("end", 3)], Stage::Ended);
    }

    #[test]
    fn a_model_has_answered_when_something_came_of_the_last_prompt() {
        let check = |marks: &[(&str, u64)], expected: bool| {
            let marks = Marks(marks.iter().map(|(name, at)| ((*name).to_owned(), Mark::at(*at))).collect());
            assert_eq!(marks.has_answered(), expected, "{marks:?}");
        };
        check(&[], false);
        check(&[("start", 1), ("prompt", 2)], false);
        check(&[("prompt", 2), ("before-tool", 3)], true);
        check(&[("prompt", 2), ("after-tool", 3), ("outage", 4)], false);
        check(&[("after-tool", 3), ("outage", 4), ("prompt", 5)], false);
        check(&[("outage", 4), ("prompt", 5), ("stop", 6)], true);
    }

    #[test]
    fn a_stop_that_waits_or_was_refused_is_none() {
        let with = |stop: Mark, more: &[(&str, u64)]| {
            let mut marks: BTreeMap<String, Mark> =
                more.iter().map(|(n, at)| ((*n).to_owned(), Mark::at(*at))).collect();
            marks.insert("stop".to_owned(), stop);
            Marks(marks)
        };
        let waiting = Mark { background: 1, ..Mark::at(5) };
        assert_eq!(with(waiting.clone(), &[]).stage(), Stage::Background(waiting.clone()));
        assert_eq!(with(waiting.clone(), &[("idle", 9)]).stage(), Stage::Background(waiting.clone()));
        assert_eq!(with(waiting, &[("prompt", 7), ("idle", 9)]).stage(), Stage::AtPrompt(Mark::at(9)));
        let blocked = Mark { blocked: true, ..Mark::at(5) };
        assert_eq!(with(blocked, &[("after-tool", 4)]).stage(), Stage::Working);
        assert!(with(Mark::at(5), &[]).is_at_rest());
    }

    #[test]
    fn marks_read_back_and_damaged_ones_are_errors() {
        let mark = Mark { text: Some("x".to_owned()), resets_at: Some(60), ..Mark::at(7) };
        assert_eq!(serde_json::from_str::<Mark>(&serde_json::to_string(&mark).unwrap()).unwrap(), mark);
        assert_eq!(serde_json::from_str::<Mark>("{}").unwrap(), Mark::default());
        assert!(serde_json::from_str::<Mark>("{\"at_us\":-1}").is_err());
    }
}
