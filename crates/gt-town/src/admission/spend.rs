//! Spending limits. At the daily limit no new work starts; at the limit of one attempt, the attempt is parked. Turns of the mayor
//! and crew end at either ([`turn`]).
//!
//! A day is a day in the local time zone. A clock that jumps forward starts a new day, because gt can't tell that from a machine
//! that slept. A clock that jumps back lifts no limit: usage recorded for later days counts as today's. A reached limit ends with
//! its own day, or when gt has observed a whole day pass.

use std::time::Duration;

use gt_ledger::{Attempt, AttemptOutcome, Condition, Tx, View};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

use crate::admission::usage::{Cost, Meters, day_of};
use crate::mail::post;
use crate::town::error::{Error, Result};
use crate::town::observed::Observed;
use crate::town::person::{self, Act};
use crate::town::settings::{SpendSettings, TownSettings, current};
use crate::town::{Caller, Town};
use crate::work::convoy;
use crate::work::done;
use crate::work::sling;

mod turn;

pub(crate) use turn::must_end;

const SUBJECT: &str = "town";

/// Ledger setting with the start of today's counting, as a person has set it.
const ALLOWANCE_KEY: &str = "spend-allowance";

/// Observed time after which a day is over, whatever the clock says.
const DAY: Duration = Duration::from_hours(24);

/// Amount spent on a day when a person allowed work to continue.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Allowance {
    day: String,
    tokens: u64,
    usd: f64,
}

/// Cost of a day so far.
#[derive(Clone, Debug, Serialize)]
pub struct Today {
    /// The day.
    pub day: String,
    /// Cost of the day.
    #[serde(flatten)]
    pub cost: Cost,
    /// Daily limit in tokens.
    pub daily_tokens: u64,
    /// Daily limit in US dollars.
    pub daily_usd: f64,
    /// Whether a limit is reached.
    pub reached: bool,
}

impl Today {
    /// Formats it in one line for people.
    pub fn words(&self) -> String {
        let caps = [
            (self.daily_usd > 0.0).then(|| format!("${}", self.daily_usd)),
            (self.daily_tokens > 0).then(|| format!("{} tokens", self.daily_tokens)),
        ];
        let caps: Vec<String> = caps.into_iter().flatten().collect();
        let cap = if caps.is_empty() { "no cap".to_owned() } else { format!("the cap is {}", caps.join(" or ")) };
        let reached = if self.reached { ": reached, no new work starts" } else { "" };
        format!("{}; {cap}{reached}", self.cost.words())
    }
}

fn spent_since(town: &Town, view: &View<'_>, settings: &TownSettings, day: &str) -> Result<Cost> {
    let prices = settings.prices.over(&town.outside.prices);
    let sums = view.usage_since(day)?;
    Ok(Cost::of(&prices, sums.iter().map(|(model, sum)| (model.as_str(), sum))))
}

/// Returns today's cost.
pub fn today(town: &Town) -> Result<Today> {
    let settings = current(town);
    let day = day_now(town);
    let (daily_tokens, daily_usd) = (settings.spend.daily_tokens, settings.spend.daily_usd());
    town.ledger.read(|view| {
        let cost = spent_since(town, view, &settings, &day)?;
        Ok(Today { day, cost, daily_tokens, daily_usd, reached: is_reached(view)? })
    })
}

fn day_now(town: &Town) -> String {
    let clock = town.world().clock();
    day_of(clock.now(), &clock.zone())
}

/// Returns the start of the day after that of `now`.
fn next_day(town: &Town, now: Timestamp) -> Timestamp {
    let here = now.to_zoned(town.world().clock().zone());
    let next = here.start_of_day().and_then(|day| day.checked_add(1.day()));
    next.map_or(Timestamp::MAX, |day| day.timestamp())
}

/// Whether no new work may start.
pub(crate) fn is_reached(view: &View<'_>) -> Result<bool> {
    Ok(view.condition(ConditionKind::Spend, SUBJECT)?.is_some())
}

/// Whether this cost reaches a limit, not counting the `allowed` amount that was spent when a person let work continue.
fn is_over(caps: (u64, f64), cost: &Cost, allowed: Option<&Allowance>) -> bool {
    let (tokens, usd) = allowed.map_or((0, 0.0), |allowed| (allowed.tokens, allowed.usd));
    let (cap_tokens, cap_usd) = caps;
    let by_tokens = cap_tokens > 0 && cost.tokens.saturating_sub(tokens) >= cap_tokens;
    by_tokens || cap_usd > 0.0 && cost.usd - usd >= cap_usd
}

fn allowance(view: &View<'_>, day: &str) -> Result<Option<Allowance>> {
    let said = view.meta(ALLOWANCE_KEY)?.and_then(|text| serde_json::from_str::<Allowance>(&text).ok());
    // An allowance for a later day comes from before the clock was set back.
    Ok(said.filter(|said| said.day.as_str() >= day))
}

/// Raises or clears the condition for the daily limit. Parks attempts and ends turns that exceed theirs.
pub(crate) fn patrol(town: &Town, meters: &mut Meters, observed: &mut Observed) -> Result<()> {
    let settings = current(town);
    let caps = (settings.spend.daily_tokens, settings.spend.daily_usd());
    let known = town.ledger.read(|view| view.condition(ConditionKind::Spend, SUBJECT).map_err(Error::from))?;
    match known {
        None if caps.0 == 0 && caps.1 <= 0.0 => {}
        None => note_reached(town, &settings, caps)?,
        Some(known) => note_over(town, &settings, caps, &known, observed)?,
    }
    park_attempts(town, &settings)?;
    turn::patrol(town, &settings, meters, observed)
}

fn note_reached(town: &Town, settings: &TownSettings, caps: (u64, f64)) -> Result<()> {
    let day = day_now(town);
    let (cost, allowed) =
        town.ledger.read(|view| Ok::<_, Error>((spent_since(town, view, settings, &day)?, allowance(view, &day)?)))?;
    if !is_over(caps, &cost, allowed.as_ref()) {
        return Ok(());
    }
    let until = next_day(town, town.world().clock().now());
    let text = format!(
        "the day's cap is reached ({}): no new work starts until {until}, workers finish their beads, turns of the \
         mayor and crew end after their current tool; to continue now: gt resume --spend, or a higher cap in town.toml",
        cost.words()
    );
    town.ledger.write(&Address::Deacon.to_string(), "spend", |tx| {
        if tx.raise_until(ConditionKind::Spend, SUBJECT, &text, Some(until))? {
            tell(tx, &text)?;
        }
        Ok(())
    })
}

fn tell(tx: &Tx<'_>, text: &str) -> Result<()> {
    let to = vec![Address::Mayor, Address::Overseer];
    post::send(tx, Address::Deacon, to, "The day's cap on spending is reached", text).map(|_| ())
}

fn note_over(
    town: &Town,
    settings: &TownSettings,
    caps: (u64, f64),
    known: &Condition,
    observed: &mut Observed,
) -> Result<()> {
    let age = observed.age(&format!("spend-{}", known.since));
    let clock = town.world().clock();
    let still = town.ledger.read(|view| {
        let day = day_of(known.since, &clock.zone());
        // Compute it for the condition's own day. An earlier day, by a clock that was set back, has a smaller sum.
        Ok::<_, Error>(is_over(caps, &spent_since(town, view, settings, &day)?, allowance(view, &day)?.as_ref()))
    })?;
    if still && !has_passed(known, clock.now(), age) {
        return Ok(());
    }
    let day = day_now(town);
    town.ledger.write(&Address::Deacon.to_string(), "spend", |tx| {
        tx.clear(ConditionKind::Spend, SUBJECT)?;
        // A whole day has passed, whatever the clock says, so the amount spent does not count for the next one.
        if age >= DAY { allow(tx, town, settings, &day) } else { Ok(()) }
    })
}

/// Starts counting from zero.
fn allow(tx: &Tx<'_>, town: &Town, settings: &TownSettings, day: &str) -> Result<()> {
    let Cost { tokens, usd, .. } = spent_since(town, tx, settings, day)?;
    let allowed = Allowance { day: day.to_owned(), tokens, usd };
    // Serializing our own data can't fail.
    Ok(tx.set_meta(ALLOWANCE_KEY, &serde_json::to_string(&allowed).unwrap_or_default())?)
}

fn has_passed(known: &Condition, now: Timestamp, age: Duration) -> bool {
    age >= DAY || known.until.is_none_or(|until| now >= until)
}

/// Lets work continue for a person: the same amount again may be spent today, and stopped turns may run. Returns false if no
/// limit is reached.
pub fn resume(town: &Town, caller: &Caller) -> Result<bool> {
    let act = Act { refused: "says that more may be spent", what: "spend more", on: "today" };
    person::confirm(town, caller, act)?;
    let settings = current(town);
    let day = day_now(town);
    let news = town.ledger.write(&caller.name(), "resume spending", |tx| {
        let day_was_over = tx.clear(ConditionKind::Spend, SUBJECT)?;
        if day_was_over {
            allow(tx, town, &settings, &day)?;
        }
        let turn_was_over = turn::resume(tx, town.world().clock().now())?;
        Ok::<_, Error>(day_was_over || turn_was_over)
    })?;
    town.wake();
    Ok(news)
}

/// Parks attempts that exceeded their limit. Their beads wait for a person; their branches and snapshots stay.
fn park_attempts(town: &Town, settings: &TownSettings) -> Result<()> {
    let SpendSettings { daily_tokens, attempt_tokens, attempt_usd, .. } = settings.spend;
    let daily_usd = settings.spend.daily_usd();
    if daily_tokens == 0 && daily_usd <= 0.0 && attempt_tokens == 0 && attempt_usd <= 0.0 {
        return Ok(());
    }
    let own = (attempt_tokens, attempt_usd);
    // A worker that is running when the daily limit is reached continues, but none may use twice the daily limit alone.
    let twice = (daily_tokens.saturating_mul(2), daily_usd * 2.0);
    let (prices, day) = (settings.prices.over(&town.outside.prices), day_now(town));
    let over = town.ledger.read(|view| {
        let (allowed, mut over) = (allowance(view, &day)?, Vec::new());
        for attempt in view.present_attempts()?.into_iter().filter(Attempt::is_hooked) {
            for (since, caps, allowed) in [("", own, None), (day.as_str(), twice, allowed.as_ref())] {
                let sums = view.usage_of_attempt(attempt.id, since)?;
                let cost = Cost::of(&prices, sums.iter().map(|(model, sum)| (model.as_str(), sum)));
                if is_over(caps, &cost, allowed) {
                    over.push((attempt, cost));
                    break;
                }
            }
        }
        Ok::<_, Error>(over)
    })?;
    over.iter().try_for_each(|(attempt, cost)| park(town, attempt, cost))
}

fn park(town: &Town, attempt: &Attempt, cost: &Cost) -> Result<()> {
    let actor = Address::Witness(attempt.rig.clone()).to_string();
    town.ledger.write(&actor, "park attempt", |tx| {
        // It may have been submitted meanwhile.
        let Some(attempt) = tx.attempt(attempt.id)?.filter(Attempt::is_hooked) else { return Ok(()) };
        let Some(bead) = tx.bead(&attempt.bead)? else { return Ok(()) };
        let why = format!("attempt {} used more than an attempt may: {}", attempt.number, cost.words());
        sling::release(tx, &attempt, &bead, AttemptOutcome::Parked)?;
        tx.event("attempt-over-cap", &attempt.branch, Some(&attempt.bead), None, Some(&why.clone().into()))?;
        done::escalate(tx, &attempt, &why)?;
        convoy::bead_finished(tx, &attempt.bead, "failed")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(tokens: u64, usd: f64) -> Cost {
        Cost { tokens, usd, ..Cost::default() }
    }

    #[test]
    fn a_cap_is_reached_by_tokens_or_money_and_zero_is_none() {
        let allowed = Allowance { day: String::new(), tokens: 60, usd: 6.0 };
        let check = |caps, cost: Cost, allowed: Option<&Allowance>, expected| {
            assert_eq!(is_over(caps, &cost, allowed), expected, "{caps:?} {cost:?}");
        };
        check((0, 0.0), cost(u64::MAX, 1e9), None, false);
        check((100, 0.0), cost(99, 1e9), None, false);
        check((100, 0.0), cost(100, 0.0), None, true);
        check((0, 10.0), cost(u64::MAX, 9.99), None, false);
        check((0, 10.0), cost(0, 10.0), None, true);
        check((0, f64::NAN), cost(0, 10.0), None, false);
        check((100, 10.0), cost(159, 15.9), Some(&allowed), false);
        check((100, 10.0), cost(160, 0.0), Some(&allowed), true);
        check((100, 10.0), cost(0, 16.0), Some(&allowed), true);
    }

    #[test]
    fn a_reached_cap_is_over_by_its_own_end_or_when_a_day_was_seen_to_pass() {
        let at = |hours: i64| Timestamp::from_second(1_700_000_000 + hours * 3600).unwrap();
        let known = Condition {
            key: String::new(),
            kind: ConditionKind::Spend.to_owned(),
            subject: SUBJECT.to_owned(),
            text: String::new(),
            since: at(0),
            until: Some(at(5)),
        };
        let check = |now: i64, hours: u64, expected| {
            assert_eq!(has_passed(&known, at(now), Duration::from_hours(hours)), expected, "{now} {hours}");
        };
        check(4, 4, false);
        check(5, 1, true);
        // A clock that is set back by years must neither lift the limit nor keep it forever.
        check(-99_999, 23, false);
        check(-99_999, 24, true);
    }
}
