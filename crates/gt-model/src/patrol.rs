//! The witness's verdict on one polecat: facts in, one verdict out, the first row that fits.

use std::time::Duration;

use serde::Serialize;

use crate::start::{Start, StartFailure};

/// Whether an incarnation's process is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Process {
    /// No start was recorded.
    NotStarted,
    /// That very process exists.
    Running,
    /// It is gone.
    Gone,
    /// The facts are missing or contradict each other.
    Unknown(String),
}

/// What is known of a live attempt and its newest incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolecatFacts {
    /// Whether the work was submitted or parked: the hook is empty.
    pub hook_empty: bool,
    /// The newest incarnation's process; `None` where no incarnation was opened yet (the worktree is being made).
    pub process: Option<Process>,
    /// How far it has come with its start.
    pub start: Start,
    /// Observed time since the last sign of life (call, output, CPU time); zero when first seen.
    pub quiet_for: Duration,
    /// Observed time since the newest incarnation ended.
    pub ended_for: Duration,
    /// How many incarnations this attempt has had.
    pub incarnations: u32,
}

/// Limits of a patrol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatrolLimits {
    /// Without any sign of life for this long, a worker is taken for hung.
    pub quiet: Duration,
    /// Incarnations that one attempt may use up.
    pub incarnations: u32,
    /// Pause before the first restart; doubles with each further one.
    pub back_off: Duration,
}

/// What the witness makes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "why")]
pub enum Verdict {
    /// Submitted or parked: its session ends, its worktree goes.
    Done,
    /// Nothing to see yet: worktree or session are being made, or its first moment is awaited.
    Starting,
    /// It does not start, and will not without a person.
    NotReady(StartFailure),
    /// It shows life.
    Working,
    /// It died with work on its hook, and the pause before the restart is not over.
    BackingOff,
    /// It died with work on its hook: start a new incarnation.
    Crashed,
    /// It is there, and shows no sign of life: end it, which makes it crashed.
    Quiet,
    /// It died too often: snapshot, release the bead, keep the branch.
    Recovered,
    /// Facts missing or contradictory: nothing destructive.
    Unknown(String),
}

/// Decides. Time comes in as observed durations, so a machine that slept restarts nobody.
pub fn verdict(facts: &PolecatFacts, limits: &PatrolLimits) -> Verdict {
    if facts.hook_empty {
        return Verdict::Done;
    }
    match (&facts.process, facts.start) {
        // What asks a person is not ended for its silence: its question would be asked anew for ever.
        (Some(Process::Running), Start::Failed(StartFailure::Silent)) if facts.quiet_for >= limits.quiet => {
            return Verdict::Quiet;
        }
        (Some(Process::Running | Process::Gone), Start::Failed(failure)) => return Verdict::NotReady(failure),
        (Some(Process::Running), Start::Awaited) => return Verdict::Starting,
        _ => {}
    }
    match &facts.process {
        None | Some(Process::NotStarted) => Verdict::Starting,
        Some(Process::Unknown(why)) => Verdict::Unknown(why.clone()),
        Some(Process::Running) if facts.quiet_for >= limits.quiet => Verdict::Quiet,
        Some(Process::Running) => Verdict::Working,
        Some(Process::Gone) if facts.incarnations >= limits.incarnations => Verdict::Recovered,
        Some(Process::Gone) if facts.ended_for < back_off(facts.incarnations, limits) => Verdict::BackingOff,
        Some(Process::Gone) => Verdict::Crashed,
    }
}

/// The pause before incarnation `ended + 1`. The first restart is at once: most deaths are a machine's, not the work's.
fn back_off(ended: u32, limits: &PatrolLimits) -> Duration {
    if ended <= 1 { Duration::ZERO } else { limits.back_off.saturating_mul(2_u32.saturating_pow(ended - 2)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PatrolLimits =
        PatrolLimits { quiet: Duration::from_mins(30), incarnations: 4, back_off: Duration::from_secs(5) };

    fn facts(process: Option<Process>) -> PolecatFacts {
        PolecatFacts {
            hook_empty: false,
            process,
            start: Start::Made,
            quiet_for: Duration::ZERO,
            ended_for: Duration::ZERO,
            incarnations: 1,
        }
    }

    #[test]
    fn f01_only_what_is_known_to_be_gone_or_silent_is_acted_on() {
        let check = |facts: PolecatFacts, expected: Verdict| assert_eq!(verdict(&facts, &LIMITS), expected);
        let running = || facts(Some(Process::Running));
        let gone = || facts(Some(Process::Gone));
        check(facts(None), Verdict::Starting);
        check(facts(Some(Process::NotStarted)), Verdict::Starting);
        check(running(), Verdict::Working);
        check(PolecatFacts { quiet_for: Duration::from_mins(29), ..running() }, Verdict::Working);
        check(PolecatFacts { quiet_for: Duration::from_mins(30), ..running() }, Verdict::Quiet);
        let silent = Start::Failed(StartFailure::Silent);
        let logged_out = Start::Failed(StartFailure::LoggedOut);
        check(PolecatFacts { start: Start::Awaited, ..running() }, Verdict::Starting);
        check(PolecatFacts { start: silent, ..running() }, Verdict::NotReady(StartFailure::Silent));
        check(PolecatFacts { start: silent, quiet_for: Duration::from_mins(30), ..running() }, Verdict::Quiet);
        let asks = PolecatFacts { start: logged_out, quiet_for: Duration::from_hours(9), ..running() };
        check(asks, Verdict::NotReady(StartFailure::LoggedOut));
        let over_budget = PolecatFacts { start: logged_out, incarnations: 9, ..gone() };
        check(over_budget, Verdict::NotReady(StartFailure::LoggedOut));
        check(facts(Some(Process::Unknown("?".into()))), Verdict::Unknown("?".into()));
        let long_unknown = facts(Some(Process::Unknown("?".into())));
        check(PolecatFacts { quiet_for: Duration::from_hours(9), ..long_unknown }, Verdict::Unknown("?".into()));
        check(gone(), Verdict::Crashed);
        check(PolecatFacts { incarnations: 2, ..gone() }, Verdict::BackingOff);
        check(PolecatFacts { incarnations: 2, ended_for: Duration::from_secs(5), ..gone() }, Verdict::Crashed);
        check(PolecatFacts { incarnations: 3, ended_for: Duration::from_secs(9), ..gone() }, Verdict::BackingOff);
        check(PolecatFacts { incarnations: 4, ..gone() }, Verdict::Recovered);
        check(PolecatFacts { hook_empty: true, ..gone() }, Verdict::Done);
        check(PolecatFacts { hook_empty: true, ..running() }, Verdict::Done);
    }
}
