//! Outages of models' services. No agent is at fault, so none is replaced. The kind of agent is parked. After a pause one of its
//! workers tries again. If it gets an answer, the others follow; otherwise the pause doubles.

use std::time::Duration;

use gt_ledger::{Agent, Attempt, Condition, Incarnation, Tx, View};
use gt_model::condition::ConditionKind;
use gt_model::foreign;
use gt_model::id::IncarnationId;
use gt_model::moment::{Mark, Stage};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::admission::limits::{self, Met};
use crate::agents::marks;
use crate::agents::wanted;
use crate::town::Town;
use crate::town::error::{Error, Result};
use crate::town::observed::Observed;

/// Actor in the audit log.
const DEACON: &str = "deacon/";

/// Reason recorded for an incarnation that got no answer. It does not count as a failure.
pub(crate) const UNANSWERED: &str = "its API did not answer";

/// Minutes before each retry; the last value applies to all later ones.
const PAUSES_MINUTES: [u64; 5] = [1, 2, 4, 8, 15];

/// Time limit for the worker that tries. After it, all may try. The client itself retries for some minutes before it reports a
/// failure.
const TRY_LIMIT: Duration = Duration::from_mins(10);

/// Time of a mark that no hook wrote. A failure at the start is reported once, and the session does not continue.
const AT_START: u64 = 0;

/// Number of retries, and the owner of the current one (an attempt's id, or a standing agent's address). A setting of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Tried {
    tries: u32,
    by: Option<String>,
}

fn key(kind: &str) -> String {
    format!("outage:{kind}")
}

fn tried(view: &View<'_>, kind: &str) -> Result<Tried> {
    Ok(view.meta(&key(kind))?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

fn set_tried(tx: &Tx<'_>, kind: &str, tried: &Tried) -> Result<()> {
    // Serializing our own data can't fail.
    Ok(tx.set_meta(&key(kind), &serde_json::to_string(tried).unwrap_or_default())?)
}

fn pause_after(tries: u32) -> Duration {
    let at = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX).min(PAUSES_MINUTES.len() - 1);
    Duration::from_mins(PAUSES_MINUTES[at])
}

/// Whether a kind is parked for this attempt or standing agent. The one that is trying is exempt.
pub(crate) fn holds(view: &View<'_>, kind: &str, whom: Option<&str>) -> Result<bool> {
    if view.condition(ConditionKind::Outage, kind)?.is_none() {
        return Ok(false);
    }
    let by = tried(view, kind)?.by;
    Ok(by.is_none() || by.as_deref() != whom)
}

/// Records that an incarnation got no answer, once for each report. If several report it, the first counts, and later the one
/// that is trying.
pub(crate) fn note(tx: &Tx<'_>, met: &Met<'_>, mark: &Mark) -> Result<()> {
    let Met { incarnation, kind, whom, .. } = *met;
    if mark.at_us == AT_START {
        tx.spare(incarnation, UNANSWERED)?;
    }
    if !tx.react(incarnation, &limits::fact(mark))? {
        return Ok(());
    }
    let is_known = tx.condition(ConditionKind::Outage, kind)?.is_some();
    let before = tried(tx, kind)?;
    if is_known && before.by.as_deref() != Some(whom) {
        return Ok(());
    }
    let tries = if is_known { before.tries.saturating_add(1) } else { 1 };
    let until = tx.now().checked_add(pause_after(tries)).unwrap_or(Timestamp::MAX);
    let said = foreign::one_line(mark.text.as_deref().unwrap_or_default());
    let text = format!(
        "{kind}: its API does not answer; tried again by one worker at {until}, or at once by all: \
         gt resume --agent {kind}. It said: {said}"
    );
    set_tried(tx, kind, &Tried { tries, by: None })?;
    if is_known {
        tx.renew(ConditionKind::Outage, kind, &text, until)?;
    } else {
        tx.raise_until(ConditionKind::Outage, kind, &text, Some(until))?;
    }
    Ok(())
}

/// Lets one worker of each such kind try when its pause is over. If that worker got an answer, lets all continue.
pub(crate) fn patrol(town: &Town, observed: &mut Observed) -> Result<()> {
    let conditions = town.ledger.read(|view| view.conditions().map_err(Error::from))?;
    conditions
        .iter()
        .filter(|condition| condition.kind == ConditionKind::Outage)
        .try_for_each(|it| look_at(town, it, observed))
}

fn look_at(town: &Town, condition: &Condition, observed: &mut Observed) -> Result<()> {
    let kind = condition.subject.as_str();
    let tried = town.ledger.read(|view| tried(view, kind))?;
    let everyone = everyone(town, kind)?;
    let age = observed.age(&format!("outage-{kind}-{}-{:?}", tried.tries, tried.by));
    let Some(by) = &tried.by else {
        if !observed.is_impatient() && !is_over(condition, tried.tries, town.world().clock().now(), age) {
            return Ok(());
        }
        return match chosen(town, everyone)? {
            Some(whom) => {
                town.ledger.write(DEACON, "try api", |tx| set_tried(tx, kind, &Tried { by: Some(whom), ..tried }))
            }
            None => over(town, kind),
        };
    };
    match everyone.iter().find(|(whom, _)| whom == by) {
        Some((_, newest)) if age < TRY_LIMIT && !has_answered(town, newest.as_ref())? => Ok(()),
        _ => over(town, kind),
    }
}

/// Returns all owners of work for agents of a kind, each with its newest incarnation: workers, then standing agents.
fn everyone(town: &Town, kind: &str) -> Result<Vec<(String, Option<Incarnation>)>> {
    let (mut all, agents) = town.ledger.read(|view| {
        let hooked = view.present_attempts()?.into_iter().filter(|a| a.agent == kind && a.is_hooked());
        let newest = |a: Attempt| Ok((a.id.to_string(), view.incarnations_of(a.id)?.pop()));
        let workers = hooked.map(newest).collect::<Result<Vec<_>>>()?;
        let at_work = |agent: Agent| {
            let newest = view.newest_incarnation_of_agent(&agent.address)?;
            // An incarnation that ended for another reason sleeps or must not be tried.
            let tries =
                |newest: &Incarnation| Ok::<_, Error>(newest.ended_at.is_none() || is_spared(view, &newest.id)?);
            let tries = newest.as_ref().map(tries).transpose()?.unwrap_or_default();
            Ok(newest.filter(|_| tries).map(|newest| (agent, newest)))
        };
        let agents = view.agents()?.into_iter().filter(Agent::is_wanted).map(at_work);
        Ok::<_, Error>((workers, agents.filter_map(Result::transpose).collect::<Result<Vec<_>>>()?))
    })?;
    for (agent, newest) in agents {
        if wanted::wanted_kind(town, &agent).is_ok_and(|of| of == kind) {
            all.push((agent.address.to_string(), Some(newest)));
        }
    }
    Ok(all)
}

fn is_over(condition: &Condition, tries: u32, now: Timestamp, age: Duration) -> bool {
    age >= pause_after(tries) || condition.until.is_some_and(|until| now >= until)
}

fn over(town: &Town, kind: &str) -> Result<()> {
    town.ledger
        .write(DEACON, "api answers", |tx| tx.clear(ConditionKind::Outage, kind).map(|_| ()).map_err(Error::from))
}

/// Chooses the owner that tries: one that got no answer, else one that is not running. A running one already gets answers.
fn chosen(town: &Town, everyone: Vec<(String, Option<Incarnation>)>) -> Result<Option<String>> {
    let mut idle = None;
    for (whom, newest) in everyone {
        match newest.filter(|newest| newest.ended_at.is_none()) {
            Some(newest) if is_unanswered(town, &newest.id)? => return Ok(Some(whom)),
            Some(_) => {}
            None => idle = idle.or(Some(whom)),
        }
    }
    Ok(idle)
}

/// Whether the last report of an incarnation's client is that it got no answer.
pub(crate) fn is_unanswered(town: &Town, incarnation: &IncarnationId) -> Result<bool> {
    let by_hook = matches!(marks::marks(town, incarnation)?.stage(), Stage::Outage(_));
    Ok(by_hook || town.ledger.read(|view| is_spared(view, incarnation))?)
}

fn is_spared(view: &View<'_>, incarnation: &IncarnationId) -> Result<bool> {
    Ok(view.reactions(incarnation)?.spared() == Some(UNANSWERED))
}

fn has_answered(town: &Town, newest: Option<&Incarnation>) -> Result<bool> {
    let marks = newest.map(|newest| marks::marks(town, &newest.id)).transpose()?;
    Ok(marks.is_some_and(|marks| marks.has_answered()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f20_pauses_double_up_to_a_quarter_of_an_hour() {
        let minutes: Vec<u64> = [0, 1, 2, 3, 4, 5, 6, u32::MAX].map(|tries| pause_after(tries).as_secs() / 60).into();
        assert_eq!(minutes, [1, 1, 2, 4, 8, 15, 15, 15]);
    }

    #[test]
    fn f20_a_pause_ends_by_the_clock_or_by_what_was_observed() {
        let at = |seconds: i64| Timestamp::from_second(1_700_000_000 + seconds).unwrap();
        let condition = Condition {
            key: String::new(),
            kind: ConditionKind::Outage.to_owned(),
            subject: "claude".to_owned(),
            text: String::new(),
            since: at(0),
            until: Some(at(120)),
        };
        let check = |now, age, expected| {
            assert_eq!(is_over(&condition, 2, at(now), Duration::from_secs(age)), expected, "{now} {age}");
        };
        check(119, 119, false);
        check(120, 0, true);
        check(-9999, 120, true);
    }
}
