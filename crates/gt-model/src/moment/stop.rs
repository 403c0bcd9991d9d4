//! The stop moment. An agent with work on its hook must run it (GUPP), so gt makes its turn continue, but not endlessly.

use serde::{Deserialize, Serialize};

/// How often in a row gt makes a turn continue while nothing new happens.
const BLOCKS_IN_A_ROW: u32 = 2;

/// How often gt makes turns continue at one step, whatever happens in between.
const BLOCKS_ON_A_STEP: u32 = 12;

/// Number of mails to remember that kept a turn from ending.
const MAILS_REMEMBERED: usize = 64;

/// Facts at the time an agent wants to end its turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopFacts {
    /// Work on its hook: the bead, the next thing to do, and the command for it.
    pub work: Option<(String, String, String)>,
    /// Whether it should end, because its work is submitted or handed to its successor.
    pub is_leaving: bool,
    /// Thing that its work waits for, if there is one.
    pub waits_for: Option<String>,
    /// Number of its own tasks that still run.
    pub background: usize,
    /// Number of closed steps.
    pub steps_done: u32,
    /// Time of the last tool use (see `Mark::at_us`).
    pub last_tool_us: Option<u64>,
    /// Ids of urgent mail that it has not read.
    pub urgent: Vec<String>,
}

/// Record of the turns that gt made continue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Blocks {
    /// Time of the last one (see `Mark::at_us`).
    pub at_us: u64,
    /// Number in a row while nothing new happened.
    pub in_a_row: u32,
    /// Number at the current step.
    pub on_step: u32,
    /// Number of closed steps at that time.
    pub steps_done: u32,
    /// Ids of mails that were the reason.
    pub mails: Vec<String>,
}

/// Answer to an agent that wants to end its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopAnswer {
    /// The turn may end.
    Let,
    /// The turn continues, for this reason.
    Block {
        /// Reason with the work to do and the command for it.
        reason: String,
        /// New record, with this turn included.
        blocks: Blocks,
    },
}

/// Decides whether a turn may end at `now_us`.
pub fn at_stop(facts: &StopFacts, before: &Blocks, now_us: u64) -> StopAnswer {
    if facts.is_leaving || facts.background > 0 {
        return StopAnswer::Let;
    }
    let blocks = Blocks { at_us: now_us, ..before.clone() };
    if let Some(mail) = facts.urgent.iter().find(|id| !before.mails.contains(id)) {
        let mut mails = blocks.mails.clone();
        mails.push(mail.clone());
        let surplus = mails.len().saturating_sub(MAILS_REMEMBERED);
        mails.drain(..surplus);
        let reason = format!("Urgent mail is unread. Read it before you end your turn: gt mail read {mail}");
        return StopAnswer::Block { reason, blocks: Blocks { mails, ..blocks } };
    }
    let Some((bead, todo, command)) = &facts.work else { return StopAnswer::Let };
    if facts.waits_for.is_some() {
        return StopAnswer::Let;
    }
    let new_step = before.steps_done != facts.steps_done;
    let new_fact = new_step || facts.last_tool_us.is_some_and(|at| at > before.at_us);
    let in_a_row = if new_fact { 0 } else { before.in_a_row };
    let on_step = if new_step { 0 } else { before.on_step };
    if in_a_row >= BLOCKS_IN_A_ROW || on_step >= BLOCKS_ON_A_STEP {
        return StopAnswer::Let;
    }
    let reason = format!(
        "There is work on your hook, so you run it: {bead}, {todo}. Go on now. When it is done: {command}. \
         If you can't go on: gt done --status escalated -m \"<why>\""
    );
    let blocks = Blocks { in_a_row: in_a_row + 1, on_step: on_step + 1, steps_done: facts.steps_done, ..blocks };
    StopAnswer::Block { reason, blocks }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_work() -> StopFacts {
        let work = ("ap-1".to_owned(), "step 4 of 9 implement".to_owned(), "gt step done implement".to_owned());
        StopFacts { work: Some(work), steps_done: 3, last_tool_us: Some(5), ..StopFacts::default() }
    }

    #[test]
    fn only_work_that_can_be_run_keeps_a_turn_going() {
        let lets = |facts: StopFacts| assert_eq!(at_stop(&facts, &Blocks::default(), 10), StopAnswer::Let, "{facts:?}");
        lets(StopFacts::default());
        lets(StopFacts { is_leaving: true, urgent: vec!["hq-1".to_owned()], ..at_work() });
        lets(StopFacts { background: 1, ..at_work() });
        lets(StopFacts { waits_for: Some("ap-2".to_owned()), ..at_work() });
        let StopAnswer::Block { reason, blocks } = at_stop(&at_work(), &Blocks::default(), 10) else { panic!() };
        assert!(
            reason.contains("ap-1, step 4 of 9 implement") && reason.contains("gt step done implement"),
            "{reason}"
        );
        assert_eq!((blocks.in_a_row, blocks.on_step, blocks.at_us), (1, 1, 10));
    }

    /// Stops up to `at_most` times. Returns how many stops were blocked before one was allowed.
    fn blocked(mut facts: impl FnMut(u64) -> StopFacts, at_most: u64) -> u64 {
        let mut blocks = Blocks::default();
        for turn in 0..at_most {
            match at_stop(&facts(turn * 10), &blocks, turn * 10 + 9) {
                StopAnswer::Let => return turn,
                StopAnswer::Block { blocks: next, .. } => blocks = next,
            }
        }
        at_most
    }

    #[test]
    fn nobody_is_driven_round_in_circles() {
        assert_eq!(blocked(|_| at_work(), 100), 2, "two blocks without a new fact");
        assert_eq!(
            blocked(|now| StopFacts { last_tool_us: Some(now + 1), ..at_work() }, 100),
            u64::from(BLOCKS_ON_A_STEP),
            "tools are new facts, but not for ever"
        );
        let steps = |now: u64| StopFacts { steps_done: 3 + (now / 10) as u32, ..at_work() };
        assert_eq!(blocked(steps, 100), 100, "whoever closes steps is kept going");
    }

    #[test]
    fn urgent_mail_keeps_a_turn_going_once() {
        let facts = StopFacts { urgent: vec!["hq-1".to_owned(), "hq-2".to_owned()], ..StopFacts::default() };
        assert_eq!(blocked(|_| facts.clone(), 100), 2, "once for each mail");
        let StopAnswer::Block { reason, .. } = at_stop(&facts, &Blocks::default(), 1) else { panic!() };
        assert!(reason.ends_with("gt mail read hq-1"), "{reason}");
    }
}
