//! Gathers the status of a town, and explains the state of a bead.

use gt_ledger::{Attempt, Blocker, Condition, EffectRow, View};
use gt_model::bead::{Bead, Status};
use gt_model::condition::ConditionKind;
use gt_model::effect::Effect;
use gt_model::id::{BeadId, MrId};
use gt_model::queue::MrStatus;
use gt_model::words::times;
use gt_world::SessionState;
use jiff::Timestamp;
use serde::Serialize;

use crate::admission::usage::{self, Cost};
use crate::agents::marks;
use crate::agents::{launch, readiness};
use crate::effects;
use crate::moments::{self, HookTrouble};
use crate::patrol::needs::{self, Need};
use crate::patrol::standing::{self, AgentStatus};
use crate::refinery::queue::{self, QueueItem};
use crate::sync::{self, SyncStatus};
use crate::town::error::Result;
use crate::town::{Rig, Town};
use crate::work::hook;

/// Status of a town.
#[derive(Clone, Debug, Serialize)]
pub struct TownStatus {
    /// Whether the deacon is running.
    pub deacon: bool,
    /// Everything that needs a person; listed first.
    pub needs_you: Vec<Need>,
    /// Its rigs.
    pub rigs: Vec<RigStatus>,
    /// The mayor and crew.
    pub agents: Vec<AgentStatus>,
    /// Its workers.
    pub workers: Vec<WorkerStatus>,
    /// Its unfinished merge requests.
    pub queue: Vec<QueueItem>,
    /// Number of beads that could be slung now.
    pub ready: usize,
    /// Recent failures in calls of clients' hooks.
    pub hooks: Option<HookTrouble>,
    /// Where the ledger is shared.
    pub sync: SyncStatus,
}

/// Status of a rig.
#[derive(Clone, Debug, Serialize)]
pub struct RigStatus {
    /// Its name.
    pub name: String,
    /// Repository that work is pushed to.
    pub remote: String,
    /// Branch that work lands on.
    pub trunk: String,
    /// `ask` or `auto`.
    pub landing: String,
    /// Names of its gates.
    pub gates: Vec<String>,
    /// Its workers' kind and permissions.
    pub agents: Agents,
}

/// Kind and permissions of a rig's workers.
#[derive(Clone, Debug, Serialize)]
pub struct Agents {
    /// Kind of agent.
    pub kind: Option<String>,
    /// Permission mode: what they may do without asking.
    pub mode: &'static str,
    /// Reason for these permissions.
    pub why: &'static str,
}

/// Status of a worker.
#[derive(Clone, Debug, Serialize)]
pub struct WorkerStatus {
    /// Its address.
    pub worker: String,
    /// Bead that it works on.
    pub bead: BeadId,
    /// The bead's title.
    pub title: String,
    /// Number of the attempt.
    pub attempt: u32,
    /// Number of the incarnation.
    pub incarnation: u32,
    /// Description of its current activity.
    pub doing: String,
    /// Last refusal since it closed a step.
    pub refused: Option<String>,
    /// Process id of its agent while it runs.
    pub pid: Option<i32>,
    /// Start of its attempt.
    pub since: Timestamp,
}

/// Returns the town's status.
pub fn status(town: &Town) -> Result<TownStatus> {
    let rigs = town.rigs()?;
    let deacon = town.deacon_runs()?;
    let now = town.world().clock().now();
    let hooks = moments::trouble(town)?;
    let sync = sync::status(town)?;
    town.ledger.read(|view| {
        let attempts = view.present_attempts()?.into_iter().filter(|a| a.archived_at.is_none());
        let workers = attempts.map(|attempt| worker_status(town, view, &attempt)).collect::<Result<Vec<_>>>()?;
        let queue = queue::items(town, view, &rigs, None, false)?;
        Ok(TownStatus {
            deacon,
            needs_you: needs::all(view, &queue)?,
            rigs: rigs.iter().map(|rig| rig_status(town, rig)).collect(),
            agents: standing::all_in(town, view)?,
            workers,
            queue,
            ready: usize::try_from(view.count_ready(now, None)?).unwrap_or(usize::MAX),
            hooks,
            sync,
        })
    })
}

pub(crate) fn rig_status(town: &Town, rig: &Rig) -> RigStatus {
    RigStatus {
        name: rig.name().to_string(),
        remote: rig.row.remote.clone(),
        trunk: rig.row.trunk.clone(),
        landing: format!("{:?}", rig.settings.landing).to_lowercase(),
        gates: rig.settings.gate.iter().map(|gate| gate.name.clone()).collect(),
        agents: Agents {
            kind: rig.settings.agent.clone().or_else(|| town.settings.agent.clone()),
            mode: launch::mode(&rig.settings).as_str(),
            why: launch::why_mode(&rig.settings),
        },
    }
}

fn worker_status(town: &Town, view: &View<'_>, attempt: &Attempt) -> Result<WorkerStatus> {
    let incarnations = view.incarnations_of(attempt.id)?;
    let live = incarnations.last().filter(|newest| newest.ended_at.is_none() && attempt.is_hooked());
    let state = live.map(|newest| town.world().sessions().state(&town.layout.session(&newest.id))).transpose()?;
    let pid = match state {
        Some(SessionState::Running { agent, .. }) => Some(agent.pid),
        _ => None,
    };
    let title = view.bead(&attempt.bead)?.map(|bead| bead.title).unwrap_or_default();
    Ok(WorkerStatus {
        worker: attempt.address().to_string(),
        bead: attempt.bead.clone(),
        title,
        attempt: attempt.number,
        incarnation: incarnations.last().map_or(0, |i| i.number),
        doing: doing(town, view, attempt)?,
        // Nothing depends on it, so ignore errors.
        refused: live.and_then(|newest| marks::refused(town, &newest.id).ok().flatten()),
        pid,
        since: attempt.opened_at,
    })
}

/// Describes an attempt's current activity from the facts.
pub(crate) fn doing(town: &Town, view: &View<'_>, attempt: &Attempt) -> Result<String> {
    if attempt.submitted_at.is_some() || attempt.ended_at.is_some() {
        return Ok("submitted; session and worktree are being removed".to_owned());
    }
    let Some(newest) = view.incarnations_of(attempt.id)?.pop() else {
        let effects = view.open_effects()?;
        let Some(row) = effects.iter().find(|row| row.bead.as_ref() == Some(&attempt.bead)) else {
            return Ok("waiting to be started".to_owned());
        };
        let wait = if row.last_error.is_some() { None } else { effects::wait(view, row, town.settings.max_polecats)? };
        return Ok(wait.map_or_else(|| waiting_for(row), |wait| wait.to_string()));
    };
    if let Some(why) = readiness::held(view, attempt)? {
        return Ok(why);
    }
    let steps = view.steps(attempt.id)?;
    let at = hook::current(&steps).map_or("all steps done".to_owned(), |step| {
        format!("step {}/{} {}", step.position + 1, steps.len(), step.step.id)
    });
    Ok(match town.world().sessions().state(&town.layout.session(&newest.id))? {
        _ if newest.ended_at.is_some() => format!("ended, to be started again; at {at}"),
        SessionState::NotStarted => "session to be started".to_owned(),
        SessionState::Running { .. } => at,
        SessionState::Ended(_) => format!("has just ended; at {at}"),
        SessionState::Unknown(why) => format!("unknown: {why}"),
    })
}

pub(crate) fn waiting_for(row: &EffectRow) -> String {
    match &row.last_error {
        Some(error) => format!("{}, tried {}: {error}", row.effect.words(), times(row.tries)),
        None => format!("waiting for its turn: {}", row.effect.words()),
    }
}

/// Explanation of a bead's state, with the facts that decide it.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// Answer in one line.
    pub answer: String,
    /// Command or act that helps, if there is one.
    pub next: Option<String>,
    /// The bead.
    pub bead: BeadId,
    /// Beads that block it.
    pub blockers: Vec<Blocker>,
    /// Its attempts.
    pub attempts: Vec<Attempt>,
    /// Its merge requests.
    pub merge_requests: Vec<QueueItem>,
    /// Open effects for it.
    pub effects: Vec<EffectRow>,
    /// Conditions on it.
    pub conditions: Vec<Condition>,
    /// Usage and cost of all work on it so far.
    pub cost: Cost,
}

/// Explains a bead, or the bead of a merge request.
pub fn why(town: &Town, id: &BeadId) -> Result<Why> {
    let rigs = town.rigs()?;
    let deacon = town.deacon_runs()?;
    let now = town.world().clock().now();
    town.ledger.read(|view| {
        let mr = view.merge_request(&MrId(id.0.clone()))?;
        let id = mr.map_or_else(|| id.clone(), |mr| mr.bead);
        let bead = crate::work::beads::require(view, &id)?;
        let attempts = view.attempts_on(&id)?;
        let items = queue::items(town, view, &rigs, None, true)?
            .into_iter()
            .filter(|item| item.mr.bead == id)
            .collect::<Vec<_>>();
        let lands = |row: &EffectRow| match &row.effect {
            Effect::Land { landing } => items.iter().any(|item| item.mr.landing == Some(*landing)),
            _ => false,
        };
        let open = view.open_effects()?.into_iter();
        let effects: Vec<_> = open.filter(|row| row.bead.as_ref() == Some(&id) || lands(row)).collect();
        let held = view.is_held(now, &id)?;
        let blockers = view.blockers(&id)?;
        let conditions = view.conditions()?.into_iter().filter(|c| concerns(c, &id, &items)).collect::<Vec<_>>();
        let cost = usage::of_bead(town, view, &id)?;
        let mut why = Why {
            answer: String::new(),
            next: None,
            bead: id,
            blockers,
            attempts,
            merge_requests: items,
            effects,
            conditions,
            cost,
        };
        (why.answer, why.next) = answer(town, view, &bead, &why, held)?;
        if why.next.is_none() && !deacon && !why.effects.is_empty() {
            why.next = Some("gt up".to_owned());
        }
        Ok(why)
    })
}

fn concerns(condition: &Condition, bead: &BeadId, items: &[QueueItem]) -> bool {
    condition.subject == bead.0 || items.iter().any(|item| item.mr.id.0 == condition.subject)
}

fn answer(town: &Town, view: &View<'_>, bead: &Bead, why: &Why, held: bool) -> Result<(String, Option<String>)> {
    let id = &bead.id;
    if bead.status == Status::Closed {
        if let Some(lost) = why.conditions.iter().find(|condition| condition.kind == ConditionKind::Dropped) {
            return Ok((format!("{id} is closed, but {}", lost.text), None));
        }
        let reason = bead.close_reason.as_deref().unwrap_or("no reason was given");
        return Ok((format!("{id} is closed: {reason}"), None));
    }
    if bead.status == Status::Tombstone {
        return Ok((format!("{id} is deleted"), Some(format!("gt bead reopen {id}"))));
    }
    if let Some(attempt) = why.attempts.iter().find(|a| a.is_hooked()) {
        return Ok((format!("{id} is on the hook of {}: {}", attempt.address(), doing(town, view, attempt)?), None));
    }
    if let Some(item) = why.merge_requests.iter().find(|item| item.mr.ended_at.is_none()) {
        return Ok(queue_answer(item, &why.effects));
    }
    if let Some(condition) = why.conditions.iter().find(|c| c.kind == ConditionKind::Quarantine) {
        let next = format!("look at it, then: gt sling {id} <rig>");
        return Ok((format!("{id} waits for a person: {}", condition.text), Some(next)));
    }
    if bead.status != Status::Open {
        return Ok((format!("{id} is {}", bead.status), Some(format!("gt bead update {id} --status open"))));
    }
    if held {
        let by: Vec<&str> = why.blockers.iter().map(|b| b.id.as_str()).collect();
        return Ok((format!("{id} waits for {}", by.join(", ")), None));
    }
    if !bead.issue_type.is_work() {
        return Ok((format!("{id} is a {}: workers do not work on those", bead.issue_type), None));
    }
    Ok((format!("{id} is ready"), Some(format!("gt sling {id} <rig>"))))
}

fn queue_answer(item: &QueueItem, effects: &[EffectRow]) -> (String, Option<String>) {
    let id = &item.mr.id;
    let landing = effects.iter().find(|row| matches!(row.effect, Effect::Land { .. }));
    match &item.status {
        MrStatus::Waiting => match &item.gating {
            Some(running) => {
                let next = format!("gt mq log {id} --follow");
                (format!("{id} is gated: {}", running.words(&item.mr.id)), Some(next))
            }
            None => (format!("{id} waits for its turn in the merge queue of {}", item.mr.rig), None),
        },
        MrStatus::NeedsApproval => {
            let next = format!("gt mq diff {id}, then gt mq approve {id}");
            let why = item.mr.reason().map(|why| format!(": {why}")).unwrap_or_default();
            (format!("{id} is green and waits for a person{why}"), Some(next))
        }
        MrStatus::Held(why) => (format!("{id} is held: {why}"), Some(format!("gt mq retry {id}"))),
        MrStatus::Empty(why) | MrStatus::MaybeLanded(why) => {
            (format!("{id} waits for a person to say whether it has landed: {why}"), Some(format!("gt mq show {id}")))
        }
        MrStatus::Landing if landing.is_some_and(|row| row.last_error.is_some()) => {
            let next = "gt refinery run --once tries it now".to_owned();
            (format!("{id} is landing: {}", landing.map(waiting_for).unwrap_or_default()), Some(next))
        }
        MrStatus::Landing => (format!("{id} is landing"), None),
        MrStatus::Ended(end) => (format!("{id} is over: {}", end.as_str()), None),
    }
}
