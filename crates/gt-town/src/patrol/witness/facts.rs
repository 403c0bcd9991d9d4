//! Facts that the witness knows about one polecat.

use std::time::Duration;

use gt_ledger::{Attempt, Incarnation, LedgerResult, Reactions, View};
use gt_model::id::IncarnationId;
use gt_model::moment::{Marks, Stage};
use gt_model::patrol::{self, Nudges, PatrolLimits, PolecatFacts, Process, Verdict};
use gt_model::start::Start;
use gt_world::Vitals;
use serde::Serialize;

use super::{Watch, Witness};
use crate::admission::limits;
use crate::agents::marks;
use crate::agents::readiness;
use crate::moments::asking;
use crate::town::desired::DOWN_REASON;
use crate::town::error::{Error, Result};
use crate::town::observed::Observed;
use crate::town::{Rig, Town};
use crate::work::causes;
use crate::work::hook;

/// Maximum number of incarnations of one attempt whose end does not count as a failure. Further ones count.
const SPARED_AT_MOST: usize = 20;

/// Facts and their sources.
pub(super) struct Found {
    pub facts: PolecatFacts,
    /// All incarnations, newest last.
    pub incarnations: Vec<Incarnation>,
    pub marks: Marks,
    pub reactions: Reactions,
    pub steps_done: usize,
    /// End of an account limit by the client's record, in seconds since the epoch.
    pub resets_at: Option<i64>,
}

impl Found {
    /// Returns the newest incarnation.
    pub fn newest(&self) -> Option<&Incarnation> {
        self.incarnations.last()
    }

    pub fn verdict(&self, town: &Town, rig: &Rig) -> Verdict {
        let limits = PatrolLimits { tool: rig.settings.tool_limit(), ..town.settings.patrol_limits() };
        patrol::verdict(&self.facts, &limits)
    }

    /// Returns the keys which record that the worker was nudged in this stage, and in this step.
    pub(crate) fn nudge_facts(&self) -> (String, String) {
        // A retry of an API says nothing about the agent.
        let word = if matches!(self.facts.stage, Stage::Outage(_)) { "again" } else { "nudge" };
        let step = format!("{word}:{}:", self.steps_done);
        (format!("{step}{}:", since(&self.facts.stage)), step)
    }
}

/// Returns the start of a stage on the monotonic clock; 0 if no single moment started it.
fn since(stage: &Stage) -> u64 {
    match stage {
        Stage::InTool(mark)
        | Stage::Asking(mark)
        | Stage::Background(mark)
        | Stage::AtPrompt(mark)
        | Stage::Limited(mark)
        | Stage::Outage(mark)
        | Stage::LoggedOut(mark) => mark.at_us,
        Stage::Silent | Stage::Ready | Stage::Working | Stage::Ended => 0,
    }
}

impl Witness<'_> {
    /// Gathers the facts about an attempt.
    pub(super) fn look(&self, attempt: &Attempt, watch: &mut Watch, observed: &mut Observed) -> Result<Found> {
        let mut found = gather(self.town, attempt)?;
        let Some(newest) = found.incarnations.last() else { return Ok(found) };
        let facts = &mut found.facts;
        let process = self.process(newest)?;
        if attempt.is_hooked() {
            let all: Vec<&Incarnation> = found.incarnations.iter().collect();
            let looked = readiness::look(self.town, &attempt.agent, &all, &process, observed)?;
            facts.start = looked.start;
            // Reports of its hooks are more reliable.
            if let Some(told) = looked.told.filter(|_| facts.stage.told().is_none()) {
                facts.limit_known = told.told().is_some_and(|mark| found.reactions.has(&limits::fact(mark)));
                facts.stage = told;
            }
        }
        facts.process = Some(process);
        let id = &newest.id;
        found.resets_at = watch.meters.resets_at(id);
        if newest.ended_at.is_some() {
            let age = observed.age(&format!("ended-{id}"));
            facts.ended_for = if observed.is_impatient() { Duration::MAX } else { age };
        } else if facts.process == Some(Process::Running) {
            let vitals = match watch.found.remove(&id.0) {
                Some(vitals) => vitals,
                None => self.vitals_of(id)?,
            };
            facts.quiet_for = observed.age(&watch.silence_key(newest, vitals));
            facts.stage_for = observed.age(&format!("stage-{id}-{}", stage_key(&facts.stage)));
            if facts.nudges.here > 0 {
                let key = format!("nudged-{id}-{}-{}", facts.nudges.here, since(&facts.stage));
                facts.nudges.last_for = observed.age(&key);
            }
        }
        Ok(found)
    }

    fn vitals_of(&self, id: &IncarnationId) -> Result<Vitals> {
        let found = self.town.world().sessions().vitals(&[self.town.layout.session(id)]).pop();
        Ok(found.transpose()?.unwrap_or_default())
    }
}

/// Returns a key that changes when the stage changes or starts again.
fn stage_key(stage: &Stage) -> String {
    let word = match stage {
        Stage::Silent => "silent",
        Stage::InTool(_) => "tool",
        Stage::Background(_) => "background",
        _ => "other",
    };
    format!("{word}-{}", since(stage))
}

/// Gathers the facts that need no observation over time.
fn gather(town: &Town, attempt: &Attempt) -> Result<Found> {
    let now = town.world().clock().now();
    let (incarnations, reactions, parked, steps_done) = town.ledger.read(|view| {
        let incarnations = view.incarnations_of(attempt.id)?;
        let reactions = incarnations.iter().map(|i| view.reactions(&i.id)).collect::<LedgerResult<Vec<_>>>()?;
        let steps_done = view.steps(attempt.id)?.iter().filter(|step| step.done_at.is_some()).count();
        Ok::<_, Error>((incarnations, reactions, limits::is_parked_for(view, attempt)?, steps_done))
    })?;
    let spared: Vec<bool> =
        incarnations.iter().zip(&reactions).map(|(i, r)| was_taken_down(i) || r.spared().is_some()).collect();
    let counted = spared.iter().filter(|spared| !**spared).count();
    let handed = reactions.iter().filter(|r| r.spared().is_some_and(|why| !limits::is_waited_for(why)));
    let handed = handed.count().saturating_sub(SPARED_AT_MOST);
    let reactions = reactions.into_iter().last().unwrap_or_default();
    let marks = incarnations.last().map(|newest| marks::marks(town, &newest.id)).transpose()?.unwrap_or_default();
    let stage = match incarnations.last() {
        Some(newest) if newest.ended_at.is_none() => asking::stage(town, &newest.id, &marks)?,
        _ => marks.stage(),
    };
    let waits_for = match stage {
        Stage::AtPrompt(_) => town.ledger.read(|view: &View<'_>| hook::waits_for(view, now, attempt))?,
        _ => None,
    };
    let limit_known = stage.told().is_some_and(|mark| reactions.has(&limits::fact(mark)));
    let facts = PolecatFacts {
        hook_empty: !attempt.is_hooked(),
        process: None,
        start: Start::Made,
        stage,
        stage_for: Duration::ZERO,
        quiet_for: Duration::ZERO,
        ended_for: Duration::ZERO,
        incarnations: u32::try_from(counted + handed).unwrap_or(u32::MAX),
        is_leaving: reactions.spared().is_some(),
        is_parked: parked,
        limit_known,
        waits_for,
        nudges: Nudges::default(),
    };
    let mut found = Found { facts, incarnations, marks, reactions, steps_done, resets_at: None };
    let (here, step) = found.nudge_facts();
    let nudges = found.reactions.starting(&here).count();
    let before = found.reactions.starting(&step).count() > nudges;
    found.facts.nudges = Nudges { here: u32::try_from(nudges).unwrap_or(u32::MAX), last_for: Duration::ZERO, before };
    Ok(found)
}

/// Whether `gt down` ended the session, so that its end is no failure of the worker.
fn was_taken_down(incarnation: &Incarnation) -> bool {
    incarnation.exit.as_ref().is_some_and(|exit| exit.reason == DOWN_REASON)
}

/// A verdict with its facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The verdict in words.
    pub words: String,
    /// Facts, one per line.
    pub facts: Vec<String>,
}

/// Returns the witness's verdict on a polecat now, as far as one look can tell. Anything that must be observed over time counts
/// as just begun.
pub fn explain(town: &Town, attempt: &Attempt) -> Result<Explained> {
    let rig = town.rig(attempt.rig.as_str())?;
    let witness = Witness { town, rig: &rig, actor: String::new() };
    let found = witness.look(attempt, &mut Watch::default(), &mut Observed::default())?;
    let verdict = found.verdict(town, &rig);
    let now = town.world().clock().monotonic();
    let mut facts = vec![
        format!("hook: {}", if found.facts.hook_empty { "empty" } else { "its work is on it" }),
        format!("process: {}", process_words(found.facts.process.as_ref())),
        format!("incarnations that count: {} of {}", found.facts.incarnations, town.settings.max_incarnations),
    ];
    facts.extend(found.marks.by_name().into_iter().map(|(name, mark)| {
        let ago = now.saturating_sub(Duration::from_micros(mark.at_us)).as_secs();
        let more: Vec<&str> = [mark.tool.as_deref(), mark.text.as_deref()].into_iter().flatten().collect();
        let more = if more.is_empty() { String::new() } else { format!(": {}", more.join(" ")) };
        format!("moment {name}, {ago} s ago{more}")
    }));
    facts.extend(causes::each(&found.incarnations).into_iter().map(|end| format!("session {end}")));
    if let Some(newest) = found.newest() {
        facts.extend(life(town, &newest.id)?);
    }
    if let Some(why) = found.reactions.spared() {
        facts.push(format!("its end does not count as a failure: {why}"));
    }
    if found.facts.is_parked {
        facts.push(format!("the kind {} is parked", attempt.agent));
    }
    if found.facts.nudges.here > 0 || found.facts.nudges.before {
        facts.push("it was nudged at this step".to_owned());
    }
    Ok(Explained { words: verdict.text(), verdict, facts })
}

fn process_words(process: Option<&Process>) -> String {
    match process {
        None => "none was begun".to_owned(),
        Some(Process::NotStarted) => "not started".to_owned(),
        Some(Process::Running) => "runs".to_owned(),
        Some(Process::Gone) => "gone".to_owned(),
        Some(Process::Unknown(why)) => format!("unknown: {why}"),
    }
}

fn life(town: &Town, id: &IncarnationId) -> Result<Option<String>> {
    let touched = town.world().disk().touched(&town.layout.life(id))?;
    let now = town.world().clock().now().as_second();
    Ok(touched.map(|at| format!("last call of gt, {} s ago", now.saturating_sub(at).max(0))))
}
