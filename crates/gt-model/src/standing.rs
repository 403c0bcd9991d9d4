//! The verdict on one standing agent (the mayor, crew): a function from facts to one verdict. The first rule that matches
//! decides.
//!
//! A standing agent runs because a person started it, and stays stopped because a person stopped it. If it ends by itself,
//! successfully and with nothing left to read, it is asleep: it costs nothing, and mail wakes it.

use std::time::Duration;

use serde::Serialize;

use crate::patrol::{PatrolLimits, Process};
use crate::start::{Start, StartFailure};

/// Observed time that an incarnation must run until the deaths of earlier ones are forgiven.
pub const SETTLED_AFTER: Duration = Duration::from_mins(10);

/// Facts about a standing agent and its newest incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingFacts {
    /// Whether a person wants it to run.
    pub wanted: bool,
    /// Process of the newest incarnation; `None` if none was opened since a person started it.
    pub process: Option<Process>,
    /// Progress of the newest incarnation's start.
    pub start: Start,
    /// Limit or outage that it reported.
    pub limit: Limit,
    /// Whether its kind of agent is parked. False for the one agent that tests whether this is over.
    pub is_parked: bool,
    /// Whether the newest incarnation ended by itself, successfully.
    pub ended_well: bool,
    /// Whether there is mail that it should act on and that no incarnation has been told of.
    pub has_mail: bool,
    /// Number of incarnations that died, or that ended before they were told of the mail that they were started for.
    pub deaths: u32,
    /// Observed time since the newest incarnation ended.
    pub ended_for: Duration,
    /// Observed time that the newest incarnation has been running.
    pub running_for: Duration,
    /// Whether failures of earlier incarnations count against the agent.
    pub has_past: bool,
}

/// Obstacle that an incarnation reported: a limit or an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Nothing reported.
    None,
    /// Reported, and the town has not reacted yet.
    New,
    /// Reported, and its kind of agent was parked for it.
    Known,
}

/// Verdict on a standing agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "why")]
pub enum Standing {
    /// Should not run, and does not.
    Stopped,
    /// Should not run, and does: end it.
    Stopping,
    /// Its session is being started, or its first hook call is still to come.
    Starting,
    /// Does not start, and will not without a person's help.
    NotReady(StartFailure),
    /// Its kind of agent is parked, or will be because of what it reported: start nothing until that is over.
    Limited,
    /// Met a limit at its start, and the limit is over: start it again, without counting a failure.
    Resumed,
    /// Runs.
    Up,
    /// Has run long enough: forgive the failures of earlier incarnations.
    Settled,
    /// Ended by itself, and nothing waits for it.
    Asleep,
    /// Died; the pause before its restart is not over.
    BackingOff,
    /// Should run, or has mail to wake up for: start a new incarnation.
    Due,
    /// Died too often: stopped until a person looks into it.
    GivenUp,
    /// Facts are missing or contradict each other: do nothing.
    Unknown(String),
}

/// Decides the verdict. Times are observed durations.
pub fn standing(facts: &StandingFacts, limits: &PatrolLimits) -> Standing {
    match &facts.process {
        Some(Process::Unknown(why)) => Standing::Unknown(why.clone()),
        Some(Process::Running) if !facts.wanted => Standing::Stopping,
        _ if !facts.wanted => Standing::Stopped,
        None if facts.is_parked => Standing::Limited,
        None => Standing::Due,
        Some(Process::NotStarted) => Standing::Starting,
        Some(Process::Running) => running(facts),
        Some(Process::Gone) => gone(facts, limits),
    }
}

fn running(facts: &StandingFacts) -> Standing {
    match facts.start {
        Start::Failed(failure) => Standing::NotReady(failure),
        Start::Awaited => Standing::Starting,
        // It has not begun any work that it could continue.
        Start::Told(_) if facts.limit == Limit::Known && !facts.is_parked => Standing::Resumed,
        Start::Told(_) => Standing::Limited,
        Start::Made if facts.has_past && facts.running_for >= SETTLED_AFTER => Standing::Settled,
        Start::Made => Standing::Up,
    }
}

fn gone(facts: &StandingFacts, limits: &PatrolLimits) -> Standing {
    match facts.start {
        // The limit must be recorded first. The agent starts again when it is over.
        _ if facts.limit == Limit::New => Standing::Limited,
        Start::Failed(failure) => Standing::NotReady(failure),
        _ if facts.ended_well && !facts.has_mail => Standing::Asleep,
        _ if facts.is_parked => Standing::Limited,
        _ if facts.deaths >= limits.incarnations => Standing::GivenUp,
        _ if facts.ended_for < limits.pause_after(facts.deaths) => Standing::BackingOff,
        _ => Standing::Due,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::start::Told;

    const LIMITS: PatrolLimits = PatrolLimits {
        quiet: Duration::from_mins(30),
        incarnations: 3,
        back_off: Duration::from_secs(5),
        tool: Duration::from_hours(1),
    };

    fn facts(process: Option<Process>) -> StandingFacts {
        StandingFacts {
            wanted: true,
            process,
            start: Start::Made,
            limit: Limit::None,
            is_parked: false,
            ended_well: false,
            has_mail: false,
            deaths: 1,
            ended_for: Duration::ZERO,
            running_for: Duration::ZERO,
            has_past: false,
        }
    }

    #[test]
    fn f16_what_is_not_wanted_is_never_started() {
        for process in [None, Some(Process::NotStarted), Some(Process::Gone)] {
            for (has_mail, deaths) in [(true, 0), (false, 0), (true, 9)] {
                let stopped = StandingFacts { wanted: false, has_mail, deaths, ..facts(process.clone()) };
                assert_eq!(standing(&stopped, &LIMITS), Standing::Stopped, "{stopped:?}");
            }
        }
        let running = StandingFacts { wanted: false, ..facts(Some(Process::Running)) };
        assert_eq!(standing(&running, &LIMITS), Standing::Stopping);
    }

    #[test]
    fn what_is_wanted_is_kept_running_within_bounds() {
        let check = |facts: StandingFacts, expected: Standing| assert_eq!(standing(&facts, &LIMITS), expected);
        let gone = || facts(Some(Process::Gone));
        let seconds = Duration::from_secs;
        check(facts(None), Standing::Due);
        check(facts(Some(Process::NotStarted)), Standing::Starting);
        check(facts(Some(Process::Running)), Standing::Up);
        let long = StandingFacts { running_for: SETTLED_AFTER, ..facts(Some(Process::Running)) };
        check(long.clone(), Standing::Up);
        check(StandingFacts { has_past: true, ..long }, Standing::Settled);
        check(gone(), Standing::Due);
        check(StandingFacts { deaths: 2, ..gone() }, Standing::BackingOff);
        check(StandingFacts { deaths: 2, ended_for: seconds(5), ..gone() }, Standing::Due);
        check(StandingFacts { deaths: 3, ended_for: seconds(500), ..gone() }, Standing::GivenUp);
        check(facts(Some(Process::Unknown("?".into()))), Standing::Unknown("?".into()));
    }

    #[test]
    fn f06_who_is_asleep_wakes_for_mail_only() {
        let asleep = StandingFacts { ended_well: true, ended_for: Duration::MAX, ..facts(Some(Process::Gone)) };
        assert_eq!(standing(&asleep, &LIMITS), Standing::Asleep);
        let woken = StandingFacts { has_mail: true, ..asleep };
        assert_eq!(standing(&woken, &LIMITS), Standing::Due);
        // An agent that never reads its mail is not started endlessly.
        assert_eq!(standing(&StandingFacts { deaths: 3, ..woken }, &LIMITS), Standing::GivenUp);
    }
    #[test]
    fn f20_who_does_not_start_is_left_alone_until_a_person_has_looked() {
        let check = |facts: StandingFacts, expected: Standing| assert_eq!(standing(&facts, &LIMITS), expected);
        let running = || facts(Some(Process::Running));
        check(StandingFacts { start: Start::Awaited, ..running() }, Standing::Starting);
        for failure in [StartFailure::LoggedOut, StartFailure::Untrusted, StartFailure::Crashed, StartFailure::Silent] {
            let failed = StandingFacts { start: Start::Failed(failure), ..running() };
            check(failed.clone(), Standing::NotReady(failure));
            check(
                StandingFacts { process: Some(Process::Gone), deaths: 9, ..failed.clone() },
                Standing::NotReady(failure),
            );
            check(StandingFacts { wanted: false, ..failed }, Standing::Stopping);
        }
    }

    #[test]
    fn f20_a_limit_or_an_outage_is_waited_for() {
        let check = |facts: StandingFacts, expected: Standing| assert_eq!(standing(&facts, &LIMITS), expected);
        check(StandingFacts { is_parked: true, ..facts(None) }, Standing::Limited);
        for told in [Told::Limit, Told::Outage] {
            let new = |process| StandingFacts { start: Start::Told(told), limit: Limit::New, ..facts(Some(process)) };
            let parked = |process| StandingFacts { limit: Limit::Known, is_parked: true, ..new(process) };
            let over = |process| StandingFacts { is_parked: false, deaths: 0, ..parked(process) };
            check(new(Process::Running), Standing::Limited);
            check(parked(Process::Running), Standing::Limited);
            check(over(Process::Running), Standing::Resumed);
            check(new(Process::Gone), Standing::Limited);
            check(parked(Process::Gone), Standing::Limited);
            check(over(Process::Gone), Standing::Due);
        }
        // A report of its hooks while it runs is handled in the same session when it is over.
        let by_hook = StandingFacts { limit: Limit::New, ..facts(Some(Process::Running)) };
        check(by_hook.clone(), Standing::Up);
        // A client may end before the report was seen.
        check(StandingFacts { process: Some(Process::Gone), ..by_hook }, Standing::Limited);
        // An agent that sleeps stays asleep.
        let asleep = StandingFacts { ended_well: true, is_parked: true, ..facts(Some(Process::Gone)) };
        check(asleep.clone(), Standing::Asleep);
        check(StandingFacts { has_mail: true, ..asleep }, Standing::Limited);
    }
}
