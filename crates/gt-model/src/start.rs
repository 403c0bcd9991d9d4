//! Whether an agent has started: by evidence, not by hope. Facts in, one answer out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::patrol::Process;

/// What words on a client's screen, or in its output, show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// Nobody is logged in.
    Login,
    /// It asks whether a folder is to be trusted.
    Trust,
    /// It asks whether a mode without questions is meant.
    Mode,
    /// It asks whether a key of its environment is to pay.
    Key,
    /// It asks what it asks when it is started for the first time.
    Welcome,
    /// It asks whether it may do something.
    Permission,
    /// The account's limit is used up.
    Limit,
    /// The model's service does not answer.
    Outage,
    /// Its turn was broken off by a person.
    Interrupted,
    /// It has begun.
    Ready,
}

/// Why an agent does not start, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartFailure {
    /// Its program can't be started.
    NotInstalled,
    /// Nobody is logged in.
    LoggedOut,
    /// It asks a person whether a folder is to be trusted.
    Untrusted,
    /// It asks a person whether its mode without questions is meant.
    AsksMode,
    /// It asks a person whether a key of its environment is to pay.
    AsksKey,
    /// It asks a person the questions of its first start.
    FirstStart,
    /// It asks a person whether it may do something.
    AsksPermission,
    /// It ended before its first moment, twice in a row.
    Crashed,
    /// It runs, and nothing was seen of it by the deadline.
    Silent,
    /// It had begun, and was ended because its client's hooks stopped answering.
    Unhooked,
}

impl StartFailure {
    /// In words, behind "is" or "has".
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
            Self::Silent => "nothing was seen of it by the deadline",
            Self::Unhooked => "its client used tools and called no hook of Gas Town's, so there was no guard",
        }
    }

    /// Whether every agent of that kind would fail in the same way.
    pub fn concerns_the_kind(self) -> bool {
        matches!(self, Self::NotInstalled | Self::LoggedOut)
    }

    /// Whether its terminal has a question that is answered by yes or no.
    pub fn asks_yes_or_no(self) -> bool {
        matches!(self, Self::Untrusted | Self::AsksMode | Self::AsksKey | Self::AsksPermission)
    }
}

/// How far an incarnation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It has shown its first moment; or its kind shows none, and nothing is known against it.
    Made,
    /// Not yet, and the deadline is not over.
    Awaited,
    /// Not for now: its words tell why, and that is nobody's fault and ends by itself.
    Told(Told),
    /// It will not without a person.
    Failed(StartFailure),
}

/// What keeps an agent from its start for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The account's limit is used up.
    Limit,
    /// The model's service does not answer.
    Outage,
}

/// How an incarnation ended, as far as its start is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartEnd {
    /// Its program could not be started.
    CouldNotStart,
    /// It exited with an error, or by a signal that nobody of us sent.
    Failed,
    /// It exited well, or because it was asked to.
    Fine,
}

/// What is known of the newest incarnation of an agent. The first moment of one whose client has no hooks is its first call
/// of `gt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartFacts {
    /// Its process.
    pub process: Process,
    /// Whether its first moment was seen.
    pub first_moment: bool,
    /// How it ended, if it has.
    pub end: Option<StartEnd>,
    /// Observed time that it runs.
    pub waited: Duration,
    /// By when it must have shown its first moment.
    pub deadline: Duration,
    /// Whether it must have shown one at all: a person may have allowed a client that runs no hooks of ours.
    pub needs_sign: bool,
    /// What its last lines show, and have shown for long enough.
    pub shown: Option<Shown>,
    /// Incarnations, the newest backwards, that ended before their first moment, and whose end counts.
    pub ended_unstarted: u32,
}

/// Ends before the first moment after which nothing is started by itself: the first may be the machine's.
const ENDS: u32 = 2;

/// Decides.
pub fn judge(facts: &StartFacts) -> Start {
    let shown = facts.shown.map(meaning);
    match (&facts.process, facts.end) {
        (Process::Gone, Some(StartEnd::CouldNotStart)) => Start::Failed(StartFailure::NotInstalled),
        (Process::Gone, Some(StartEnd::Failed)) => match shown {
            // Said after its first moment too: it could not ask its model anything.
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

/// Whether a client asks that before it begins, and ends where nobody answers.
fn is_of_starts(failure: StartFailure) -> bool {
    use StartFailure::{AsksKey, AsksMode, FirstStart, Untrusted};
    matches!(failure, Untrusted | AsksMode | AsksKey | FirstStart)
}

/// What an agent's start comes to that shows such words.
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
            // However often: nobody is at fault.
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
