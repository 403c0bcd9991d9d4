//! Decides from evidence whether an agent has started: a function from facts to one answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::patrol::Process;

/// State that known phrases on a client's screen, or in its output, show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// Login: no user is logged in.
    Login,
    /// The client asks whether to trust a folder.
    Trust,
    /// The client asks whether the user really wants a mode without questions.
    Mode,
    /// The client asks whether to bill an API key from its environment.
    Key,
    /// The client asks the questions of its first start.
    Welcome,
    /// The client asks for permission to do something.
    Permission,
    /// The account has reached its limit.
    Limit,
    /// The model's service does not answer.
    Outage,
    /// A person interrupted the turn.
    Interrupted,
    /// The client has begun.
    Ready,
}

/// Named reason why an agent does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartFailure {
    /// Its program can't be started.
    NotInstalled,
    /// No user is logged in.
    LoggedOut,
    /// It asks a person whether to trust a folder.
    Untrusted,
    /// It asks a person whether the mode without questions is wanted.
    AsksMode,
    /// It asks a person whether to bill an API key from its environment.
    AsksKey,
    /// It asks a person the questions of its first start.
    FirstStart,
    /// It asks a person for permission to do something.
    AsksPermission,
    /// It ended before its first hook call, twice in a row.
    Crashed,
    /// It runs, but showed nothing by the deadline.
    Silent,
    /// It had begun, and was ended because its client's hooks stopped answering.
    Unhooked,
}

impl StartFailure {
    /// Describes the reason, to follow "is" or "has" in a sentence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotInstalled => "its program can't be started",
            Self::LoggedOut => "nobody is logged in",
            Self::Untrusted => "it asks whether to trust this folder",
            Self::AsksMode => "it asks whether to work without asking for permission",
            Self::AsksKey => "it asks whether to use the API key in its environment",
            Self::FirstStart => "it asks the questions of its first start",
            Self::AsksPermission => "it asks for permission",
            Self::Crashed => "it ends before it has begun, again and again",
            Self::Silent => "it showed no sign of life by the deadline",
            Self::Unhooked => "its client used tools without calling Gas Town's hooks, so no guard checked it",
        }
    }

    /// Whether every agent of this kind would fail in the same way.
    pub fn concerns_the_kind(self) -> bool {
        matches!(self, Self::NotInstalled | Self::LoggedOut)
    }

    /// Whether its terminal shows a question with the answers yes and no.
    pub fn asks_yes_or_no(self) -> bool {
        matches!(self, Self::Untrusted | Self::AsksMode | Self::AsksKey | Self::AsksPermission)
    }
}

/// Progress of an incarnation's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It has made its first hook call. Also used for a kind of agent without hook calls, if there is no evidence against a
    /// start.
    Made,
    /// It has made none yet, and the deadline is not over.
    Awaited,
    /// It can't start for now, for the reason that its output shows. That is no failure and ends by itself.
    Told(Told),
    /// It will not start without a person's help.
    Failed(StartFailure),
}

/// Temporary obstacle to an agent's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The account has reached its limit.
    Limit,
    /// The model's service does not answer.
    Outage,
}

/// End of an incarnation, as far as its start is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartEnd {
    /// Its program could not be started.
    CouldNotStart,
    /// It exited with an error, or by a signal that the town did not send.
    Failed,
    /// It exited successfully, or because the town asked it to.
    Fine,
}

/// Facts about the newest incarnation of an agent. If its client has no hooks, its first call of `gt` counts as its first moment
/// (hook call).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartFacts {
    /// State of its process.
    pub process: Process,
    /// Whether its first moment was seen.
    pub first_moment: bool,
    /// How it ended, if it has.
    pub end: Option<StartEnd>,
    /// Observed run time.
    pub waited: Duration,
    /// Deadline for its first moment.
    pub deadline: Duration,
    /// Whether it must show a first moment at all. A person may have allowed a client that does not run gt's hooks.
    pub needs_sign: bool,
    /// State that its last lines of output show, and have shown for long enough.
    pub shown: Option<Shown>,
    /// Number of incarnations in a row, from the newest backwards, that ended before their first moment. Only ends that count as
    /// failures.
    pub ended_unstarted: u32,
}

/// Number of ends before the first moment after which gt starts nothing by itself. The machine may have caused the first one.
const ENDS: u32 = 2;

/// Decides from the facts whether the agent has started.
pub fn judge(facts: &StartFacts) -> Start {
    let shown = facts.shown.map(meaning);
    match (&facts.process, facts.end) {
        (Process::Gone, Some(StartEnd::CouldNotStart)) => Start::Failed(StartFailure::NotInstalled),
        (Process::Gone, Some(StartEnd::Failed)) => match shown {
            // This holds even after its first moment: it could not ask its model anything.
            Some(start @ (Start::Failed(StartFailure::LoggedOut) | Start::Told(_))) => start,
            Some(start @ Start::Failed(failure)) if !facts.first_moment && is_of_starts(failure) => start,
            _ if facts.ended_unstarted >= ENDS => Start::Failed(StartFailure::Crashed),
            _ => Start::Made,
        },
        (Process::Gone, _) if facts.ended_unstarted >= ENDS => Start::Failed(StartFailure::Crashed),
        (Process::Running, _) if !facts.first_moment => match shown {
            Some(start) => start,
            None if facts.waited >= facts.deadline && facts.needs_sign => Start::Failed(StartFailure::Silent),
            None if facts.waited >= facts.deadline => Start::Made,
            None => Start::Awaited,
        },
        _ => Start::Made,
    }
}

/// Whether a client asks this question before it begins, and ends without an answer.
fn is_of_starts(failure: StartFailure) -> bool {
    use StartFailure::{AsksKey, AsksMode, FirstStart, Untrusted};
    matches!(failure, Untrusted | AsksMode | AsksKey | FirstStart)
}

/// Returns what this output means for an agent's start.
fn meaning(shown: Shown) -> Start {
    match shown {
        Shown::Login => Start::Failed(StartFailure::LoggedOut),
        Shown::Trust => Start::Failed(StartFailure::Untrusted),
        Shown::Mode => Start::Failed(StartFailure::AsksMode),
        Shown::Key => Start::Failed(StartFailure::AsksKey),
        Shown::Welcome => Start::Failed(StartFailure::FirstStart),
        Shown::Permission => Start::Failed(StartFailure::AsksPermission),
        Shown::Limit => Start::Told(Told::Limit),
        Shown::Outage => Start::Told(Told::Outage),
        Shown::Interrupted => Start::Awaited,
        Shown::Ready => Start::Made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> StartFacts {
        StartFacts {
            process: Process::Running,
            first_moment: false,
            end: None,
            waited: Duration::from_secs(5),
            deadline: Duration::from_mins(2),
            needs_sign: true,
            shown: None,
            ended_unstarted: 0,
        }
    }

    fn gone(end: StartEnd) -> StartFacts {
        StartFacts { process: Process::Gone, end: Some(end), ..running() }
    }

    #[test]
    fn f20_what_does_not_start_is_told_by_its_name() {
        use StartFailure as F;
        let check = |facts: StartFacts, expected: Start| assert_eq!(judge(&facts), expected, "{facts:?}");
        let failed = Start::Failed;
        check(running(), Start::Awaited);
        check(StartFacts { first_moment: true, ..running() }, Start::Made);
        check(StartFacts { waited: Duration::from_mins(2), ..running() }, failed(F::Silent));
        let unhooked = StartFacts { needs_sign: false, ..running() };
        check(unhooked.clone(), Start::Awaited);
        check(StartFacts { waited: Duration::from_mins(2), ..unhooked }, Start::Made);
        for (shown, expected) in [
            (Shown::Login, failed(F::LoggedOut)),
            (Shown::Trust, failed(F::Untrusted)),
            (Shown::Mode, failed(F::AsksMode)),
            (Shown::Key, failed(F::AsksKey)),
            (Shown::Welcome, failed(F::FirstStart)),
            (Shown::Permission, failed(F::AsksPermission)),
            (Shown::Limit, Start::Told(Told::Limit)),
            (Shown::Outage, Start::Told(Told::Outage)),
            (Shown::Ready, Start::Made),
        ] {
            check(StartFacts { shown: Some(shown), ..running() }, expected);
            check(StartFacts { shown: Some(shown), first_moment: true, ..running() }, Start::Made);
        }
        check(gone(StartEnd::CouldNotStart), failed(F::NotInstalled));
        check(StartFacts { shown: Some(Shown::Login), ..gone(StartEnd::Failed) }, failed(F::LoggedOut));
        for (shown, told) in [(Shown::Limit, Told::Limit), (Shown::Outage, Told::Outage)] {
            let said_later = StartFacts { shown: Some(shown), first_moment: true, ..gone(StartEnd::Failed) };
            check(said_later.clone(), Start::Told(told));
            // This may happen any number of times without counting as a failure.
            check(StartFacts { ended_unstarted: 9, ..said_later }, Start::Told(told));
        }
        check(StartFacts { shown: Some(Shown::Trust), ..gone(StartEnd::Failed) }, failed(F::Untrusted));
        check(StartFacts { shown: Some(Shown::Key), ..gone(StartEnd::Failed) }, failed(F::AsksKey));
        check(StartFacts { shown: Some(Shown::Key), first_moment: true, ..gone(StartEnd::Failed) }, Start::Made);
        check(StartFacts { ended_unstarted: 1, ..gone(StartEnd::Failed) }, Start::Made);
        check(StartFacts { ended_unstarted: 2, ..gone(StartEnd::Failed) }, failed(F::Crashed));
        check(StartFacts { ended_unstarted: 2, ..gone(StartEnd::Fine) }, failed(F::Crashed));
        check(StartFacts { shown: Some(Shown::Login), ..gone(StartEnd::Fine) }, Start::Made);
        let unknown = StartFacts { process: Process::Unknown("?".into()), waited: Duration::MAX, ..running() };
        check(unknown, Start::Made);
    }
}
