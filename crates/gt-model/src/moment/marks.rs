//! Marks: records that moments (hook calls) leave, and the agent's stage that follows from them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Moment;

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

/// Kind of a mark. Of two marks with the same time, the one whose kind stands later here counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MarkKind {
    /// A session began or continues.
    Start,
    /// A session continues with a summary, in the middle of a turn.
    Compacted,
    /// A prompt went to the model.
    Prompt,
    /// A tool was about to be used.
    BeforeTool,
    /// A tool was used, or failed.
    AfterTool,
    /// The client asks a person for permission.
    Permission,
    /// The turn ended, or the agent wanted to end it.
    Stop,
    /// The turn ended because of an error of the model's service.
    StopFailure,
    /// The client waits for a prompt.
    Idle,
    /// The turn ended because the account has reached a limit.
    Limit,
    /// The turn ended because the model's service did not answer.
    Outage,
    /// The turn ended because the account can't be used.
    Login,
    /// The session ended.
    End,
}

impl MarkKind {
    /// All kinds, in order.
    pub const ALL: [Self; 13] = [
        Self::Start,
        Self::Compacted,
        Self::Prompt,
        Self::BeforeTool,
        Self::AfterTool,
        Self::Permission,
        Self::Stop,
        Self::StopFailure,
        Self::Idle,
        Self::Limit,
        Self::Outage,
        Self::Login,
        Self::End,
    ];

    /// Returns the name of the mark's file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => Moment::Start.as_str(),
            Self::Compacted => "compacted",
            Self::Prompt => Moment::Prompt.as_str(),
            Self::BeforeTool => Moment::BeforeTool.as_str(),
            Self::AfterTool => Moment::AfterTool.as_str(),
            Self::Permission => Moment::Permission.as_str(),
            Self::Stop => Moment::Stop.as_str(),
            Self::StopFailure => Moment::StopFailure.as_str(),
            Self::Idle => "idle",
            Self::Limit => "limit",
            Self::Outage => "outage",
            Self::Login => "login",
            Self::End => Moment::End.as_str(),
        }
    }

    /// Parses the name of a mark's file; `None` for any other file.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// All marks of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(pub BTreeMap<MarkKind, Mark>);

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
    /// Returns the mark of this kind.
    pub fn get(&self, kind: MarkKind) -> Option<&Mark> {
        self.0.get(&kind)
    }

    /// Whether the first mark exists and is newer than the second.
    pub fn is_newer(&self, kind: MarkKind, than: MarkKind) -> bool {
        match (self.get(kind), self.get(than)) {
            (Some(one), Some(other)) => one.at_us > other.at_us,
            (one, _) => one.is_some(),
        }
    }

    /// Returns all marks by the names of their files.
    pub fn by_name(&self) -> BTreeMap<&'static str, &Mark> {
        self.0.iter().map(|(kind, mark)| (kind.as_str(), mark)).collect()
    }

    /// Returns the newest mark with its kind.
    fn newest(&self) -> Option<(MarkKind, &Mark)> {
        self.0.iter().map(|(kind, mark)| (*kind, mark)).max_by_key(|(_, mark)| mark.at_us)
    }

    /// Derives the agent's stage.
    pub fn stage(&self) -> Stage {
        let Some((kind, mark)) = self.newest() else { return Stage::Silent };
        let mark = mark.clone();
        match kind {
            MarkKind::Start => Stage::Ready,
            MarkKind::BeforeTool => Stage::InTool(mark),
            MarkKind::Permission => Stage::Asking(mark),
            MarkKind::Stop if mark.background > 0 => Stage::Background(mark),
            MarkKind::Stop if mark.blocked => Stage::Working,
            MarkKind::Stop | MarkKind::StopFailure => Stage::AtPrompt(mark),
            // A client that waits for its own tasks also reports that it is idle.
            MarkKind::Idle => self.waiting().map_or(Stage::AtPrompt(mark), Stage::Background),
            MarkKind::Limit => Stage::Limited(mark),
            MarkKind::Outage => Stage::Outage(mark),
            MarkKind::Login => Stage::LoggedOut(mark),
            MarkKind::End => Stage::Ended,
            MarkKind::Compacted | MarkKind::Prompt | MarkKind::AfterTool => Stage::Working,
        }
    }

    fn waiting(&self) -> Option<Mark> {
        let stop = self.get(MarkKind::Stop).filter(|stop| stop.background > 0)?;
        let later = [MarkKind::Prompt, MarkKind::BeforeTool, MarkKind::AfterTool, MarkKind::StopFailure];
        let since = later.into_iter().any(|kind| self.is_newer(kind, MarkKind::Stop));
        (!since).then(|| stop.clone())
    }

    /// Whether the model has answered since the last prompt and since the last outage.
    pub fn has_answered(&self) -> bool {
        let since = |kind| self.is_newer(kind, MarkKind::Prompt) && self.is_newer(kind, MarkKind::Outage);
        [MarkKind::BeforeTool, MarkKind::AfterTool, MarkKind::Stop].into_iter().any(since)
    }

    /// Whether its turn is over and nothing of its own will wake it.
    pub fn is_at_rest(&self) -> bool {
        let stage = self.stage();
        matches!(stage, Stage::AtPrompt(_) | Stage::Limited(_) | Stage::LoggedOut(_) | Stage::Outage(_) | Stage::Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::MarkKind::*;
    use super::*;

    #[test]
    fn the_newest_mark_says_where_an_agent_stands() {
        let check = |marks: &[(MarkKind, u64)], expected: Stage| {
            let marks = Marks(marks.iter().map(|(kind, at)| (*kind, Mark::at(*at))).collect());
            assert_eq!(marks.stage(), expected, "{marks:?}");
        };
        let mark = Mark::at;
        check(&[], Stage::Silent);
        check(&[(Start, 1)], Stage::Ready);
        check(&[(Start, 1), (Compacted, 2)], Stage::Working);
        check(&[(Start, 1), (Prompt, 2)], Stage::Working);
        check(&[(Prompt, 2), (BeforeTool, 3)], Stage::InTool(mark(3)));
        check(&[(BeforeTool, 3), (Permission, 4)], Stage::Asking(mark(4)));
        check(&[(BeforeTool, 3), (Permission, 4), (AfterTool, 5)], Stage::Working);
        check(&[(AfterTool, 5), (Stop, 6)], Stage::AtPrompt(mark(6)));
        check(&[(Stop, 6), (Prompt, 7)], Stage::Working);
        check(&[(Stop, 6), (Idle, 7)], Stage::AtPrompt(mark(7)));
        check(&[(BeforeTool, 3), (Idle, 7)], Stage::AtPrompt(mark(7)));
        check(&[(Prompt, 2), (StopFailure, 3)], Stage::AtPrompt(mark(3)));
        check(&[(Prompt, 2), (StopFailure, 3), (Limit, 3)], Stage::Limited(mark(3)));
        check(&[(Prompt, 2), (StopFailure, 3), (Outage, 3)], Stage::Outage(mark(3)));
        check(&[(Outage, 3), (Prompt, 4)], Stage::Working);
        check(&[(Prompt, 2), (Login, 3)], Stage::LoggedOut(mark(3)));
        check(&[(Limit, 2), (Prompt, 3)], Stage::Working);
        check(&[(Stop, 2), (End, 3)], Stage::Ended);
    }

    #[test]
    fn a_model_has_answered_when_something_came_of_the_last_prompt() {
        let check = |marks: &[(MarkKind, u64)], expected: bool| {
            let marks = Marks(marks.iter().map(|(kind, at)| (*kind, Mark::at(*at))).collect());
            assert_eq!(marks.has_answered(), expected, "{marks:?}");
        };
        check(&[], false);
        check(&[(Start, 1), (Prompt, 2)], false);
        check(&[(Prompt, 2), (BeforeTool, 3)], true);
        check(&[(Prompt, 2), (AfterTool, 3), (Outage, 4)], false);
        check(&[(AfterTool, 3), (Outage, 4), (Prompt, 5)], false);
        check(&[(Outage, 4), (Prompt, 5), (Stop, 6)], true);
    }

    #[test]
    fn a_stop_that_waits_or_was_refused_is_none() {
        let with = |stop: Mark, more: &[(MarkKind, u64)]| {
            let mut marks: BTreeMap<MarkKind, Mark> = more.iter().map(|(kind, at)| (*kind, Mark::at(*at))).collect();
            marks.insert(Stop, stop);
            Marks(marks)
        };
        let waiting = Mark { background: 1, ..Mark::at(5) };
        assert_eq!(with(waiting.clone(), &[]).stage(), Stage::Background(waiting.clone()));
        assert_eq!(with(waiting.clone(), &[(Idle, 9)]).stage(), Stage::Background(waiting.clone()));
        assert_eq!(with(waiting, &[(Prompt, 7), (Idle, 9)]).stage(), Stage::AtPrompt(Mark::at(9)));
        let blocked = Mark { blocked: true, ..Mark::at(5) };
        assert_eq!(with(blocked, &[(AfterTool, 4)]).stage(), Stage::Working);
        assert!(with(Mark::at(5), &[]).is_at_rest());
    }

    #[test]
    fn marks_read_back_and_damaged_ones_are_errors() {
        let mark = Mark { text: Some("x".to_owned()), resets_at: Some(60), ..Mark::at(7) };
        assert_eq!(serde_json::from_str::<Mark>(&serde_json::to_string(&mark).unwrap()).unwrap(), mark);
        assert_eq!(serde_json::from_str::<Mark>("{}").unwrap(), Mark::default());
        assert!(serde_json::from_str::<Mark>("{\"at_us\":-1}").is_err());
    }

    #[test]
    fn every_name_reads_back() {
        for kind in MarkKind::ALL {
            assert_eq!(MarkKind::parse(kind.as_str()), Some(kind));
        }
        assert!(MarkKind::ALL.is_sorted());
        assert_eq!(MarkKind::parse("blocks"), None);
    }
}
