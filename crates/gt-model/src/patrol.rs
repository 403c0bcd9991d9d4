//! The witness's verdict on one polecat: facts in, one verdict out, the first row that fits.

use std::time::Duration;

use serde::Serialize;

use crate::moment::Stage;
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

/// What is known of a live attempt and its newest incarnation. Times are observed ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolecatFacts {
    /// Whether the work was submitted or parked: the hook is empty.
    pub hook_empty: bool,
    /// The newest incarnation's process; `None` where no incarnation was opened yet (the worktree is being made).
    pub process: Option<Process>,
    /// How far it has come with its start.
    pub start: Start,
    /// Where its client says that it stands.
    pub stage: Stage,
    /// How long it has stood there.
    pub stage_for: Duration,
    /// Time since the last sign of life (call, output, CPU time); zero when first seen.
    pub quiet_for: Duration,
    /// Time since the newest incarnation ended.
    pub ended_for: Duration,
    /// How many incarnations count against this attempt.
    pub incarnations: u32,
    /// Whether its end is decided already, and counts against nobody.
    pub is_leaving: bool,
    /// Whether its kind of agent is at a limit, can't be used, or has no answer from its API, and it is not the one that
    /// tries whether that is over.
    pub is_parked: bool,
    /// Whether the limit that its client told of was reacted to.
    pub limit_known: bool,
    /// What its work waits for, where it waits for something.
    pub waits_for: Option<String>,
    /// What nudges came to.
    pub nudges: Nudges,
}

/// Nudges at the step at which a worker stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nudges {
    /// How many it got where it now stands.
    pub here: u32,
    /// How long ago the last of them was.
    pub last_for: Duration,
    /// Whether it got one earlier at this step, moved, and stands again.
    pub before: bool,
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
    /// A tool, or a task of its own, that takes longer than this is told to a person.
    pub tool: Duration,
}

/// How long a nudge may take to be acknowledged by the prompt that it makes.
pub const NUDGE_ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);

/// Nudges of a worker that stands still, before it counts as lost.
pub const NUDGE_TRIES: u32 = 3;

impl PatrolLimits {
    /// The pause before incarnation `ended + 1`. The first restart is at once: most deaths are a machine's, not the
    /// work's.
    pub fn pause_after(&self, ended: u32) -> Duration {
        if ended <= 1 { Duration::ZERO } else { self.back_off.saturating_mul(2_u32.saturating_pow(ended - 2)) }
    }
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
    /// A tool of that name runs.
    InTool(String),
    /// A tool, or a task of its own, has run for longer than it should: a person is told; it is never ended for it.
    LongTool(String),
    /// It waits for its own background task, or for what its work waits for.
    Waiting(String),
    /// It asks a person for this.
    WaitingOnPerson(String),
    /// Its kind of agent is at a limit, or can't be used: nothing is started or ended for it.
    Limited,
    /// That is over: it begins afresh, and that counts against nobody.
    Resumed,
    /// It is at its prompt with work on its hook: nudge it.
    Stalled,
    /// It shows no sign of life: nudge it.
    Quiet,
    /// It was nudged, and has some seconds to say that it heard.
    Nudged,
    /// It was nudged in vain: end it, which makes it crashed.
    Unmoved,
    /// It died with work on its hook, and the pause before the restart is not over.
    BackingOff,
    /// It died with work on its hook: start a new incarnation.
    Crashed,
    /// It died too often: snapshot, release the bead, keep the branch.
    Recovered,
    /// Facts missing or contradictory: nothing destructive.
    Unknown(String),
}

impl Verdict {
    /// In words, for people.
    pub fn text(&self) -> String {
        match self {
            Self::Done => "done: submitted or parked".to_owned(),
            Self::Starting => "starting".to_owned(),
            Self::NotReady(failure @ StartFailure::Unhooked) => format!("ended: {}", failure.as_str()),
            Self::NotReady(failure) => format!("it does not start: {}", failure.as_str()),
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

/// Decides. Time comes in as observed durations, so a machine that slept restarts nobody.
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
        // It has not begun anything that it could go on with.
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

/// What is to be said of one that has not made its start. What its client itself told, a limit, is known better.
fn not_ready(facts: &PolecatFacts, limits: &PatrolLimits) -> Option<Verdict> {
    if facts.is_parked || facts.is_leaving || facts.stage.told().is_some() {
        return None;
    }
    match (facts.process.as_ref()?, facts.start) {
        // What asks a person is not ended for its silence: its question would be asked anew for ever.
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
    // Whoever ended at a limit is known by it first, and begins again when it is over.
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

/// Nudged until it moves, so often.
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
        // The others of a kind that is at its limit are left alone as well.
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
