//! Judges whether agents have started, from what their sessions leave: the first moment, the exit record, the last lines.

use std::time::Duration;

use gt_ledger::{Attempt, Condition, Holder, Incarnation, Tx, View};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::foreign;
use gt_model::id::{IncarnationId, RigName};
use gt_model::moment::{KEPT_TEXT_BYTES, Mark, MarkKind, Stage, reset_time};
use gt_model::patrol::Process;
use gt_model::protocol::Message;
use gt_model::start::{self, Shown, Start, StartEnd, StartFacts, StartFailure, Told};
use gt_model::usage::Format;
use gt_world::{ENDED_BY_REQUEST, Exit, Runtime, SessionState};

use super::counting::Counting;
use super::{hooks, log_in, text};
use crate::agents::wanted;
use crate::mail::post;
use crate::town::error::{Error, Result};
use crate::town::observed::Observed;
use crate::town::settings::AgentPreset;
use crate::town::{Rig, Town};

/// Seconds until the first moment, where the preset does not say.
const READY_SECONDS: u64 = 120;

/// Time that words must stand on a screen before they count, since a screen may be half drawn.
const SHOWN_FOR: Duration = Duration::from_secs(3);

/// Lines at the end of an output or a screen in which the town looks for a client's words. People see the same lines.
const LINES: usize = 30;
const LINES_TOLD: usize = 8;

/// Lines in which the town looks for the client's words after it ended with an error. Only the last ones count, since the
/// agent's work may contain the same words.
const LAST_LINES: usize = 3;

/// Lines, from the one with a client's words on, in which the town looks for the end of a limit.
const RESET_LINES: usize = 3;

/// Whether a session has shown its first moment. Any moment counts, since not every version reports its start.
pub(crate) fn has_started(town: &Town, id: &IncarnationId) -> bool {
    // An unreadable folder shows nothing. Marks that an agent's own `gt` leaves there say nothing about hooks.
    let marks = town.world().disk().list(&town.layout.moments(id)).unwrap_or_default();
    marks.iter().any(|mark| MarkKind::parse(mark).is_some())
}

/// Whether a session of this kind has begun. Where the client has no hooks, it has begun when its agent has called gt, as its
/// first prompt says, or when the client has shown the words for that. Where such a client reports moments, they count instead.
fn has_begun(town: &Town, preset: &AgentPreset, id: &IncarnationId) -> bool {
    let has_called = || preset.client.is_none() && town.world().disk().exists(&town.layout.called(id));
    has_started(town, id) || has_called()
}

/// Progress of an incarnation's start.
pub(crate) struct Looked {
    pub start: Start,
    /// A limit, or an API without answers, as its words tell it: the stage that its hooks would have reported.
    pub told: Option<Stage>,
}

impl Looked {
    const MADE: Self = Self { start: Start::Made, told: None };
}

/// Judges how far the newest of an agent's incarnations (ordered first to last) has come.
pub(crate) fn look(
    town: &Town,
    kind: &str,
    incarnations: &[&Incarnation],
    process: &Process,
    observed: &mut Observed,
) -> Result<Looked> {
    let Some(newest) = incarnations.last() else { return Ok(Looked::MADE) };
    let Ok(preset) = town.agent(kind) else { return Ok(Looked::MADE) };
    if preset.needs_hooks() && hooks::was_unheard(town, &newest.id)? {
        return Ok(Looked { start: Start::Failed(StartFailure::Unhooked), told: None });
    }
    let first_moment = has_begun(town, &preset, &newest.id);
    let is_to_judge = match process {
        Process::Running => !first_moment,
        // If a kind shows no sign of its start, each end counts as its work's.
        Process::Gone => preset.tells_of_its_start(),
        Process::NotStarted | Process::Unknown(_) => false,
    };
    if !is_to_judge {
        return Ok(Looked::MADE);
    }
    let seen = seen(town, &preset, newest, process, observed)?;
    if *process == Process::Running && seen.as_ref().is_some_and(|seen| seen.shown == Shown::Ready) {
        // Leaves a mark, since the words scroll away.
        town.world().disk().mark(&town.layout.called(&newest.id), b"")?;
    }
    let start = start::judge(&StartFacts {
        process: process.clone(),
        first_moment,
        end: newest.exit.as_ref().map(end_of),
        waited: observed.age(&format!("start-{}", newest.id)),
        deadline: deadline(town, &preset),
        needs_sign: preset.client.is_none() || preset.needs_hooks(),
        shown: seen.as_ref().map(|seen| seen.shown),
        ended_unstarted: ended_unstarted(town, &preset, incarnations)?,
    });
    let told = match (start, seen) {
        (Start::Told(told), Some(seen)) => Some(stage_of(town, told, &seen)),
        _ => None,
    };
    Ok(Looked { start, told })
}

/// Deadline for the first moment. Zero where hooks are known to be off.
fn deadline(town: &Town, preset: &AgentPreset) -> Duration {
    if preset.client.is_some() && !preset.needs_hooks() && hooks::of(town, preset).are_off() {
        return Duration::ZERO;
    }
    Duration::from_secs(preset.ready_seconds.unwrap_or(READY_SECONDS))
}

/// Turns words into the stage that a hook would have reported. Each incarnation reports it once, so it needs no time.
fn stage_of(town: &Town, told: Told, seen: &Seen) -> Stage {
    let clock = town.world().clock();
    let text = Some(foreign::cut(&seen.words, KEPT_TEXT_BYTES).to_owned());
    match told {
        Told::Outage => Stage::Outage(Mark { text, ..Mark::default() }),
        Told::Limit => {
            let resets_at = reset_time(&seen.words, clock.now(), &|zone| clock.zone_of(zone));
            let resets_at = resets_at.map(jiff::Timestamp::as_second);
            Stage::Limited(Mark { text, resets_at, ..Mark::default() })
        }
    }
}

fn end_of(exit: &Exit) -> StartEnd {
    let by_request = exit.reason == ENDED_BY_REQUEST || exit.reason == crate::town::desired::DOWN_REASON;
    if exit.could_not_start() {
        StartEnd::CouldNotStart
    } else if by_request || exit.code == Some(0) {
        StartEnd::Fine
    } else {
        StartEnd::Failed
    }
}

/// Counts the newest incarnations in a row that ended by themselves before their first moment. Skips those whose end is not
/// counted against the agent.
fn ended_unstarted(town: &Town, preset: &AgentPreset, incarnations: &[&Incarnation]) -> Result<u32> {
    let mut count = 0;
    for incarnation in incarnations.iter().rev() {
        let by_itself = incarnation.exit.as_ref().is_some_and(|exit| {
            exit.reason != ENDED_BY_REQUEST
                && exit.reason != crate::town::desired::DOWN_REASON
                && exit.signal != Some(9)
        });
        if town.ledger.read(|view| Ok::<_, Error>(view.reactions(&incarnation.id)?.spared().is_some()))? {
            continue;
        }
        if !by_itself || has_begun(town, preset, &incarnation.id) {
            break;
        }
        count += 1;
    }
    Ok(count)
}

/// Words of a client that mean something.
struct Seen {
    shown: Shown,
    /// Text from the line with the words on.
    words: String,
}

fn seen(
    town: &Town,
    preset: &AgentPreset,
    incarnation: &Incarnation,
    process: &Process,
    observed: &mut Observed,
) -> Result<Option<Seen>> {
    // A killed process did not end because of its last words.
    if incarnation.exit.as_ref().is_some_and(|exit| exit.signal.is_some()) {
        return Ok(None);
    }
    let lines = last_lines(town, &incarnation.id)?;
    if *process == Process::Gone {
        return Ok(find(preset, &lines[lines.len().saturating_sub(LAST_LINES)..]));
    }
    let Some(seen) = find(preset, &lines) else { return Ok(None) };
    let age = observed.age(&format!("shown-{}-{:?}", incarnation.id, seen.shown));
    Ok(Some(seen).filter(|_| age >= SHOWN_FOR || observed.is_impatient()))
}

fn find(preset: &AgentPreset, lines: &[String]) -> Option<Seen> {
    let text = lines.join("\n").to_lowercase();
    let has = |text: &str, words: &[String]| words.iter().any(|words| text.contains(&words.to_lowercase()));
    let (shown, words) = preset.shows.iter().find(|(_, words)| has(&text, words))?;
    // No line contains words that wrap over two lines.
    let at = lines.iter().position(|line| has(&line.to_lowercase(), words)).unwrap_or_default();
    let said: Vec<&str> = lines[at..].iter().take(RESET_LINES).map(|line| line.trim()).collect();
    Some(Seen { shown: *shown, words: said.join(" ") })
}

/// Returns the last lines that a session has shown or printed, without control sequences. Keeps the output of a client without
/// an adapter as it is, since its preset's words are matched against that.
pub(crate) fn last_lines(town: &Town, id: &IncarnationId) -> Result<Vec<String>> {
    last_lines_of(town, id, None)
}

fn last_lines_of(town: &Town, id: &IncarnationId, format: Option<Format>) -> Result<Vec<String>> {
    let (sessions, dir) = (town.world().sessions(), town.layout.session(id));
    let said = match sessions.screen(&dir, 0)? {
        Some(screen) => screen,
        None => {
            let from = sessions.log_size(&dir).saturating_sub(LOG_BYTES);
            let text = String::from_utf8_lossy(&sessions.log(&dir, from)?).into_owned();
            // Drops the first line, which may be cut.
            if from == 0 { text } else { text.split_once('\n').map_or(String::new(), |(_, rest)| rest.to_owned()) }
        }
    };
    let lines = said.lines().flat_map(|line| text::readable(line, format));
    let lines: Vec<String> = lines.filter(|line| !line.trim().is_empty()).collect();
    Ok(lines[lines.len().saturating_sub(LINES)..].to_vec())
}

/// Returns the same lines as a person would have seen them: for a terminal that is gone, without what was drawn over.
pub(crate) fn last_words(town: &Town, id: &IncarnationId) -> Result<Vec<String>> {
    let (sessions, dir) = (town.world().sessions(), town.layout.session(id));
    if sessions.runtime(&dir)? != Some(Runtime::Tmux) || sessions.screen(&dir, 0)?.is_some() {
        return last_lines_of(town, id, Counting::recorded(town, id)?.printed_format());
    }
    let from = sessions.log_size(&dir).saturating_sub(LOG_BYTES);
    let shown = text::rendered(&sessions.log(&dir, from)?);
    let lines: Vec<String> = shown.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    Ok(lines[lines.len().saturating_sub(LINES)..].to_vec())
}

/// Bytes at the end of a log that are read for its last lines.
const LOG_BYTES: u64 = 16 * 1024;

/// Returns the subject of a kind's condition in a rig.
pub(crate) fn kind_subject(rig: &RigName, kind: &str) -> String {
    format!("{rig}:{kind}")
}

/// Kind and subject of a condition.
type Key = (ConditionKind, String);

pub(crate) fn worker_key(attempt: &Attempt) -> Key {
    (ConditionKind::StartFails, attempt.address().to_string())
}

pub(crate) fn kind_key(attempt: &Attempt) -> Key {
    (ConditionKind::AgentFails, kind_subject(&attempt.rig, &attempt.agent))
}

/// An agent that does not start, and why.
pub(crate) struct Failing<'a> {
    pub kind: &'a str,
    pub address: &'a Address,
    pub incarnation: Option<&'a IncarnationId>,
    pub failure: StartFailure,
}

impl Failing<'_> {
    /// Returns the text for people: what is wrong, what to do, and what the session showed last.
    pub fn text(&self, town: &Town) -> Result<String> {
        let Self { kind, address, failure, .. } = self;
        let what = match failure {
            StartFailure::Unhooked => format!("the session of {address} was ended"),
            _ => format!("{kind} does not start for {address}"),
        };
        let mut text = format!("{what}: {}; {}", failure.as_str(), self.hint(town)?);
        if let Some(id) = self.incarnation {
            let lines = last_words(town, id)?;
            let told = &lines[lines.len().saturating_sub(LINES_TOLD)..];
            if !told.is_empty() {
                text.push_str(&format!("\nits last lines:\n  {}", told.join("\n  ")));
            }
        }
        Ok(text)
    }

    fn hint(&self, town: &Town) -> Result<String> {
        let Self { kind, address, .. } = self;
        let attached = match self.incarnation {
            Some(id) => town.world().sessions().screen(&town.layout.session(id), 0)?.is_some(),
            None => false,
        };
        let retry = "then: gt doctor --retry";
        Ok(match self.failure {
            StartFailure::NotInstalled => format!("gt agent check {kind} says what is missing, {retry}"),
            StartFailure::LoggedOut if attached => format!("gt session attach {address}, and log in there"),
            StartFailure::FirstStart if attached => format!("gt session attach {address}, and answer there"),
            StartFailure::LoggedOut => format!("{} (gt agent check {kind} says more), {retry}", log_in(town, kind)),
            failure if failure.asks_yes_or_no() && attached => {
                format!("gt agent answer {address} yes, or gt session attach {address}")
            }
            StartFailure::Untrusted
            | StartFailure::AsksMode
            | StartFailure::AsksKey
            | StartFailure::FirstStart
            | StartFailure::AsksPermission => format!("gt agent check {kind} says how, {retry}"),
            StartFailure::Unhooked => format!("gt agent check {kind} and gt doctor say what may be the cause, {retry}"),
            StartFailure::Crashed => format!("gt peek {address}, fix the cause, {retry}"),
            StartFailure::Silent => format!("gt peek {address}; gt session stop {address} restarts it"),
        })
    }
}

/// A worker that does not start.
pub(crate) struct NotReady<'a> {
    pub attempt: &'a Attempt,
    pub incarnation: Option<IncarnationId>,
    pub failure: StartFailure,
}

impl NotReady<'_> {
    fn key(&self) -> Key {
        if self.failure.concerns_the_kind() { kind_key(self.attempt) } else { worker_key(self.attempt) }
    }

    fn text(&self, town: &Town) -> Result<String> {
        let failing = Failing {
            kind: &self.attempt.agent,
            address: &self.attempt.address(),
            incarnation: self.incarnation.as_ref(),
            failure: self.failure,
        };
        failing.text(town)
    }
}

/// Keeps the conditions of a rig's workers that don't start: raises and escalates each once, and clears it when it is over.
/// Nothing is known yet of the attempts in `starting`, so their conditions stay as they are.
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
            tx.clear(*kind, subject)?;
        }
        for (not, text) in fresh.iter().zip(&texts) {
            // A person may have restarted it since the town looked.
            let newest = tx.incarnations_of(not.attempt.id)?.pop().map(|newest| newest.id);
            if newest != not.incarnation {
                continue;
            }
            let (kind, subject) = not.key();
            if tx.raise(kind, &subject, text)? {
                escalate(tx, not, text)?;
            }
        }
        Ok(())
    })
}

fn escalate(tx: &Tx<'_>, not: &NotReady<'_>, text: &str) -> Result<()> {
    let attempt = not.attempt;
    let reason = text.lines().next().unwrap_or_default().to_owned();
    let message = Message::Escalation { bead: attempt.bead.to_string(), severity: "high".to_owned(), reason };
    let from = Address::Witness(attempt.rig.clone());
    // The mayor can't answer a question to a person.
    let to = match not.failure {
        StartFailure::LoggedOut | StartFailure::FirstStart => vec![Address::Overseer],
        failure if failure.asks_yes_or_no() => vec![Address::Overseer],
        _ => vec![Address::Mayor, Address::Overseer],
    };
    post::send_protocol(tx, from, to, &message, text)
}

fn conditions_of(view: &View<'_>, rig: &RigName) -> Result<Vec<Key>> {
    let is_here = |condition: &Condition| {
        let Some(rest) = condition.subject.strip_prefix(rig.as_str()) else { return false };
        match condition.kind {
            ConditionKind::AgentFails => rest.starts_with(':'),
            ConditionKind::StartFails => rest.starts_with("/polecats/"),
            _ => false,
        }
    };
    let here = view.conditions()?.into_iter().filter(is_here);
    Ok(here.map(|condition| (condition.kind, condition.subject)).collect())
}

/// Returns what keeps a worker from starting, where that is known.
pub(crate) fn held(view: &View<'_>, attempt: &Attempt) -> Result<Option<String>> {
    let of_worker = view.condition(ConditionKind::StartFails, &attempt.address().to_string())?;
    let found = match of_worker {
        Some(condition) => Some(condition),
        None => view.condition(ConditionKind::AgentFails, &kind_subject(&attempt.rig, &attempt.agent))?,
    };
    Ok(found.map(|condition| condition.text.lines().next().unwrap_or_default().to_owned()))
}

/// Whether the session of an incarnation may start now: its kind is not known to fail, and the session started before it has
/// shown its first moment or used up its time. Clients that start at the same time slow each other down.
pub(crate) fn may_start(town: &Town, id: &IncarnationId, observed: &mut Observed) -> Result<bool> {
    let Some(Starter { kind, rig }) = starter(town, id)? else { return Ok(true) };
    let (fails, live) = town.ledger.read(|view| {
        let subject = rig.map(|rig| kind_subject(&rig, &kind));
        let fails =
            subject.map(|subject| view.condition(ConditionKind::AgentFails, &subject)).transpose()?.flatten().is_some();
        Ok::<_, Error>((fails, view.live_incarnations()?))
    })?;
    if fails {
        return Ok(false);
    }
    // Another part of the town reports a missing kind; the start waits for it.
    let Ok(preset) = town.agent(&kind) else { return Ok(false) };
    if hooks::forbid_start(town, &preset) {
        return Ok(false);
    }
    let Some(seconds) = preset.stagger_seconds.filter(|_| preset.client.is_some()) else { return Ok(true) };
    for other in live.iter().filter(|other| other.id != *id && !has_started(town, &other.id)) {
        if !was_started(town, &other.id)? || starter(town, &other.id)?.is_none_or(|other| other.kind != kind) {
            continue;
        }
        if observed.age(&format!("stagger-{}", other.id)) < Duration::from_secs(seconds) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns the kind of agent of an incarnation, where it is known.
pub(crate) fn kind_of(town: &Town, id: &IncarnationId) -> Result<Option<String>> {
    Ok(starter(town, id)?.map(|starter| starter.kind))
}

/// Kind and rig of an incarnation that is to start.
struct Starter {
    kind: String,
    rig: Option<RigName>,
}

/// Returns the kind and rig; `None` where the incarnation is no longer to start, or where its kind is unknown.
fn starter(town: &Town, id: &IncarnationId) -> Result<Option<Starter>> {
    let (attempt, agent) = town.ledger.read(|view| {
        let Some(incarnation) = view.incarnation(id)? else { return Ok((None, None)) };
        match &incarnation.holder {
            Holder::Attempt(attempt) => Ok::<_, Error>((view.attempt(*attempt)?, None)),
            Holder::Agent(address) => Ok((None, view.agent(address)?)),
        }
    })?;
    if let Some(attempt) = attempt {
        return Ok(Some(Starter { kind: attempt.agent, rig: Some(attempt.rig) }));
    }
    let Some(agent) = agent else { return Ok(None) };
    // The start itself reports a kind that can't be found.
    Ok(wanted::wanted_kind(town, &agent).ok().map(|kind| Starter { kind, rig: agent.rig().cloned() }))
}

/// Whether its session was started. If it has ended already, the next patrol says why.
fn was_started(town: &Town, id: &IncarnationId) -> Result<bool> {
    Ok(town.world().sessions().state(&town.layout.session(id))? != SessionState::NotStarted)
}
