//! Gathers the status of a town, and explains the state of a bead.

use gt_ledger::{Attempt, Blocker, Condition, EffectRow, View};
use gt_model::effect::Effect;
use gt_model::id::{BeadId, MrId};
use gt_world::SessionState;
use jiff::Timestamp;
use serde::Serialize;

use crate::admission::usage::{self, Cost};
use crate::agents::launch;
use crate::agents::marks;
use crate::moments::{self, HookTrouble};
use crate::patrol::needs::{self, Need};
use crate::patrol::standing::{self, AgentStatus};
use crate::refinery::queue::{self, QueueItem};
use crate::sync::{self, SyncStatus};
use crate::town::error::Result;
use crate::town::{Rig, Town};
use crate::view::answer::{self, Answer, Facts};
use crate::view::doing::{self, WorkerDoing};

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
    /// Its current activity.
    pub doing: WorkerDoing,
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
        doing: doing::doing(town, view, attempt)?,
        // Nothing depends on it, so ignore errors.
        refused: live.and_then(|newest| marks::refused(town, &newest.id).ok().flatten()),
        pid,
        since: attempt.opened_at,
    })
}

/// Explanation of a bead's state, with the facts that decide it.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// The state.
    pub answer: Answer,
    /// Whether effects for it wait and the deacon is down. `gt` makes the key `next` from this and the answer.
    #[serde(rename = "next")]
    pub is_stalled: bool,
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
        let blockers = view.blockers(now, &id)?;
        let conditions = view.conditions()?.into_iter().filter(|c| concerns(c, &id, &items)).collect::<Vec<_>>();
        let cost = usage::of_bead(town, view, &id)?;
        let facts = Facts { attempts: &attempts, items: &items, effects: &effects, conditions: &conditions };
        Ok(Why {
            answer: answer::answer(town, view, &bead, &facts, held.then_some(&blockers))?,
            is_stalled: !deacon && !effects.is_empty(),
            bead: id,
            blockers,
            attempts,
            merge_requests: items,
            effects,
            conditions,
            cost,
        })
    })
}

fn concerns(condition: &Condition, bead: &BeadId, items: &[QueueItem]) -> bool {
    condition.subject == bead.0 || items.iter().any(|item| item.mr.id.0 == condition.subject)
}
