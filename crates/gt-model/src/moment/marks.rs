//! Marks: what each moment left behind, and where an agent stands by them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a moment left behind: one file a kind of moment, the newest one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mark {
    /// When, on the machine's monotonic clock, in microseconds: marks are compared with each other only.
    pub at_us: u64,
    /// What is asked for, why it failed, why it ended; in the client's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Which tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What would allow what is asked for, as `gt rig allow` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<String>,
    /// When a limit is said to end, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<i64>,
    /// Tasks of its own that the agent waits for.
    #[serde(skip_serializing_if = "is_zero")]
    pub background: u32,
    /// Whether the turn was made to go on.
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
    /// A mark made at that time.
    pub fn at(at_us: u64) -> Self {
        Self { at_us, ..Self::default() }
    }
}

/// All marks of a session, by the name of their file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(pub BTreeMap<String, Mark>);

/// Where an agent stands, as far as its client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its client has said nothing yet, or never does.
    Silent,
    /// Its client is there, and has had no prompt yet.
    Ready,
    /// It is at work, or was told to go on.
    Working,
    /// A tool was begun and is not over.
    InTool(Mark),
    /// It asks a person for something.
    Asking(Mark),
    /// Its turn is over, and tasks of its own run that will wake it.
    Background(Mark),
    /// It is at its prompt: its turn is over, failed, or was interrupted.
    AtPrompt(Mark),
    /// The account is at a limit.
    Limited(Mark),
    /// The model's service does not answer.
    Outage(Mark),
    /// The account can't be used until a person does something.
    LoggedOut(Mark),
    /// Its client said that the session ends.
    Ended,
}

impl Stage {
    /// What its client told of why it can't go on for now: a limit, an account that can't be used, no answer.
    pub fn told(&self) -> Option<&Mark> {
        match self {
            Self::Limited(mark) | Self::LoggedOut(mark) | Self::Outage(mark) => Some(mark),
            _ => None,
        }
    }
}

impl Marks {
    /// Names of marks in the order in which they count where two are of the same time.
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

    /// The mark of that name.
    pub fn get(&self, name: &str) -> Option<&Mark> {
        self.0.get(name)
    }

    /// Whether the first of two marks is there and newer than the second.
    pub fn is_newer(&self, name: &str, than: &str) -> bool {
        match (self.get(name), self.get(than)) {
            (Some(one), Some(other)) => one.at_us > other.at_us,
            (one, _) => one.is_some(),
        }
    }

    /// The newest mark, with its name.
    fn newest(&self) -> Option<(&'static str, &Mark)> {
        let known = Self::NAMES.iter().filter_map(|name| Some((*name, self.get(name)?)));
        known.max_by_key(|(_, mark)| mark.at_us)
    }

    /// Where the agent stands.
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
            // A client that waits for its own tasks is idle as well, and says so.
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

    /// Whether the model has answered since the last prompt, and since it last did not.
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
