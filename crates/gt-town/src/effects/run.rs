//! The runner of effects. The process that holds an effect's lock checks whether the effect has already happened, performs it,
//! and records the result under the effect's fence.

use std::time::Duration;

use gt_ledger::{EffectRow, LedgerError};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::effect::{AfterFailure, Effect, after_failure};
use gt_model::id::RigName;
use gt_world::{Held, WorldError};

use super::conclude::conclude;
use super::perform::perform;
use super::spans::traced;
use super::wait::{makes_worktree, wait};
use crate::agents::marks;
use crate::agents::readiness;
use crate::town::error::{Error, Result, chain};
use crate::town::lane::Lane;
use crate::town::observed::Observed;
use crate::town::{Caller, Town};

/// Returns the caller under which effects run, for the audit log.
pub(super) fn runner() -> Caller {
    Caller::role(Address::Deacon)
}

/// Effects that a runner considers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// All of them.
    All,
    /// Effects that use no remote and therefore finish quickly.
    Local,
    /// Effects that set up this rig's worktrees, which can take minutes.
    SetUpOf(&'a RigName),
    /// Effects that use this rig's remote, which can take any time.
    RemoteOf(&'a RigName),
}

impl Scope<'_> {
    fn holds(self, row: &EffectRow) -> bool {
        let asks_remote = matches!(row.effect, Effect::FetchBase { .. } | Effect::Fetch { .. } | Effect::Land { .. });
        let sets_up = matches!(row.effect, Effect::SetUp { .. });
        match self {
            Self::All => true,
            Self::Local => !asks_remote && !sets_up,
            Self::RemoteOf(rig) => asks_remote && row.rig.as_ref() == Some(rig),
            Self::SetUpOf(rig) => sets_up && row.rig.as_ref() == Some(rig),
        }
    }
}

/// Runs every due effect until none is left that can run now. Returns how many were done.
pub fn run_all(town: &Town, scope: Scope<'_>, observed: &mut Observed) -> Result<usize> {
    let mut done = 0;
    loop {
        let before = done;
        let rows = town.ledger.read(|view| view.open_effects().map_err(Error::from))?;
        for row in rows.iter().filter(|row| !row.gave_up && scope.holds(row)) {
            if is_due(town, row, observed)? && run(town, row)? {
                done += 1;
            }
        }
        if done == before {
            return Ok(done);
        }
    }
}

/// Runs one effect now and ignores its pauses.
pub(crate) fn run_one(town: &Town, id: i64) -> Result<()> {
    let Some(row) = town.ledger.read(|view| view.open_effect(id).map_err(Error::from))? else { return Ok(()) };
    let held = town.lock(&lane(&row.effect, row.rig.as_ref())?)?;
    attempt_run(town, &row, &held)
}

/// Restarts effects that were given up.
pub fn retry_given_up(town: &Town, caller: &Caller) -> Result<usize> {
    let count = town.ledger.write(&caller.name(), "retry effects", |tx| {
        for condition in tx.conditions()?.iter().filter(|c| c.kind == ConditionKind::Effect) {
            tx.clear(ConditionKind::Effect, &condition.subject)?;
        }
        tx.retry_effects().map_err(Error::from)
    })?;
    town.wake();
    Ok(count)
}

/// Returns the lane of an effect. Writers of a repository, users of a remote and acts on one session each share a lane.
fn lane(effect: &Effect, rig: Option<&RigName>) -> Result<Lane> {
    let rig = || {
        let corrupt = LedgerError::Corrupt { what: "an effect", text: "it names no rig".to_owned() };
        rig.cloned().ok_or(Error::Ledger(corrupt))
    };
    Ok(match effect {
        Effect::FetchBase { .. } | Effect::Fetch { .. } | Effect::Land { .. } => Lane::Remote(rig()?),
        Effect::AddWorktree { .. }
        | Effect::Snapshot { .. }
        | Effect::ArchiveWorktree { .. }
        | Effect::PinMr { .. }
        | Effect::DropBranch { .. }
        | Effect::ReadTrunk { .. }
        | Effect::AddCrew { .. }
        | Effect::ArchiveCrew { .. }
        | Effect::UndoRef { .. } => Lane::Repo(rig()?),
        Effect::SetUp { attempt } => Lane::SetUp(*attempt),
        Effect::StartSession { incarnation } | Effect::EndSession { incarnation } => Lane::Session(incarnation.clone()),
    })
}

/// Whether an effect is due: its delay and the pause after its last failure are over, and its precondition holds.
fn is_due(town: &Town, row: &EffectRow, observed: &mut Observed) -> Result<bool> {
    // Landings belong to the refinery's round, which holds the other locks that they need.
    if matches!(row.effect, Effect::Land { .. }) {
        return Ok(false);
    }
    let key = format!("effect-{}-{}", row.id, row.tries);
    let age = observed.age(&key);
    let pause = match (row.tries, after_failure(row.tries)) {
        (0, _) => Duration::ZERO,
        _ if observed.is_impatient() => Duration::ZERO,
        (_, AfterFailure::RetryAfter(pause)) => pause,
        (_, AfterFailure::GiveUp) => return Ok(false),
    };
    if age < pause {
        return Ok(false);
    }
    // A session that has already ended needs no delay.
    let delay_over = age >= row.delay || session_is_over(town, &row.effect)?;
    Ok(delay_over && preconditions_hold(town, row, observed)?)
}

fn session_is_over(town: &Town, effect: &Effect) -> Result<bool> {
    let Effect::EndSession { incarnation } = effect else { return Ok(false) };
    let incarnation = town.ledger.read(|view| view.incarnation(incarnation).map_err(Error::from))?;
    if incarnation.as_ref().is_none_or(|i| i.ended_at.is_some()) {
        return Ok(true);
    }
    // A session with nothing left to do, whose turn has ended, need not wait for the rest of the delay.
    Ok(incarnation.map(|i| marks::marks(town, &i.id)).transpose()?.is_some_and(|marks| marks.is_at_rest()))
}

fn preconditions_hold(town: &Town, row: &EffectRow, observed: &mut Observed) -> Result<bool> {
    let holds = town.ledger.read(|view| {
        if wait(view, row, town.settings.max_polecats)?.is_some() {
            return Ok(false);
        }
        Ok::<_, Error>(match &row.effect {
            // By then no process is in the worktree, and that is recorded.
            Effect::ArchiveWorktree { attempt } => {
                view.incarnations_of(*attempt)?.iter().all(|i| i.ended_at.is_some())
                    && view.open_effects()?.iter().all(|other| other.id >= row.id || !makes_worktree(other, *attempt))
            }
            Effect::ArchiveCrew { crew } => view.live_incarnations_of_agent(crew)?.is_empty(),
            // Git does not delete a branch that a worktree has checked out.
            Effect::DropBranch { attempt } => view.attempt(*attempt)?.is_none_or(|a| a.archived_at.is_some()),
            _ => true,
        })
    })?;
    match &row.effect {
        Effect::StartSession { incarnation } if holds => readiness::may_start(town, incarnation, observed),
        _ => Ok(holds),
    }
}

fn run(town: &Town, row: &EffectRow) -> Result<bool> {
    let Some(held) = town.try_lock(&lane(&row.effect, row.rig.as_ref())?)? else { return Ok(false) };
    match attempt_run(town, row, &held) {
        Ok(()) => Ok(true),
        Err(error @ Error::Ledger(_)) => Err(error),
        // The failure is recorded with the effect. The next patrol continues with the others.
        Err(_) => Ok(false),
    }
}

fn attempt_run(town: &Town, row: &EffectRow, held: &Held) -> Result<()> {
    let name = runner().name();
    // The fence protects against other processes, which a power failure ends too, so it need not survive one.
    let begun = town.ledger.write_for_now(&name, "begin effect", |tx| tx.begin_run(row.id).map_err(Error::from))?;
    begun.map_or(Ok(()), |run| traced(row, || run_begun(town, row, run, held)))
}

/// Performs an effect under its fence, and records what came of it.
fn run_begun(town: &Town, row: &EffectRow, run: i64, held: &Held) -> Result<()> {
    town.outside.faults.at(&format!("effect:{}:before", row.effect.kind()));
    let result = perform(town, row, held);
    town.outside.faults.at(&format!("effect:{}:after", row.effect.kind()));
    match result {
        Ok(outcome) => town.ledger.write(&runner().name(), row.effect.kind(), |tx| {
            if tx.finish_run(row, run)? { conclude(tx, row, outcome, town.settings.max_polecats) } else { Ok(()) }
        }),
        Err(error) => {
            record_failure(town, row, run, &error)?;
            Err(error)
        }
    }
}

fn record_failure(town: &Town, row: &EffectRow, run: i64, error: &Error) -> Result<()> {
    // A link that was planted does not go away by itself.
    let is_led = matches!(error, Error::World(WorldError::Led { .. }));
    let give_up = is_led || after_failure(row.tries + 1) == AfterFailure::GiveUp;
    town.ledger.write(&runner().name(), "fail effect", |tx| {
        let text = chain(error);
        tx.fail_run(row, run, &text, give_up)?;
        if give_up {
            tx.raise(ConditionKind::Effect, &row.id.to_string(), &format!("{}: {text}", row.effect.kind()))?;
        }
        Ok(())
    })
}
