//! Whether agents have started, from what their sessions have left: the first moment, the exit record, the last lines.

use std::collections::BTreeSet;
use std::time::Duration;

use gt_model::address::Address;
use gt_model::id::{IncarnationId, RigName};
use gt_model::patrol::Process;
use gt_model::protocol::Message;
use gt_model::start::{self, Shown, Start, StartEnd, StartFacts, StartFailure};

use super::text;
use crate::effects;
use crate::error::{Error, Result};
use crate::ledger::{Attempt, Incarnation, Tx, View};
use crate::observed::Observed;
use crate::post;
use crate::settings::AgentPreset;
use crate::town::{Caller, Rig, Town};
use crate::world::{ENDED_BY_REQUEST, Exit, SessionState};

/// The condition of a worker that does not start.
pub const WORKER_CONDITION: &str = "start";

/// The condition of a kind of agent none of which starts; its subject is [`kind_subject`].
pub const KIND_CONDITION: &str = "agent";

/// Seconds until the first moment, where the preset does not say.
const READY_SECONDS: u64 = 120;

/// How long words must have stood on a screen, so that one that is just being drawn says nothing.
const SHOWN_FOR: Duration = Duration::from_secs(3);

/// Lines at the end of an output, or of a screen, in which a client's words are looked for, and that a person is shown.
const LINES: usize = 30;
const LINES_TOLD: usize = 8;

/// What the client's words are looked for in when it has ended with an error: its last ones only, since what the agent
/// worked on may hold the same.
const LAST_LINES: usize = 3;

/// Whether a session has shown its first moment: whichever that is, since not every version tells of its start.
pub fn has_started(town: &Town, id: &IncarnationId) -> bool {
    // A folder that can't be read shows nothing.
    town.world().disk().list(&town.layout.moments(id)).is_ok_and(|moments| !moments.is_empty())
}

/// How far the newest of an attempt's incarnations has come.
pub(crate) fn look(town: &Town, attempt: &Attempt, process: &Process, observed: &mut Observed) -> Result<Start> {
    let incarnations = town.ledger.read(|view| view.incarnations_of(attempt.id).map_err(Error::from))?;
    let Some(newest) = incarnations.last().filter(|_| attempt.is_hooked()) else { return Ok(Start::Made) };
    let Ok(preset) = town.agent(&attempt.agent) else { return Ok(Start::Made) };
    let first_moment = has_started(town, &newest.id);
    let settled = *process == Process::Running && first_moment;
    if preset.client.is_none() || settled || !matches!(process, Process::Running | Process::Gone) {
        return Ok(Start::Made);
    }
    Ok(start::judge(&StartFacts {
        process: process.clone(),
        first_moment,
        end: newest.exit.as_ref().map(end_of),
        waited: observed.age(&format!("start-{}", newest.id)),
        deadline: Duration::from_secs(preset.ready_seconds.unwrap_or(READY_SECONDS)),
        shown: shown(town, &preset, newest, process, observed)?,
        ended_unstarted: ended_unstarted(town, &incarnations),
    }))
}

fn end_of(exit: &Exit) -> StartEnd {
    let by_request = exit.reason == ENDED_BY_REQUEST || exit.reason == crate::updown::DOWN_REASON;
    if exit.could_not_start() {
        StartEnd::CouldNotStart
    } else if by_request || exit.code == Some(0) {
        StartEnd::Fine
    } else {
        StartEnd::Failed
    }
}

/// The incarnations, newest backwards, that ended by themselves before their first moment.
fn ended_unstarted(town: &Town, incarnations: &[Incarnation]) -> u32 {
    let unstarted = |i: &&Incarnation| {
        let by_itself = i.exit.as_ref().is_some_and(|exit| {
            exit.reason != ENDED_BY_REQUEST && exit.reason != crate::updown::DOWN_REASON && exit.signal != Some(9)
        });
        by_itself && !has_started(town, &i.id)
    };
    u32::try_from(incarnations.iter().rev().take_while(unstarted).count()).unwrap_or(u32::MAX)
}

fn shown(
    town: &Town,
    preset: &AgentPreset,
    incarnation: &Incarnation,
    process: &Process,
    observed: &mut Observed,
) -> Result<Option<Shown>> {
    // Who was killed has not ended for what it said last.
    if incarnation.exit.as_ref().is_some_and(|exit| exit.signal.is_some()) {
        return Ok(None);
    }
    let lines = last_lines(town, &incarnation.id)?;
    if *process == Process::Gone {
        return Ok(find(preset, &lines[lines.len().saturating_sub(LAST_LINES)..]));
    }
    let Some(shown) = find(preset, &lines) else { return Ok(None) };
    let age = observed.age(&format!("shown-{}-{shown:?}", incarnation.id));
    Ok(Some(shown).filter(|_| age >= SHOWN_FOR || observed.is_impatient()))
}

fn find(preset: &AgentPreset, lines: &[String]) -> Option<Shown> {
    let text = lines.join("\n").to_lowercase();
    let mut found = preset.shows.iter().filter(|(_, words)| words.iter().any(|w| text.contains(&w.to_lowercase())));
    found.next().map(|(shown, _)| *shown)
}

/// The last lines that a session has shown or said, without what only a terminal reads.
fn last_lines(town: &Town, id: &IncarnationId) -> Result<Vec<String>> {
    let (sessions, dir) = (town.world().sessions(), town.layout.session(id));
    let said = match sessions.screen(&dir, 0)? {
        Some(screen) => screen,
        None => {
            let end = sessions.vitals(&dir)?.log_bytes;
            let from = end.saturating_sub(LOG_BYTES);
            let text = String::from_utf8_lossy(&sessions.log(&dir, from)?).into_owned();
            // Half a line says nothing.
            if from == 0 { text } else { text.split_once('\n').map_or(String::new(), |(_, rest)| rest.to_owned()) }
        }
    };
    let lines: Vec<String> = said.lines().flat_map(text::readable).filter(|line| !line.trim().is_empty()).collect();
    Ok(lines[lines.len().saturating_sub(LINES)..].to_vec())
}

/// How much of a log's end is read for its last lines.
const LOG_BYTES: u64 = 16 * 1024;

/// The subject of a kind's condition in a rig.
pub fn kind_subject(rig: &RigName, kind: &str) -> String {
    format!("{rig}:{kind}")
}

/// A condition's kind and subject.
type Key = (&'static str, String);

fn worker_key(attempt: &Attempt) -> Key {
    (WORKER_CONDITION, attempt.address().to_string())
}

fn kind_key(attempt: &Attempt) -> Key {
    (KIND_CONDITION, kind_subject(&attempt.rig, &attempt.agent))
}

/// One worker that does not start.
pub(crate) struct NotReady<'a> {
    pub attempt: &'a Attempt,
    pub incarnation: Option<IncarnationId>,
    pub failure: StartFailure,
}

impl NotReady<'_> {
    fn key(&self) -> Key {
        if self.failure.concerns_the_kind() { kind_key(self.attempt) } else { worker_key(self.attempt) }
    }

    /// What a person reads: what is wrong, what to do, and what was seen last.
    fn text(&self, town: &Town) -> Result<String> {
        let (kind, worker, failure) = (&self.attempt.agent, self.attempt.address(), self.failure.as_str());
        let mut text = format!("{kind} does not start for {worker}: {failure}; {}", self.hint(town)?);
        if let Some(id) = &self.incarnation {
            let lines = last_lines(town, id)?;
            let told = &lines[lines.len().saturating_sub(LINES_TOLD)..];
            if !told.is_empty() {
                text.push_str(&format!("\nits last lines:\n  {}", told.join("\n  ")));
            }
        }
        Ok(text)
    }

    fn hint(&self, town: &Town) -> Result<String> {
        let (kind, worker) = (&self.attempt.agent, self.attempt.address());
        let attached = match &self.incarnation {
            Some(id) => town.world().sessions().screen(&town.layout.session(id), 0)?.is_some(),
            None => false,
        };
        let retry = "then: gt doctor --retry";
        Ok(match self.failure {
            StartFailure::NotInstalled => format!("gt agent check {kind} says what is missing, {retry}"),
            StartFailure::LoggedOut if attached => format!("gt session attach {worker}, and log in there"),
            StartFailure::LoggedOut => format!("log in as gt agent check {kind} says, {retry}"),
            StartFailure::Limited => format!("when the limit is reset: gt doctor --retry (gt agent check {kind})"),
            StartFailure::Untrusted | StartFailure::AsksPermission if attached => {
                format!("gt session attach {worker}, and answer it")
            }
            StartFailure::Untrusted | StartFailure::AsksPermission => {
                format!("gt agent check {kind} says how, {retry}")
            }
            StartFailure::Crashed => format!("gt peek {worker}, mend it, {retry}"),
            StartFailure::Silent => format!("gt peek {worker}; gt session stop {worker} starts it anew"),
        })
    }
}

/// Keeps the conditions of a rig's workers that don't start: raised and escalated once, cleared when it is over. Of those
/// that are `starting` nothing is known yet, and what was known stays.
pub(crate) fn note(town: &Town, rig: &Rig, failing: &[NotReady<'_>], starting: &[&Attempt]) -> Result<()> {
    let known = town.ledger.read(|view| conditions_of(view, rig.name()))?;
    let open = starting.iter().flat_map(|attempt| [worker_key(attempt), kind_key(attempt)]);
    let still: Vec<_> = failing.iter().map(NotReady::key).chain(open).collect();
    let mut fresh: Vec<&NotReady<'_>> = failing.iter().filter(|not| !known.contains(&not.key())).collect();
    fresh.dedup_by_key(|not| not.key());
    let over: Vec<_> = known.iter().filter(|key| !still.contains(key)).collect();
    if fresh.is_empty() && over.is_empty() {
        return Ok(());
    }
    let texts = fresh.iter().map(|not| not.text(town)).collect::<Result<Vec<_>>>()?;
    let witness = Address::Witness(rig.name().clone());
    town.ledger.write(&witness.to_string(), "start failures", |tx| {
        for (kind, subject) in &over {
            tx.clear(kind, subject)?;
        }
        for (not, text) in fresh.iter().zip(&texts) {
            // A person may have had it started again since it was looked at.
            let newest = tx.incarnations_of(not.attempt.id)?.pop().map(|newest| newest.id);
            if newest != not.incarnation {
                continue;
            }
            let (kind, subject) = not.key();
            if tx.raise(kind, &subject, text)? {
                escalate(tx, not.attempt, text)?;
            }
        }
        Ok(())
    })
}

fn escalate(tx: &Tx<'_>, attempt: &Attempt, text: &str) -> Result<()> {
    let reason = text.lines().next().unwrap_or_default().to_owned();
    let message = Message::Escalation { bead: attempt.bead.to_string(), severity: "high".to_owned(), reason };
    let from = Address::Witness(attempt.rig.clone());
    post::send_protocol(tx, from, vec![Address::Mayor, Address::Overseer], &message, text)
}

fn conditions_of(view: &View<'_>, rig: &RigName) -> Result<Vec<Key>> {
    let here = |kind: &str, subject: &str| match kind {
        KIND_CONDITION => {
            subject.strip_prefix(rig.as_str()).is_some_and(|rest| rest.starts_with(':')).then_some(KIND_CONDITION)
        }
        WORKER_CONDITION => {
            subject.strip_prefix(rig.as_str()).is_some_and(|rest| rest.starts_with('/')).then_some(WORKER_CONDITION)
        }
        _ => None,
    };
    let conditions = view.conditions()?;
    Ok(conditions.into_iter().filter_map(|c| here(&c.kind, &c.subject).map(|kind| (kind, c.subject))).collect())
}

/// What keeps a worker from starting, where it is known.
pub(crate) fn held(view: &View<'_>, attempt: &Attempt) -> Result<Option<String>> {
    let of_worker = view.condition(WORKER_CONDITION, &attempt.address().to_string())?;
    let found = match of_worker {
        Some(condition) => Some(condition),
        None => view.condition(KIND_CONDITION, &kind_subject(&attempt.rig, &attempt.agent))?,
    };
    Ok(found.map(|condition| condition.text.lines().next().unwrap_or_default().to_owned()))
}

/// Starts the work again of workers that did not start: as a person's word that the cause is mended.
pub fn retry(town: &Town, caller: &Caller) -> Result<usize> {
    let count = town.ledger.write(&caller.name(), "retry starts", |tx| {
        let mut mended = BTreeSet::new();
        let mut count = 0;
        for attempt in tx.present_attempts()?.iter().filter(|attempt| attempt.is_hooked()) {
            let over = tx.incarnations_of(attempt.id)?.iter().all(|incarnation| incarnation.ended_at.is_some());
            // One that runs, and asks, goes on by itself when it is answered.
            if over && held(tx, attempt)?.is_some() {
                effects::begin_incarnation(tx, attempt)?;
                mended.extend([worker_key(attempt), kind_key(attempt)]);
                count += 1;
            }
        }
        for (kind, subject) in mended {
            tx.clear(kind, &subject)?;
        }
        Ok::<_, Error>(count)
    })?;
    town.wake();
    Ok(count)
}

/// Whether a session of this attempt's kind may start now: its kind is not known to fail, and the one started before it
/// has shown its first moment or had its time. Clients that start all at once are slow all at once.
pub(crate) fn may_start(town: &Town, view: &View<'_>, attempt: &Attempt, observed: &mut Observed) -> Result<bool> {
    if view.condition(KIND_CONDITION, &kind_subject(&attempt.rig, &attempt.agent))?.is_some() {
        return Ok(false);
    }
    let Ok(preset) = town.agent(&attempt.agent) else { return Ok(true) };
    let Some(seconds) = preset.stagger_seconds.filter(|_| preset.client.is_some()) else { return Ok(true) };
    for other in view.present_attempts()?.iter().filter(|a| a.id != attempt.id && a.agent == attempt.agent) {
        let Some(newest) = view.incarnations_of(other.id)?.pop() else { continue };
        let starts = newest.ended_at.is_none() && !has_started(town, &newest.id);
        let key = format!("stagger-{}", newest.id);
        if starts && was_started(town, &newest.id)? && observed.age(&key) < Duration::from_secs(seconds) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether its session was started: of one that has ended already, the next patrol says why.
fn was_started(town: &Town, id: &IncarnationId) -> Result<bool> {
    Ok(town.world().sessions().state(&town.layout.session(id))? != SessionState::NotStarted)
}
