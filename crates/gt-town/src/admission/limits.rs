//! Limits of accounts, and accounts that can't be used. Work of that kind of agent waits; it neither starts nor ends.
//!
//! Each kind of agent stands for one account. A condition says that the kind is parked and when that should end. The end time
//! comes from outside, so it is bounded. Observed time can end the condition too, so that no wrong clock blocks work forever.

use std::time::Duration;

use gt_ledger::{Attempt, Condition, Tx, View};
use gt_model::condition::ConditionKind;
use gt_model::foreign;
use gt_model::id::IncarnationId;
use gt_model::moment::{Mark, Stage, reset_at};
use jiff::Timestamp;

use crate::admission::hooks_off;
use crate::admission::outage;
use crate::agents::hooks;
use crate::town::error::{Error, Result};
use crate::town::observed::Observed;
use crate::town::person;
use crate::town::{Caller, Town};

/// Time after which gt tries again if no end of the limit is known.
const TRY_AGAIN_AFTER: Duration = Duration::from_mins(30);

/// Reason recorded for an incarnation that met a limit. It does not count as a failure.
const AT_LIMIT: &str = "its account was at a limit";

/// Whether an end for this reason is followed by a wait, so that it can't repeat quickly without end. A limit can last for days
/// without a known end.
pub(crate) fn is_waited_for(why: &str) -> bool {
    why == AT_LIMIT || why == outage::UNANSWERED || why == hooks::TURNED_OFF
}

/// Whether a kind of agent is parked for `whom`. An agent that is testing whether the API answers again is exempt.
pub(crate) fn is_parked_but_for(view: &View<'_>, kind: &str, whom: Option<&str>) -> Result<bool> {
    Ok(is_limited(view, kind)? || hooks_off::held(view, kind)?.is_some() || outage::holds(view, kind, whom)?)
}

fn is_limited(view: &View<'_>, kind: &str) -> Result<bool> {
    Ok(view.condition(ConditionKind::Limit, kind)?.is_some() || view.condition(ConditionKind::Login, kind)?.is_some())
}

/// Whether the kind of agent that an attempt needs is parked for this attempt.
pub(crate) fn is_parked_for(view: &View<'_>, attempt: &Attempt) -> Result<bool> {
    is_parked_but_for(view, &attempt.agent, Some(&attempt.id.to_string()))
}

/// Returns the key which records that gt has handled this mark of a limit.
pub(crate) fn fact(mark: &Mark) -> String {
    format!("limit:{}", mark.at_us)
}

/// An obstacle that an incarnation met and that stops its kind of agent.
pub(crate) struct Met<'a> {
    pub incarnation: &'a IncarnationId,
    pub kind: &'a str,
    /// Owner of the incarnation: an attempt's id, or a standing agent's address.
    pub whom: &'a str,
    /// Stage that its hooks report, or that the words on its screen at the start indicate.
    pub stage: &'a Stage,
    /// Instruction that makes the account usable again, if a person must do that.
    pub log_in: &'a str,
}

/// Parks a kind of agent for an obstacle that one of its incarnations met, once for each report of it.
pub(crate) fn note(tx: &Tx<'_>, met: &Met<'_>, resets_at: Option<i64>) -> Result<()> {
    match met.stage {
        Stage::Outage(mark) => outage::note(tx, met, mark),
        _ => park(tx, met, resets_at),
    }
}

fn park(tx: &Tx<'_>, met: &Met<'_>, resets_at: Option<i64>) -> Result<()> {
    let Met { incarnation, kind, stage, .. } = *met;
    let (condition, mark, what) = match stage {
        Stage::Limited(mark) => (ConditionKind::Limit, mark, "its account is at a limit".to_owned()),
        Stage::LoggedOut(mark) => {
            (ConditionKind::Login, mark, format!("its account can't be used until a person fixes it: {}", met.log_in))
        }
        _ => return Ok(()),
    };
    if !tx.react(incarnation, &fact(mark))? {
        return Ok(());
    }
    tx.spare(incarnation, AT_LIMIT)?;
    // Prefer a recorded time in seconds to one in words, because the time zone of the words may be unknown.
    let recorded = resets_at.filter(|_| condition == ConditionKind::Limit);
    let until = over_at(recorded, mark, tx.now());
    let text = words(kind, &what, until, mark.text.as_deref().unwrap_or_default());
    tx.raise_until(condition, kind, &text, Some(until))?;
    Ok(())
}

/// Returns the expected end of the limit. Both sources are files that the agent can write, so the result is bounded.
fn over_at(recorded: Option<i64>, mark: &Mark, now: Timestamp) -> Timestamp {
    let said = |seconds: Option<i64>| seconds.and_then(|seconds| reset_at(seconds, now));
    let later = || now.checked_add(TRY_AGAIN_AFTER).unwrap_or(Timestamp::MAX);
    said(recorded).or_else(|| said(mark.resets_at)).unwrap_or_else(later)
}

fn words(kind: &str, what: &str, until: Timestamp, said: &str) -> String {
    let said = foreign::one_line(said);
    format!("{kind}: {what}; tried again at {until}, or at once: gt resume --agent {kind}. It said: {said}")
}

/// Corrects the end of a limit from the client's record, which may arrive a moment after the words.
pub(crate) fn refine(town: &Town, kind: &str, resets_at: Option<i64>) -> Result<()> {
    let now = town.world().clock().now();
    let Some(until) = resets_at.and_then(|at| reset_at(at, now)) else { return Ok(()) };
    let differs = |known: &Condition| known.until != Some(until);
    let known = town.ledger.read(|view| view.condition(ConditionKind::Limit, kind).map_err(Error::from))?;
    let Some(known) = known.filter(differs) else { return Ok(()) };
    let before = known.until.map(|before| before.to_string()).unwrap_or_default();
    let text = known.text.replacen(&before, &until.to_string(), 1);
    town.ledger.write("deacon/", "park", |tx| tx.renew(ConditionKind::Limit, kind, &text, until).map_err(Error::from))
}

/// Ends the conditions that have lasted long enough.
pub(crate) fn let_go(town: &Town, observed: &mut Observed) -> Result<()> {
    let parked: Vec<Condition> = town.ledger.read(|view| {
        let conditions = view.conditions()?.into_iter();
        Ok::<_, Error>(
            conditions.filter(|c| c.kind == ConditionKind::Limit || c.kind == ConditionKind::Login).collect(),
        )
    })?;
    let now = town.world().clock().now();
    for condition in parked {
        let age = observed.age(&format!("parked-{}-{}", condition.key, condition.since));
        if is_over(&condition, now, age) {
            town.ledger.write("deacon/", "limit over", |tx| {
                tx.clear(condition.kind, &condition.subject).map_err(Error::from)
            })?;
        }
    }
    Ok(())
}

fn is_over(condition: &Condition, now: Timestamp, age: Duration) -> bool {
    let until = condition.until;
    let planned = until.map(|until| until.duration_since(condition.since).unsigned_abs());
    until.is_some_and(|until| now >= until) || age >= planned.unwrap_or(TRY_AGAIN_AFTER)
}

/// Ends the condition for a person. Returns false if the kind was not parked.
pub fn resume(town: &Town, caller: &Caller, kind: &str) -> Result<bool> {
    person::require(caller, "says that a limit is over")?;
    town.agent(kind)?;
    let news = town.ledger.write(&caller.name(), "resume agent", |tx| {
        let cleared = [ConditionKind::Limit, ConditionKind::Login, ConditionKind::Outage]
            .map(|condition| tx.clear(condition, kind));
        cleared.into_iter().try_fold(false, |news, cleared| Ok::<_, Error>(cleared? || news))
    })?;
    town.wake();
    Ok(news)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f20_no_agent_parks_its_kind_for_years() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let mark = |resets_at: Option<i64>| Mark { resets_at, ..Mark::at(1) };
        let after = |recorded, said| over_at(recorded, &mark(said), now).as_second() - now.as_second();
        let ten_years = Some(now.as_second() + 10 * 365 * 86_400);
        assert_eq!((after(None, None), after(None, Some(now.as_second() + 60))), (1800, 60));
        assert_eq!((after(None, ten_years), after(ten_years, Some(0))), (7 * 86_400, 7 * 86_400));
        for no_time in [Some(i64::MAX), Some(i64::MIN), Some(0)] {
            assert_eq!(after(no_time, no_time), 1800, "{no_time:?}");
        }
    }

    #[test]
    fn f20_a_limit_ends_by_the_clock_or_by_what_was_observed() {
        let at = |minutes: i64| Timestamp::from_second(1_700_000_000 + minutes * 60).unwrap();
        let parked = |until: Option<i64>| Condition {
            key: String::new(),
            kind: ConditionKind::Limit.to_owned(),
            subject: "claude".to_owned(),
            text: String::new(),
            since: at(0),
            until: until.map(at),
        };
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let check = |until, now, observed, expected| {
            assert_eq!(is_over(&parked(until), at(now), minutes(observed)), expected, "{until:?} {now} {observed}");
        };
        check(Some(120), 119, 119, false);
        check(Some(120), 120, 3, true);
        // A clock that was set back must not extend the wait.
        check(Some(120), -9999, 120, true);
        check(None, 0, 29, false);
        check(None, 0, 30, true);
    }
}
