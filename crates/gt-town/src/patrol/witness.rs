//! The witness: one patrol over a rig's polecats (workers). It reads facts and acts only on what it knows.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use gt_ledger::{Attempt, AttemptOutcome, Incarnation, Tx};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::effect::Effect;
use gt_model::formula::{Act, Patrol};
use gt_model::id::{BeadId, RigName};
use gt_model::patrol::{Process, Verdict};
use gt_model::protocol::Message;
use gt_world::{SessionState, Vitals};
use serde::Serialize;

use crate::admission::outage;
use crate::admission::usage::{self, Meters};
use crate::agents::marks;
use crate::agents::readiness::{self, NotReady};
use crate::mail::post;
use crate::town::desired;
use crate::town::error::{Error, Result};
use crate::town::observed::Observed;
use crate::town::{Rig, Town};
use crate::work::causes;
use crate::work::convoy;
use crate::work::decided;
use crate::work::done;
use crate::work::sling;

mod facts;
mod standstill;

use facts::Found;
pub use facts::{Explained, explain};

/// Time that a worker's state may be unknown before a person is told.
const UNKNOWN_LIMIT: Duration = Duration::from_mins(1);

/// The witness's observations of sessions so far, used to tell activity from silence.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    vitals: BTreeMap<String, (Vitals, u32)>,
    /// Signs of life that this patrol found.
    found: BTreeMap<String, Vitals>,
    /// End of the turn after which a snapshot was last decided.
    turns: BTreeMap<String, u64>,
    /// Usage read from clients' own records.
    pub(crate) meters: Meters,
}

impl Watch {
    /// Returns the key under which silence is timed. It changes with every sign of life.
    fn silence_key(&mut self, incarnation: &Incarnation, vitals: Vitals) -> String {
        let id = incarnation.id.0.clone();
        let entry = self.vitals.entry(id.clone()).or_insert_with(|| (vitals.clone(), 0));
        if entry.0 != vitals {
            *entry = (vitals, entry.1.wrapping_add(1));
        }
        format!("silence-{id}-{}", entry.1)
    }

    fn forget_all_but(&mut self, live: &[Incarnation]) {
        let is_live = |id: &str| live.iter().any(|i| i.id.0 == id);
        self.vitals.retain(|id, _| is_live(id));
        self.turns.retain(|id, _| is_live(id));
    }
}

/// Result for one polecat.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Address of the worker.
    pub worker: Address,
    /// Its bead.
    pub bead: BeadId,
    /// Verdict of the witness.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Patrols one rig: performs the acts of its witness's formula. Returns what the survey found.
pub fn patrol(town: &Town, rig: &Rig, watch: &mut Watch, observed: &mut Observed) -> Result<Vec<Finding>> {
    let witness = Witness { town, rig, actor: Address::Witness(rig.name().clone()).to_string() };
    let patrol = town.patrol(Some(rig), Patrol::Witness);
    let attempts = town.ledger.read(|view| view.present_attempts().map_err(Error::from))?;
    let mut survey = Survey::default();
    for act in patrol.acts {
        match act {
            Act::WitnessMail => witness.handle_mail()?,
            Act::WitnessSurvey => survey = witness.survey(&attempts, watch, observed)?,
            Act::WitnessNotes => witness.note(&attempts, &survey, watch, observed)?,
            Act::WitnessAct => {
                survey.seen.iter().try_for_each(|seen| witness.act(seen.attempt, &seen.found, &seen.verdict))?;
            }
            // `Plan::acts` lets no other act through.
            _ => {}
        }
    }
    watch.forget_all_but(&survey.live);
    match patrol.fault {
        Some(fault) => Err(fault),
        None => Ok(survey.seen.into_iter().map(Seen::finding).collect()),
    }
}

/// Result of a survey of a rig's workers.
#[derive(Default)]
struct Survey<'a> {
    seen: Vec<Seen<'a>>,
    /// Incarnations that have not ended.
    live: Vec<Incarnation>,
}

/// Result of a survey for one worker.
struct Seen<'a> {
    attempt: &'a Attempt,
    found: Found,
    verdict: Verdict,
}

impl Seen<'_> {
    fn finding(self) -> Finding {
        Finding { worker: self.attempt.address(), bead: self.attempt.bead.clone(), verdict: self.verdict }
    }

    /// Returns the failed start, if the verdict is that the worker's session did not start.
    fn not_ready(&self) -> Option<NotReady<'_>> {
        let Verdict::NotReady(failure) = &self.verdict else { return None };
        let incarnation = self.found.newest().map(|newest| newest.id.clone());
        Some(NotReady { attempt: self.attempt, incarnation, failure: *failure })
    }
}

struct Witness<'t> {
    town: &'t Town,
    rig: &'t Rig,
    actor: String,
}

impl Witness<'_> {
    fn write<T>(&self, verb: &str, change: impl FnOnce(&Tx<'_>) -> Result<T>) -> Result<T> {
        self.town.ledger.write(&self.actor, verb, change)
    }

    /// Records the ends of the rig's sessions and finds out how each of its workers is.
    fn survey<'a>(&self, attempts: &'a [Attempt], watch: &mut Watch, observed: &mut Observed) -> Result<Survey<'a>> {
        watch.found = self.vitals(attempts)?;
        let mut survey = Survey::default();
        for attempt in attempts.iter().filter(|attempt| &attempt.rig == self.rig.name()) {
            survey.live.extend(self.record_ends(attempt)?);
            let found = self.look(attempt, watch, observed)?;
            let verdict = found.verdict(self.town, self.rig);
            survey.seen.push(Seen { attempt, found, verdict });
        }
        Ok(survey)
    }

    /// Raises and clears the conditions that follow from a survey.
    fn note(
        &self,
        attempts: &[Attempt],
        survey: &Survey<'_>,
        watch: &mut Watch,
        observed: &mut Observed,
    ) -> Result<()> {
        for Seen { attempt, found, verdict } in &survey.seen {
            self.note_unknown(attempt, verdict, observed)?;
            self.note_turn(attempt, found, watch)?;
            self.note_conditions(attempt, verdict)?;
        }
        let failing: Vec<NotReady<'_>> = survey.seen.iter().filter_map(Seen::not_ready).collect();
        let starting: Vec<&Attempt> =
            survey.seen.iter().filter(|seen| seen.verdict == Verdict::Starting).map(|seen| seen.attempt).collect();
        readiness::note(self.town, self.rig, &failing, &starting)?;
        self.forget_gone(attempts)
    }

    /// Passes on messages of others. The facts are already in the ledger, so this changes no state.
    fn handle_mail(&self) -> Result<()> {
        let me = Address::Witness(self.rig.name().clone());
        post::handle(self.town, &me, &|tx, message| tell_refinery(tx, self.rig.name(), message))
    }

    /// Records the ends of sessions that are over. Returns the others.
    fn record_ends(&self, attempt: &Attempt) -> Result<Vec<Incarnation>> {
        let incarnations = self.town.ledger.read(|view| view.incarnations_of(attempt.id).map_err(Error::from))?;
        let mut live = Vec::new();
        for incarnation in incarnations.into_iter().filter(|i| i.ended_at.is_none()) {
            match self.state(&incarnation)? {
                SessionState::Ended(exit) => {
                    let used = usage::at_end(self.town, &incarnation);
                    let unanswered = outage::is_unanswered(self.town, &incarnation.id)?;
                    let cause = causes::of(self.town, Some(attempt), &incarnation, &exit);
                    self.write("record end", |tx| {
                        let exit = desired::as_counted(tx, exit)?;
                        tx.record_end(&incarnation, Some(&attempt.bead), &exit)?;
                        tx.set_cause(&incarnation.id, &cause)?;
                        if unanswered {
                            tx.spare(&incarnation.id, outage::UNANSWERED)?;
                        }
                        usage::record_at_end(tx, &incarnation, &used)?;
                        if attempt.is_hooked() { decided::decide_snapshot(tx, attempt) } else { Ok(()) }
                    })?;
                }
                // It never started and no longer should, because its attempt released the hook before.
                SessionState::NotStarted if !attempt.is_hooked() => {
                    let exit = gt_world::Exit { code: None, signal: None, reason: "never started".to_owned() };
                    self.write("record end", |tx| {
                        tx.record_end(&incarnation, Some(&attempt.bead), &exit)?;
                        Ok(())
                    })?;
                }
                _ => live.push(incarnation),
            }
        }
        Ok(live)
    }

    /// Returns signs of life of the rig's running sessions.
    fn vitals(&self, attempts: &[Attempt]) -> Result<BTreeMap<String, Vitals>> {
        let of_rig = |i: &Incarnation| attempts.iter().any(|a| Some(a.id) == i.attempt() && &a.rig == self.rig.name());
        let mut live = self.town.ledger.read(|view| view.live_incarnations().map_err(Error::from))?;
        live.retain(of_rig);
        let dirs: Vec<PathBuf> = live.iter().map(|i| self.town.layout.session(&i.id)).collect();
        let vitals = self.town.world().sessions().vitals(&dirs).into_iter();
        // A failure to read one is reported when its own attempt is examined.
        Ok(live.into_iter().zip(vitals).filter_map(|(i, vitals)| Some((i.id.0, vitals.ok()?))).collect())
    }

    fn state(&self, incarnation: &Incarnation) -> Result<SessionState> {
        Ok(self.town.world().sessions().state(&self.town.layout.session(&incarnation.id))?)
    }

    fn process(&self, incarnation: &Incarnation) -> Result<Process> {
        if incarnation.ended_at.is_some() {
            return Ok(Process::Gone);
        }
        Ok(match self.state(incarnation)? {
            SessionState::NotStarted => Process::NotStarted,
            SessionState::Running { .. } => Process::Running,
            // The next patrol records its end before anything depends on it.
            SessionState::Ended(_) => Process::Unknown("it has just ended".to_owned()),
            SessionState::Unknown(why) => Process::Unknown(why),
        })
    }

    /// Tells a person if the state stays unknown. Does nothing else about it.
    fn note_unknown(&self, attempt: &Attempt, verdict: &Verdict, observed: &mut Observed) -> Result<()> {
        let worker = attempt.address().to_string();
        let known =
            self.town.ledger.read(|view| view.condition(ConditionKind::Unknown, &worker).map_err(Error::from))?;
        match (verdict, known) {
            (Verdict::Unknown(why), None) if observed.age(&format!("unknown-{}", attempt.id)) >= UNKNOWN_LIMIT => {
                let text = format!("the state of {worker} is unknown: {why}");
                self.write("unknown", |tx| tx.raise(ConditionKind::Unknown, &worker, &text).map_err(Error::from))
                    .map(|_| ())
            }
            (Verdict::Unknown(_), _) | (_, None) => Ok(()),
            (_, Some(_)) => {
                self.write("unknown", |tx| tx.clear(ConditionKind::Unknown, &worker).map_err(Error::from)).map(|_| ())
            }
        }
    }

    fn act(&self, attempt: &Attempt, found: &Found, verdict: &Verdict) -> Result<()> {
        match verdict {
            Verdict::Crashed => self.restart(attempt),
            Verdict::Stalled | Verdict::Quiet => self.nudge(attempt, found, verdict),
            Verdict::Unmoved => self.end_silent(attempt, "worker-silent"),
            Verdict::Limited => self.park(attempt, found),
            Verdict::Resumed => self.end_silent(attempt, "limit-over"),
            Verdict::Recovered => self.recover(attempt),
            Verdict::Unknown(_)
            | Verdict::Done
            | Verdict::Starting
            | Verdict::NotReady(_)
            | Verdict::Working
            | Verdict::InTool(_)
            | Verdict::LongTool(_)
            | Verdict::Waiting(_)
            | Verdict::WaitingOnPerson(_)
            | Verdict::Nudged
            | Verdict::BackingOff => Ok(()),
        }
    }

    fn restart(&self, attempt: &Attempt) -> Result<()> {
        self.write("restart", |tx| {
            let attempt = still(tx, attempt)?;
            let all_ended = tx.incarnations_of(attempt.id)?.iter().all(|i| i.ended_at.is_some());
            if attempt.is_hooked() && all_ended {
                decided::begin_incarnation(tx, &attempt)?;
            }
            Ok(())
        })
    }

    /// Ends a session, once. The work restarts after it ends.
    fn end_silent(&self, attempt: &Attempt, event: &str) -> Result<()> {
        self.write("end silent", |tx| {
            let Some(newest) = tx.incarnations_of(attempt.id)?.pop() else { return Ok(()) };
            let end = Effect::EndSession { incarnation: newest.id.clone() };
            if newest.ended_at.is_some() || tx.decided(&end)?.is_some() {
                return Ok(());
            }
            tx.event(event, &format!("incarnation {}", newest.number), Some(&attempt.bead), None, None)?;
            decided::decide_end(tx, attempt, &newest.id, Duration::ZERO)?;
            Ok(())
        })
    }

    /// Takes the bead back from a worker that died too often, and asks for a person.
    fn recover(&self, attempt: &Attempt) -> Result<()> {
        let newest = self.town.ledger.read(|view| view.incarnations_of(attempt.id).map_err(Error::from))?.pop();
        let refused = newest.and_then(|newest| marks::refused(self.town, &newest.id).ok().flatten());
        self.write("recover", |tx| {
            let attempt = still(tx, attempt)?;
            let Some(bead) = tx.bead(&attempt.bead)? else { return Ok(()) };
            if !attempt.is_hooked() {
                return Ok(());
            }
            let incarnations = tx.incarnations_of(attempt.id)?;
            sling::release(tx, &attempt, &bead, AttemptOutcome::Recovered)?;
            let why = causes::given_up(refused.as_deref(), &incarnations);
            done::escalate(tx, &attempt, &why)?;
            let message = Message::RecoveredBead {
                bead: attempt.bead.to_string(),
                worker: attempt.address().to_string(),
                snapshot: attempt.snapshot_ref(),
                attempts: attempt.number.to_string(),
            };
            post::send_protocol(tx, Address::Witness(attempt.rig.clone()), vec![Address::Deacon], &message, "")?;
            convoy::bead_finished(tx, &attempt.bead, "failed")
        })
    }
}

/// Returns the current attempt inside an operation.
fn still(tx: &Tx<'_>, attempt: &Attempt) -> Result<Attempt> {
    tx.attempt(attempt.id)?.ok_or_else(|| Error::Unknown { what: "attempt", name: attempt.id.to_string() })
}

/// Tells the refinery of a worker's submission.
fn tell_refinery(tx: &Tx<'_>, rig: &RigName, message: &Message) -> Result<()> {
    let me = Address::Witness(rig.clone());
    match message {
        // Build the notice from the ledger, not from the mail's claims.
        Message::PolecatDone { mr, .. } => {
            let Some(mr) = tx.merge_request(&mr.as_str().into())? else { return Ok(()) };
            let ready = Message::MergeReady {
                mr: mr.id.to_string(),
                bead: mr.bead.to_string(),
                branch: mr.branch,
                commit: mr.head.to_string(),
            };
            post::send_protocol(tx, me, vec![Address::Refinery(rig.clone())], &ready, "")
        }
        _ => Ok(()),
    }
}
