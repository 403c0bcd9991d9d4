//! Performs `gt up` and `gt down`: records the desired state and waits for it.

use std::collections::BTreeMap;
use std::time::Duration;

use gt_ledger::Incarnation;
use gt_model::condition::ConditionKind;
use gt_model::id::{BeadId, IncarnationId};
use gt_model::moment::Stage;
use gt_world::SessionState;
use serde::Serialize;

use crate::admission::usage;
use crate::agents::marks;
use crate::agents::readiness;
use crate::sync;
use crate::town::desired::{self, BUILD_KEY, DOWN, DRAINING, as_counted, set_desired};
use crate::town::error::{Error, Result};
use crate::town::shipped;
use crate::town::{Caller, Town};

/// Interval of the checks while draining.
const DRAIN_LOOK: Duration = Duration::from_millis(200);

/// Time that the deacon has to finish its current act.
const DEACON_DEADLINE: Duration = Duration::from_mins(2);

/// Time that boot and deacon of a former town have to notice that it is gone, and to exit.
const FORMER_DEADLINE: Duration = Duration::from_secs(30);

/// Time that a session's processes have to end after a polite signal.
const END_GRACE: Duration = Duration::from_secs(5);

/// Processes that `gt down` ended.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ended {
    /// Whether a deacon was running.
    pub deacon: bool,
    /// Sessions with their beads (a standing agent has none). The next `gt up` starts them again.
    pub sessions: Vec<EndedSession>,
}

/// An ended session and the bead that it worked on.
pub type EndedSession = (IncarnationId, Option<BeadId>);

/// Records that the town should be up, run by this build of gt. A deacon of another build then exits.
pub fn want_up(town: &Town, caller: &Caller) -> Result<()> {
    set_desired(town, caller, "up")?;
    sync::make(town)?;
    shipped::refresh(town)?;
    town.ledger.write(&caller.name(), "up", |tx| {
        tx.clear(ConditionKind::Deacon, "town")?;
        if tx.meta(BUILD_KEY)?.as_deref() != Some(&town.outside.build) {
            tx.set_meta(BUILD_KEY, &town.outside.build)?;
            tx.event("build-changed", &town.outside.build, None, None, None)?;
        }
        Ok::<_, Error>(())
    })
}

/// Whether boot and deacon of another build are still running. They exit by themselves after [`want_up`].
pub fn wait_for_older(town: &Town, older: bool) -> Result<()> {
    if !older {
        return Ok(());
    }
    town.wake();
    wait_for(town, DEACON_DEADLINE, "the older deacon did not stop", || Ok(!town.deacon_runs()? && !town.boot_runs()?))
}

/// Returns daemons of a town that was at this path before, or of this town at its previous path. They exit by themselves within
/// seconds. Those of an older gt do not, and would act on the town that is here now.
pub(crate) fn former_daemons(town: &Town) -> Vec<i32> {
    let locks = [town.layout.boot_lock(), town.layout.deacon_lock()];
    town.world().sessions().former_daemons(&town.layout.root, &locks)
}

/// Waits until no process of a former town is left. Tells `tell` about them first.
pub fn wait_for_former(town: &Town, tell: &mut dyn FnMut(&[i32])) -> Result<()> {
    let former = former_daemons(town);
    if former.is_empty() {
        return Ok(());
    }
    tell(&former);
    let waited = wait_for(town, FORMER_DEADLINE, "", || Ok(former_daemons(town).is_empty()));
    match waited {
        Err(Error::TimedOut { .. }) => Err(Error::NeedsPerson {
            what: format!("boot or deacon of another town at this path still run: {}", words(&former)),
            hint: format!("look at them, end them (kill {}), then: gt up", words(&former)),
        }),
        other => other,
    }
}

fn words(pids: &[i32]) -> String {
    pids.iter().map(i32::to_string).collect::<Vec<_>>().join(" ")
}

/// Whether another build of gt started the running daemons.
pub fn is_older(town: &Town) -> Result<bool> {
    let build = desired::build(town)?;
    Ok((town.deacon_runs()? || town.boot_runs()?) && build.is_some_and(|build| build != town.outside.build))
}

/// Waits until the deacon runs. Returns an error if it does not within the deadline.
pub fn wait_for_deacon(town: &Town, deadline: Duration) -> Result<()> {
    wait_for(town, deadline, "the deacon did not start", || town.deacon_runs())
}

fn wait_for(town: &Town, deadline: Duration, otherwise: &str, is_so: impl Fn() -> Result<bool>) -> Result<()> {
    let clock = town.world().clock();
    let start = clock.monotonic();
    while !is_so()? {
        if clock.monotonic() - start > deadline {
            return Err(Error::TimedOut { what: otherwise.to_owned(), hint: "gt log --deacon".to_owned() });
        }
        clock.pause(Duration::from_millis(10));
    }
    Ok(())
}

/// Drains the town: each worker finishes its current step and each standing agent its turn, then its session ends. Nothing new
/// starts. `tell` receives the sessions that are still awaited. Returns when no session is left; if the caller stops earlier, the
/// town stays draining.
pub fn drain(town: &Town, caller: &Caller, tell: &mut dyn FnMut(&[Incarnation])) -> Result<Vec<EndedSession>> {
    set_desired(town, caller, DRAINING)?;
    // Count steps instead of time. A clock that jumps must neither cut a step short nor make the wait endless.
    let mut closed_before = BTreeMap::new();
    let mut ended = Vec::new();
    loop {
        let mut waiting = Vec::new();
        for incarnation in live(town)? {
            if is_at_rest(town, &incarnation, &mut closed_before)? {
                // If a session can't be ended, don't wait for it. `down` reports it.
                ended.extend(end_session(town, caller, &incarnation).unwrap_or_default());
            } else {
                waiting.push(incarnation);
            }
        }
        if waiting.is_empty() || !town.deacon_runs()? {
            return Ok(ended);
        }
        tell(&waiting);
        town.world().clock().pause(DRAIN_LOOK);
    }
}

/// Whether a session can end without interrupting a step: it closed one since, released its hook, has not begun, or is stopped at
/// a limit. A standing agent has no steps; its turn must be over.
fn is_at_rest(
    town: &Town,
    incarnation: &Incarnation,
    closed_before: &mut BTreeMap<IncarnationId, usize>,
) -> Result<bool> {
    let stage = marks::marks(town, &incarnation.id)?.stage();
    let Some(attempt) = incarnation.attempt() else {
        return Ok(!matches!(stage, Stage::Working | Stage::InTool(_)));
    };
    let known = town.ledger.read(|view| view.attempt(attempt).map_err(Error::from))?;
    // A session without a first moment has no step in progress and may never have one.
    let tells = known.as_ref().is_some_and(|a| town.agent(&a.agent).is_ok_and(|preset| preset.client.is_some()));
    if stage.told().is_some() || tells && !readiness::has_started(town, &incarnation.id) {
        return Ok(true);
    }
    town.ledger.read(|view| {
        let hooked = view.attempt(attempt)?.is_some_and(|attempt| attempt.is_hooked());
        let steps = view.steps(attempt)?;
        let closed = steps.iter().filter(|step| step.done_at.is_some()).count();
        Ok(!hooked || closed > *closed_before.entry(incarnation.id.clone()).or_insert(closed))
    })
}

/// Takes the town down: first the deacon, then every session. Proves that nothing is left.
pub fn down(town: &Town, caller: &Caller) -> Result<Ended> {
    set_desired(town, caller, DOWN)?;
    let mut ended = Ended { deacon: town.deacon_runs()? || town.boot_runs()?, ..Ended::default() };
    town.wake();
    wait_for(town, DEACON_DEADLINE, "boot and deacon did not stop", || Ok(!town.deacon_runs()? && !town.boot_runs()?))?;
    let mut refusals = BTreeMap::new();
    for incarnation in live(town)? {
        // If one can't be ended, still end the others.
        match end_session(town, caller, &incarnation) {
            Ok(session) => ended.sessions.extend(session),
            Err(error) => _ = refusals.insert(incarnation.id.0, error.to_string()),
        }
    }
    let said = |id: String| refusals.get(&id).map_or_else(|| id.clone(), |why| format!("{id} ({why})"));
    let left: Vec<String> = live(town)?.into_iter().map(|i| said(i.id.0)).collect();
    if left.is_empty() {
        town.world().sessions().close_terminals(&town.layout.root)?;
        return Ok(ended);
    }
    Err(Error::NeedsPerson {
        what: format!("sessions are left: {}", left.join(", ")),
        hint: "run gt down again; if they still run, gt status names their processes".to_owned(),
    })
}

fn live(town: &Town) -> Result<Vec<Incarnation>> {
    let open = town.ledger.read(|view| view.live_incarnations().map_err(Error::from))?;
    let started = |i: &Incarnation| {
        Ok::<_, Error>(town.world().sessions().state(&town.layout.session(&i.id))? != SessionState::NotStarted)
    };
    open.into_iter().filter_map(|i| started(&i).map(|yes| yes.then_some(i)).transpose()).collect()
}

/// Ends a session and records its end. Returns it, unless it had already ended by itself.
fn end_session(town: &Town, caller: &Caller, incarnation: &Incarnation) -> Result<Option<EndedSession>> {
    let dir = town.layout.session(&incarnation.id);
    let by_itself = matches!(town.world().sessions().state(&dir)?, SessionState::Ended(_));
    town.world().sessions().end(&dir, END_GRACE)?;
    let SessionState::Ended(exit) = town.world().sessions().state(&dir)? else { return Ok(None) };
    let used = usage::at_end(town, incarnation);
    town.ledger.write(&caller.name(), "down", |tx| {
        usage::record_at_end(tx, incarnation, &used)?;
        let bead = tx.attempt_of(incarnation)?.map(|attempt| attempt.bead);
        tx.record_end(incarnation, bead.as_ref(), &as_counted(tx, exit)?)?;
        Ok((!by_itself).then(|| (incarnation.id.clone(), bead)))
    })
}
