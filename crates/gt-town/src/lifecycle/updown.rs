//! Up and down: what the town is meant to be, and making sure that it is.

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
use crate::town::{Caller, Town};

/// Time between two looks at what is still to be drained.
const DRAIN_LOOK: Duration = Duration::from_millis(200);

/// How long the deacon may take to finish what it is at.
const DEACON_DEADLINE: Duration = Duration::from_mins(2);

/// How long boot and deacon of a former town may take to notice that it is gone, and to end.
const FORMER_DEADLINE: Duration = Duration::from_secs(30);

/// How long a session's tree has to end politely.
const END_GRACE: Duration = Duration::from_secs(5);

/// What `gt down` ended.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ended {
    /// Whether a deacon ran.
    pub deacon: bool,
    /// Sessions, with the beads that they worked on (a standing agent's has none); the next `gt up` starts them again.
    pub sessions: Vec<EndedSession>,
}

/// A session that was ended, and the bead that it worked on.
pub type EndedSession = (IncarnationId, Option<BeadId>);

/// Says that the town is meant to be up, in the hands of this build of gt. A deacon of another build ends for it.
pub fn want_up(town: &Town, caller: &Caller) -> Result<()> {
    set_desired(town, caller, "up")?;
    sync::make(town)?;
    town.ledger.write(&caller.name(), "up", |tx| {
        tx.clear(ConditionKind::Deacon, "town")?;
        if tx.meta(BUILD_KEY)?.as_deref() != Some(&town.outside.build) {
            tx.set_meta(BUILD_KEY, &town.outside.build)?;
            tx.event("build-changed", &town.outside.build, None, None, None)?;
        }
        Ok::<_, Error>(())
    })
}

/// Whether boot and deacon of another build are still there, which end by themselves after [`want_up`].
pub fn wait_for_older(town: &Town, older: bool) -> Result<()> {
    if !older {
        return Ok(());
    }
    town.wake();
    wait_for(town, DEACON_DEADLINE, "the older deacon did not stop", || Ok(!town.deacon_runs()? && !town.boot_runs()?))
}

/// Processes of a town that was at this path before, or of this one at the path that it was moved from. They end by
/// themselves within seconds; those of an older gt do not, and would act on what is here now.
pub(crate) fn former_daemons(town: &Town) -> Vec<i32> {
    let locks = [town.layout.boot_lock(), town.layout.deacon_lock()];
    town.world().sessions().former_daemons(&town.layout.root, &locks)
}

/// Waits until no process of a former town is left; `tell` hears of them first.
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

/// Whether what runs was started by another build of gt.
pub fn is_older(town: &Town) -> Result<bool> {
    let build = desired::build(town)?;
    Ok((town.deacon_runs()? || town.boot_runs()?) && build.is_some_and(|build| build != town.outside.build))
}

/// Waits until the deacon runs; an error where it does not within the deadline.
pub fn wait_for_deacon(town: &Town, deadline: Duration) -> Result<()> {
    wait_for(town, deadline, "the deacon did not start", || town.deacon_runs())
}

fn wait_for(town: &Town, deadline: Duration, otherwise: &str, is_so: impl Fn() -> Result<bool>) -> Result<()> {
    let clock = town.world().clock();
    let start = clock.monotonic();
    while !is_so()? {
        if clock.monotonic() - start > deadline {
            let hint = format!("see {}", town.layout.logs().join("deacon.log").display());
            return Err(Error::TimedOut { what: otherwise.to_owned(), hint });
        }
        clock.pause(Duration::from_millis(10));
    }
    Ok(())
}

/// Lets every worker finish the step that it is at, and every standing agent its turn, then ends its session; begins nothing new. `tell` hears what is
/// still waited for. Returns when no session is left; whoever ends it earlier leaves the town draining.
pub fn drain(town: &Town, caller: &Caller, tell: &mut dyn FnMut(&[Incarnation])) -> Result<Vec<EndedSession>> {
    set_desired(town, caller, DRAINING)?;
    // Steps are counted, not timed: a clock that jumps must not cut one short or wait for ever.
    let mut closed_before = BTreeMap::new();
    let mut ended = Vec::new();
    loop {
        let mut waiting = Vec::new();
        for incarnation in live(town)? {
            if is_at_rest(town, &incarnation, &mut closed_before)? {
                // One that can't be ended keeps nobody waiting here: `down` says so.
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

/// Whether a session can be ended without cutting a step short: it closed one since, has let go of its hook, has not
/// begun, or is at a limit, where nothing goes on. A standing agent has no steps: its turn must be over.
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
    // One whose first moment was not seen has no step under way, and may never have one.
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

/// Takes the town down: the deacon, then every session. Proves that nothing is left.
pub fn down(town: &Town, caller: &Caller) -> Result<Ended> {
    set_desired(town, caller, DOWN)?;
    let mut ended = Ended { deacon: town.deacon_runs()? || town.boot_runs()?, ..Ended::default() };
    town.wake();
    wait_for(town, DEACON_DEADLINE, "boot and deacon did not stop", || Ok(!town.deacon_runs()? && !town.boot_runs()?))?;
    let mut refusals = BTreeMap::new();
    for incarnation in live(town)? {
        // One that can't be ended must not keep the others running.
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
        hint: "gt down again; if they stay, gt status names their processes".to_owned(),
    })
}

fn live(town: &Town) -> Result<Vec<Incarnation>> {
    let open = town.ledger.read(|view| view.live_incarnations().map_err(Error::from))?;
    let started = |i: &Incarnation| {
        Ok::<_, Error>(town.world().sessions().state(&town.layout.session(&i.id))? != SessionState::NotStarted)
    };
    open.into_iter().filter_map(|i| started(&i).map(|yes| yes.then_some(i)).transpose()).collect()
}

/// Ends a session and records its end; answers with it, unless it had ended by itself.
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
