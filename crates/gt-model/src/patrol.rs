//! The witness's verdict on one polecat (worker): a function from facts to one verdict. The first rule that matches decides.

use std::time::Duration;

use serde::Serialize;

use crate::moment::Stage;
use crate::start::{Start, StartFailure};

/// State of an incarnation's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Process {
    /// No start was recorded.
    NotStarted,
    /// The recorded process exists.
    Running,
    /// The process has ended.
    Gone,
    /// Facts are missing or contradict each other.
    Unknown(String),
}

/// Facts about a live attempt and its newest incarnation. All durations are observed ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolecatFacts {
    /// Whether the worker's hook is empty: the work was submitted or parked.
    pub hook_empty: bool,
    /// Process of the newest incarnation; `None` if no incarnation was opened yet, because the worktree is still being made.
    pub process: Option<Process>,
    /// Progress of the incarnation's start.
    pub start: Start,
    /// Stage that the agent's client last reported.
    pub stage: Stage,
    /// Time since it reached that stage.
    pub stage_for: Duration,
    /// Time since the last sign of life (a call of `gt`, output, CPU time); zero when first seen.
    pub quiet_for: Duration,
    /// Time since the newest incarnation ended.
    pub ended_for: Duration,
    /// Number of incarnations whose failures count against this attempt.
    pub incarnations: u32,
    /// Whether it is already decided that it ends, which does not count as a failure.
    pub is_leaving: bool,
    /// Whether its kind of agent is parked: it has reached a limit, can't be used, or gets no answer from its API. False for the
    /// one agent that tests whether this is over.
    pub is_parked: bool,
    /// Whether the town has reacted to the limit that its client reported.
    pub limit_known: bool,
    /// Thing that its work waits for, if there is one.
    pub waits_for: Option<String>,
    /// Nudges that it got, and their effect.
    pub nudges: Nudges,
}

/// Nudges that a worker got at its current step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nudges {
    /// Number of nudges since it last moved.
    pub here: u32,
    /// Time since the last of them.
    pub last_for: Duration,
    /// Whether it was nudged earlier at this step, moved, and stopped again.
    pub before: bool,
}

/// Limits for a patrol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatrolLimits {
    /// A worker without any sign of life for this long is considered hung.
    pub quiet: Duration,
    /// Number of incarnations that one attempt may use up.
    pub incarnations: u32,
    /// Pause before the second restart. It doubles with each further one.
    pub back_off: Duration,
    /// A person is told of a tool, or of a background task, that runs longer than this.
    pub tool: Duration,
}

/// How long a nudge may take to be acknowledged by the prompt that it causes.
pub const NUDGE_ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);

/// Number of nudges after which a worker that stands still counts as lost.
pub const NUDGE_TRIES: u32 = 3;

impl PatrolLimits {
    /// Returns the pause before incarnation `ended + 1`. The first restart follows at once, because the machine causes most
    /// deaths, not the work.
    pub fn pause_after(&self, ended: u32) -> Duration {
        if ended <= 1 { Duration::ZERO } else { self.back_off.saturating_mul(2_u32.saturating_pow(ended - 2)) }
    }
}

/// The witness's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "why")]
pub enum Verdict {
    /// Submitted or parked: end its session and remove its worktree.
    Done,
    /// Nothing to judge yet: its worktree or session is being made, or its first hook call is still to come.
    Starting,
    /// Does not start, and will not without a person's help.
    NotReady(StartFailure),
    /// Shows signs of life.
    Working,
    /// Runs the tool of this name.
    InTool(String),
    /// A tool, or a background task, has run longer than it should. A person is told; the worker is never ended for this.
    LongTool(String),
    /// Waits for its own background task, or for the thing that its work waits for.
    Waiting(String),
    /// Asks a person for this.
    WaitingOnPerson(String),
    /// Its kind of agent has reached a limit or can't be used: start and end nothing because of it.
    Limited,
    /// The limit is over: start it again, without counting a failure.
    Resumed,
    /// Stands at its prompt with work on its hook: nudge it.
    Stalled,
    /// Shows no sign of life: nudge it.
    Quiet,
    /// Was nudged, and has a few seconds to acknowledge that.
    Nudged,
    /// Was nudged without effect: end it, which makes it [`Self::Crashed`].
    Unmoved,
    /// Died with work on its hook; the pause before its restart is not over.
    BackingOff,
    /// Died with work on its hook: start a new incarnation.
    Crashed,
    /// Died too often: snapshot its work, release the bead and keep the branch.
    Recovered,
    /// Facts are missing or contradict each other: do nothing destructive.
    Unknown(String),
}

impl Verdict {
    /// Describes the verdict for people.
    pub fn text(&self) -> String {
        match self {
            Self::Done => "done: submitted or parked".to_owned(),
            Self::Starting => "starting".to_owned(),
            Self::NotReady(failure @ StartFailure::Unhooked) => format!("ended: {}", failure.as_str()),
            Self::NotReady(failure) => format!("can't start: {}", failure.as_str()),
            Self::Working => "working".to_owned(),
            Self::InTool(tool) => format!("in a tool: {tool}"),
            Self::LongTool(tool) => format!("in a tool for too long: {tool}"),
            Self::Waiting(what) => format!("waiting for {what}"),
            Self::WaitingOnPerson(what) => format!("waiting on a person: {what}"),
            Self::Limited => {
                "limited: its account is at a limit or can't be used, its API does not answer, or its hooks are off"
                    .to_owned()
            }
            Self::Resumed => "its limit is over: it begins afresh".to_owned(),
            Self::Stalled => "stalled: at its prompt with work on its hook".to_owned(),
            Self::Quiet => "quiet: no sign of life".to_owned(),
            Self::Nudged => "nudged".to_owned(),
            Self::Unmoved => "nudged in vain".to_owned(),
            Self::BackingOff => "crashed; started again after a pause".to_owned(),
            Self::Crashed => "crashed".to_owned(),
            Self::Recovered => "died too often".to_owned(),
            Self::Unknown(why) => format!("unknown: {why}"),
        }
    }
}

/// Decides the verdict. Times are observed durations, so nothing is restarted because the machine slept.
pub fn verdict(facts: &PolecatFacts, limits: &PatrolLimits) -> Verdict {
    if facts.hook_empty {
        return Verdict::Done;
    }
    if let Some(verdict) = not_ready(facts, limits) {
        return verdict;
    }
    match &facts.process {
        None | Some(Process::NotStarted) => Verdict::Starting,
        Some(Process::Unknown(why)) => Verdict::Unknown(why.clone()),
        Some(Process::Gone) => gone(facts, limits),
        // It has not begun any work that it could continue.
        Some(Process::Running) if matches!(facts.start, Start::Told(_)) => {
            if facts.limit_known && !facts.is_parked {
                Verdict::Resumed
            } else {
                Verdict::Limited
            }
        }
        Some(Process::Running) if facts.is_leaving && !is_limited(&facts.stage) => Verdict::Working,
        Some(Process::Running) => running(facts, limits),
    }
}

/// Judges an incarnation that has not started. Returns `None` if its client itself reported a limit, which explains more.
fn not_ready(facts: &PolecatFacts, limits: &PatrolLimits) -> Option<Verdict> {
    if facts.is_parked || facts.is_leaving || facts.stage.told().is_some() {
        return None;
    }
    match (facts.process.as_ref()?, facts.start) {
        // An agent that asks a person a question is not ended because it is silent: the next incarnation would ask the same
        // again, endlessly.
        (Process::Running, Start::Failed(StartFailure::Silent)) if facts.quiet_for >= limits.quiet => {
            Some(Verdict::Unmoved)
        }
        (Process::Running | Process::Gone, Start::Failed(failure)) => Some(Verdict::NotReady(failure)),
        (Process::Running, Start::Awaited) => Some(Verdict::Starting),
        _ => None,
    }
}

fn is_limited(stage: &Stage) -> bool {
    matches!(stage, Stage::Limited(_) | Stage::LoggedOut(_))
}

fn gone(facts: &PolecatFacts, limits: &PatrolLimits) -> Verdict {
    // For an agent that ended at a limit, the limit must be recorded first. It starts again when the limit is over.
    if facts.is_parked || facts.stage.told().is_some() && !facts.limit_known {
        return Verdict::Limited;
    }
    if facts.incarnations >= limits.incarnations {
        return Verdict::Recovered;
    }
    if facts.ended_for < limits.pause_after(facts.incarnations) { Verdict::BackingOff } else { Verdict::Crashed }
}

fn running(facts: &PolecatFacts, limits: &PatrolLimits) -> Verdict {
    let too_long = facts.stage_for >= limits.tool;
    match &facts.stage {
        Stage::Limited(_) | Stage::LoggedOut(_) if facts.limit_known && !facts.is_parked => Verdict::Resumed,
        Stage::Limited(_) | Stage::LoggedOut(_) => Verdict::Limited,
        Stage::Outage(_) if !facts.limit_known || facts.is_parked => Verdict::Limited,
        Stage::Outage(_) => again(facts),
        Stage::Asking(mark) => Verdict::WaitingOnPerson(mark.text.clone().unwrap_or_default()),
        Stage::InTool(mark) => {
            let tool = mark.tool.clone().unwrap_or_default();
            if too_long { Verdict::LongTool(tool) } else { Verdict::InTool(tool) }
        }
        Stage::Background(_) if too_long => Verdict::LongTool("a task of its own".to_owned()),
        Stage::Background(_) => Verdict::Waiting("a task of its own".to_owned()),
        Stage::AtPrompt(_) => at_prompt(facts),
        Stage::Silent | Stage::Ready | Stage::Working | Stage::Ended => by_signs(facts, limits),
    }
}

fn at_prompt(facts: &PolecatFacts) -> Verdict {
    if let Some(what) = &facts.waits_for {
        return Verdict::Waiting(what.clone());
    }
    if facts.is_parked {
        return Verdict::Limited;
    }
    if facts.nudges.before { Verdict::Unmoved } else { again(facts) }
}

/// Nudges a worker until it moves, up to [`NUDGE_TRIES`] times.
fn again(facts: &PolecatFacts) -> Verdict {
    let waited = facts.nudges.last_for >= NUDGE_ACKNOWLEDGED_WITHIN;
    match facts.nudges.here {
        0 => Verdict::Stalled,
        _ if !waited => Verdict::Nudged,
        tries if tries < NUDGE_TRIES => Verdict::Stalled,
        _ => Verdict::Unmoved,
    }
}

fn by_signs(facts: &PolecatFacts, limits: &PatrolLimits) -> Verdict {
    if facts.quiet_for < limits.quiet {
        return Verdict::Working;
    }
    let waited = facts.nudges.last_for >= NUDGE_ACKNOWLEDGED_WITHIN;
    match facts.nudges.here {
        _ if facts.is_parked => Verdict::Limited,
        0 => Verdict::Quiet,
        _ if waited => Verdict::Unmoved,
        _ => Verdict::Nudged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Mark;
    use crate::start::Told;

    const LIMITS: PatrolLimits = PatrolLimits {
        quiet: Duration::from_mins(30),
        incarnations: 4,
        back_off: Duration::from_secs(5),
        tool: Duration::from_mins(60),
    };

    fn facts(process: Option<Process>) -> PolecatFacts {
        PolecatFacts {
            hook_empty: false,
            process,
            start: Start::Made,
            stage: Stage::Silent,
            stage_for: Duration::ZERO,
            quiet_for: Duration::ZERO,
            ended_for: Duration::ZERO,
            incarnations: 1,
            is_leaving: false,
            is_parked: false,
            limit_known: false,
            waits_for: None,
            nudges: Nudges::default(),
        }
    }

    fn at(stage: Stage) -> PolecatFacts {
        PolecatFacts { stage, ..facts(Some(Process::Running)) }
    }

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "rows of a table are made on the spot")]
    fn check(facts: PolecatFacts, expected: Verdict) {
        assert_eq!(verdict(&facts, &LIMITS), expected, "{facts:?}");
    }

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn f01_only_what_is_known_to_be_gone_or_silent_is_acted_on() {
        let running = || facts(Some(Process::Running));
        let gone = || facts(Some(Process::Gone));
        check(facts(None), Verdict::Starting);
        check(facts(Some(Process::NotStarted)), Verdict::Starting);
        check(running(), Verdict::Working);
        check(PolecatFacts { quiet_for: 29 * MINUTE, ..running() }, Verdict::Working);
        check(PolecatFacts { quiet_for: 30 * MINUTE, ..running() }, Verdict::Quiet);
        let silent = Start::Failed(StartFailure::Silent);
        let logged_out = Start::Failed(StartFailure::LoggedOut);
        check(PolecatFacts { start: Start::Awaited, ..running() }, Verdict::Starting);
        check(PolecatFacts { start: silent, ..running() }, Verdict::NotReady(StartFailure::Silent));
        check(PolecatFacts { start: silent, quiet_for: 30 * MINUTE, ..running() }, Verdict::Unmoved);
        let asks = PolecatFacts { start: logged_out, quiet_for: Duration::from_hours(9), ..running() };
        check(asks, Verdict::NotReady(StartFailure::LoggedOut));
        let over_budget = PolecatFacts { start: logged_out, incarnations: 9, ..gone() };
        check(over_budget.clone(), Verdict::NotReady(StartFailure::LoggedOut));
        check(PolecatFacts { is_parked: true, ..over_budget }, Verdict::Limited);
        check(facts(Some(Process::Unknown("?".into()))), Verdict::Unknown("?".into()));
        let long_unknown = facts(Some(Process::Unknown("?".into())));
        check(PolecatFacts { quiet_for: Duration::from_hours(9), ..long_unknown }, Verdict::Unknown("?".into()));
        check(gone(), Verdict::Crashed);
        check(PolecatFacts { incarnations: 2, ..gone() }, Verdict::BackingOff);
        check(PolecatFacts { incarnations: 2, ended_for: Duration::from_secs(5), ..gone() }, Verdict::Crashed);
        check(PolecatFacts { incarnations: 3, ended_for: Duration::from_secs(9), ..gone() }, Verdict::BackingOff);
        check(PolecatFacts { incarnations: 4, ..gone() }, Verdict::Recovered);
        check(PolecatFacts { incarnations: 0, ..gone() }, Verdict::Crashed);
        check(PolecatFacts { hook_empty: true, ..gone() }, Verdict::Done);
        check(PolecatFacts { hook_empty: true, ..running() }, Verdict::Done);
    }

    #[test]
    fn f01_a_tool_that_takes_long_is_work() {
        let tool = || at(Stage::InTool(Mark { tool: Some("Bash".to_owned()), ..Mark::at(1) }));
        let silent = PolecatFacts { quiet_for: Duration::from_hours(9), ..tool() };
        check(silent.clone(), Verdict::InTool("Bash".to_owned()));
        check(PolecatFacts { stage_for: 60 * MINUTE, ..silent }, Verdict::LongTool("Bash".to_owned()));
        let task = || at(Stage::Background(Mark { background: 1, ..Mark::at(1) }));
        let silent = PolecatFacts { quiet_for: Duration::from_hours(9), ..task() };
        check(silent.clone(), Verdict::Waiting("a task of its own".to_owned()));
        check(PolecatFacts { stage_for: 60 * MINUTE, ..silent }, Verdict::LongTool("a task of its own".to_owned()));
    }

    #[test]
    fn f20_whoever_asks_a_person_or_is_at_a_limit_is_not_restarted() {
        let asks = Mark { text: Some("May I?".to_owned()), ..Mark::at(1) };
        let asking = PolecatFacts { quiet_for: Duration::from_hours(9), ..at(Stage::Asking(asks)) };
        check(asking, Verdict::WaitingOnPerson("May I?".to_owned()));
        for stage in [Stage::Limited(Mark::at(1)), Stage::LoggedOut(Mark::at(1))] {
            let limited = || PolecatFacts { quiet_for: Duration::from_hours(9), ..at(stage.clone()) };
            check(limited(), Verdict::Limited);
            let parked = || PolecatFacts { limit_known: true, is_parked: true, is_leaving: true, ..limited() };
            check(parked(), Verdict::Limited);
            check(PolecatFacts { is_parked: false, ..parked() }, Verdict::Resumed);
            let gone = || PolecatFacts { process: Some(Process::Gone), incarnations: 9, ..parked() };
            check(gone(), Verdict::Limited);
            check(PolecatFacts { is_parked: false, limit_known: false, ..gone() }, Verdict::Limited);
            check(PolecatFacts { is_parked: false, incarnations: 0, ..gone() }, Verdict::Crashed);
        }
        // The other agents of a kind that is at its limit are left alone as well.
        check(PolecatFacts { is_parked: true, ..facts(Some(Process::Gone)) }, Verdict::Limited);
        check(PolecatFacts { is_parked: true, quiet_for: 40 * MINUTE, ..at(Stage::Working) }, Verdict::Limited);
        check(PolecatFacts { is_parked: true, ..at(Stage::AtPrompt(Mark::at(1))) }, Verdict::Limited);
        check(PolecatFacts { is_parked: true, ..at(Stage::Working) }, Verdict::Working);
    }

    #[test]
    fn f20_an_api_that_does_not_answer_is_waited_for_and_then_asked_again() {
        let out = || at(Stage::Outage(Mark::at(1)));
        check(out(), Verdict::Limited);
        let parked =
            || PolecatFacts { limit_known: true, is_parked: true, quiet_for: Duration::from_hours(9), ..out() };
        check(parked(), Verdict::Limited);
        let tries = |here, last_for| PolecatFacts {
            is_parked: false,
            nudges: Nudges { here, last_for: Duration::from_secs(last_for), before: true },
            ..parked()
        };
        check(tries(0, 0), Verdict::Stalled);
        check(tries(1, 9), Verdict::Nudged);
        check(tries(1, 10), Verdict::Stalled);
        check(tries(3, 10), Verdict::Unmoved);
        let gone = || PolecatFacts { process: Some(Process::Gone), incarnations: 0, ..parked() };
        check(gone(), Verdict::Limited);
        check(PolecatFacts { is_parked: false, limit_known: false, ..gone() }, Verdict::Limited);
        check(PolecatFacts { is_parked: false, ..gone() }, Verdict::Crashed);
        check(PolecatFacts { is_leaving: true, ..out() }, Verdict::Working);
    }

    #[test]
    fn f20_what_a_start_tells_parks_like_what_a_hook_tells_and_then_it_begins_afresh() {
        for (told, stage) in
            [(Told::Limit, Stage::Limited(Mark::default())), (Told::Outage, Stage::Outage(Mark::default()))]
        {
            let shown = || PolecatFacts { start: Start::Told(told), incarnations: 9, ..at(stage.clone()) };
            check(shown(), Verdict::Limited);
            let parked = || PolecatFacts { limit_known: true, is_parked: true, is_leaving: true, ..shown() };
            check(parked(), Verdict::Limited);
            check(PolecatFacts { is_parked: false, ..parked() }, Verdict::Resumed);
            let gone = || PolecatFacts { process: Some(Process::Gone), ..parked() };
            check(gone(), Verdict::Limited);
            check(PolecatFacts { limit_known: false, is_parked: false, ..gone() }, Verdict::Limited);
            check(PolecatFacts { is_parked: false, incarnations: 0, ..gone() }, Verdict::Crashed);
        }
    }

    #[test]
    fn who_stands_still_is_nudged_and_then_replaced() {
        let nudged = |here: u32, last_for: u64| Nudges { here, last_for: Duration::from_secs(last_for), before: false };
        let stalled = |nudges: Nudges| PolecatFacts { nudges, ..at(Stage::AtPrompt(Mark::at(1))) };
        check(stalled(nudged(0, 0)), Verdict::Stalled);
        check(stalled(nudged(1, 9)), Verdict::Nudged);
        check(stalled(nudged(1, 10)), Verdict::Stalled);
        check(stalled(nudged(3, 9)), Verdict::Nudged);
        check(stalled(nudged(3, 10)), Verdict::Unmoved);
        check(stalled(Nudges { before: true, ..nudged(0, 0) }), Verdict::Unmoved);
        let waits = Some("ap-2".to_owned());
        check(PolecatFacts { waits_for: waits, ..stalled(nudged(3, 99)) }, Verdict::Waiting("ap-2".to_owned()));
        check(PolecatFacts { is_leaving: true, ..stalled(nudged(0, 0)) }, Verdict::Working);
        let quiet = |nudges: Nudges| PolecatFacts { nudges, quiet_for: 30 * MINUTE, ..at(Stage::Working) };
        check(quiet(nudged(0, 0)), Verdict::Quiet);
        check(quiet(nudged(1, 9)), Verdict::Nudged);
        check(quiet(nudged(1, 10)), Verdict::Unmoved);
        check(PolecatFacts { quiet_for: 29 * MINUTE, ..quiet(nudged(1, 10)) }, Verdict::Working);
        check(PolecatFacts { stage: Stage::Ended, ..quiet(nudged(1, 10)) }, Verdict::Unmoved);
    }
}
