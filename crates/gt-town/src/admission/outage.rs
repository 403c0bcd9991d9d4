//! Models' services that do not answer: nobody is at fault, so nobody is replaced for it. The kind of agent is parked, and
//! after a pause one of its workers tries; the others follow when it had an answer, and otherwise the pause doubles.

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

/// Who acts here, for the audit.
const DEACON: &str = "deacon/";

/// Why the end of an incarnation without an answer counts against nobody.
pub(crate) const UNANSWERED: &str = "its API did not answer";

/// Minutes before the first try, the second, and so on; the last for all further ones.
const PAUSES_MINUTES: [u64; 5] = [1, 2, 4, 8, 15];

/// After so long, who tries is at something else: then all may. A client asks for some minutes itself before it says so.
const TRY_LIMIT: Duration = Duration::from_mins(10);

/// The time of a mark that no hook left: what is told at a start is told once, and its session does not go on.
const AT_START: u64 = 0;

/// How often it was tried, and by whom now (an attempt's id, or a standing agent's address); a setting of the ledger's.
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
    // Our own facts can always be written.
    Ok(tx.set_meta(&key(kind), &serde_json::to_string(tried).unwrap_or_default())?)
}

fn pause_after(tries: u32) -> Duration {
    let at = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX).min(PAUSES_MINUTES.len() - 1);
    Duration::from_mins(PAUSES_MINUTES[at])
}

/// Whether a kind is parked for this attempt, or this standing agent: for all but the one that tries.
pub(crate) fn holds(view: &View<'_>, kind: &str, whom: Option<&str>) -> Result<bool> {
    if view.condition(ConditionKind::Outage, kind)?.is_none() {
        return Ok(false);
    }
    let by = tried(view, kind)?.by;
    Ok(by.is_none() || by.as_deref() != whom)
}

/// Notes that an incarnation had no answer; once for each time that it says so. Of several that say so, the first and
/// then the one that tries count.
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

/// Lets one worker of each such kind try when its pause is over, and all when that one had an answer.
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

/// All that have something to do as agents of a kind, each with its newest incarnation: workers, then standing agents.
fn everyone(town: &Town, kind: &str) -> Result<Vec<(String, Option<Incarnation>)>> {
    let (mut all, agents) = town.ledger.read(|view| {
        let hooked = view.present_attempts()?.into_iter().filter(|a| a.agent == kind && a.is_hooked());
        let newest = |a: Attempt| Ok((a.id.to_string(), view.incarnations_of(a.id)?.pop()));
        let workers = hooked.map(newest).collect::<Result<Vec<_>>>()?;
        let at_work = |agent: Agent| {
            let newest = view.newest_incarnation_of_agent(&agent.address)?;
            // One that ended otherwise sleeps, or is not to be asked.
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
    let until = condition.until.as_deref().and_then(|until| until.parse::<Timestamp>().ok());
    age >= pause_after(tries) || until.is_some_and(|until| now >= until)
}

fn over(town: &Town, kind: &str) -> Result<()> {
    town.ledger
        .write(DEACON, "api answers", |tx| tx.clear(ConditionKind::Outage, kind).map(|_| ()).map_err(Error::from))
}

/// Who is to try: one that had no answer, else one that is not running. Who works has its answers.
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

/// Whether the last that an incarnation's client told is that it had no answer.
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
            since: at(0).to_string(),
            until: Some(at(120).to_string()),
        };
        let check = |now, age, expected| {
            assert_eq!(is_over(&condition, 2, at(now), Duration::from_secs(age)), expected, "{now} {age}");
        };
        check(119, 119, false);
        check(120, 0, true);
        check(-9999, 120, true);
    }
}
