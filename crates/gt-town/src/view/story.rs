//! Tells the story of anything with an id: what it is, what was tried, with what result, and what comes next.

use gt_ledger::{Attempt, AttemptOutcome, Blocker, Condition, Incarnation};
use gt_model::address::Address;
use gt_model::bead::{Bead, BeadType, DepType, Status};
use gt_model::convoy::{ConvoyState, MemberState};
use gt_model::id::{BeadId, IncarnationId, MrId};
use jiff::Timestamp;
use serde::Serialize;

use crate::admission::usage::{self, Cost};
use crate::agents::sessions::{self, Session};
use crate::patrol::standing::{self, AgentStatus};
use crate::refinery::queue::{self, QueueItem};
use crate::refinery::review;
use crate::town::Town;
use crate::town::error::{Error, Result};
use crate::view::answer::Answer;
use crate::view::doing::WorkerDoing;
use crate::view::observe::{self, RigStatus};
use crate::view::polecat::{self, PolecatDetail};
use crate::work::beads;
use crate::work::causes;
use crate::work::convoy;
use crate::work::own_work;

/// The thing that an id names, with its story.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Story {
    /// A bead to work on.
    Bead(Box<BeadStory>),
    /// A convoy.
    Convoy(ConvoyStory),
    /// A merge request.
    MergeRequest(Box<review::Shown>),
    /// A worker with all its attempts.
    Worker {
        /// Attempts, oldest first.
        attempts: Vec<PolecatDetail>,
    },
    /// The mayor, or a crew member.
    Agent(Box<AgentStatus>),
    /// A session.
    Session(Box<Session>),
    /// A rig.
    Rig(Box<RigStory>),
}

/// A bead's story.
#[derive(Clone, Debug, Serialize)]
pub struct BeadStory {
    /// Its id.
    pub id: BeadId,
    /// Its title.
    pub title: String,
    /// Its status.
    pub status: Status,
    /// Type of the bead.
    pub issue_type: BeadType,
    /// 0 (critical) to 4.
    pub priority: i64,
    /// Creator.
    pub created_by: Option<String>,
    /// Time of creation (RFC 3339).
    pub created_at: Timestamp,
    /// Task description.
    pub description: String,
    /// Condition under which it is done.
    pub acceptance_criteria: String,
    /// The convoys that track it.
    pub convoys: Vec<BeadId>,
    /// Beads that block it.
    pub blockers: Vec<Blocker>,
    /// Attempts, oldest first.
    pub attempts: Vec<AttemptStory>,
    /// Submissions, oldest first.
    pub merge_requests: Vec<review::Shown>,
    /// Current conditions on it.
    pub conditions: Vec<Condition>,
    /// Usage and cost so far.
    pub cost: Cost,
    /// Its state.
    pub answer: Answer,
    /// Whether effects for it wait and the deacon is down. `gt` makes the key `next` from this and the answer.
    #[serde(rename = "next")]
    pub is_stalled: bool,
}

/// State of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptState {
    /// It is live, or its worktree still exists: the current activity of its worker.
    Present(WorkerDoing),
    /// It has ended with this outcome.
    Ended(AttemptOutcome),
    /// It has ended with an outcome that this gt does not know.
    Unknown,
}

/// One attempt in a bead's story.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptStory {
    /// Number of the attempt.
    pub number: u32,
    /// Address of the worker.
    pub worker: String,
    /// Kind of agent.
    pub agent: String,
    /// Its outcome or current activity.
    pub state: AttemptState,
    /// Start of the attempt.
    pub opened_at: Timestamp,
    /// End of the attempt.
    pub ended_at: Option<Timestamp>,
    /// Reason for this attempt: how the previous one ended.
    pub why: Option<String>,
    /// Number of commits on its branch, if still known.
    pub commits: Option<u64>,
    /// Number of closed steps, and of all steps.
    pub steps: (usize, usize),
    /// How its sessions ended. Consecutive equal ends share one entry.
    pub ends: Vec<String>,
    /// Its sessions.
    pub sessions: Vec<Incarnation>,
    /// Ref of its snapshot, while it exists.
    pub snapshot: Option<String>,
    /// Usage and cost.
    pub cost: Cost,
}

/// A convoy's story.
#[derive(Clone, Debug, Serialize)]
pub struct ConvoyStory {
    /// Its id.
    pub id: BeadId,
    /// Its title.
    pub title: String,
    /// State.
    pub state: ConvoyState,
    /// Whether it has landed.
    pub landed: bool,
    /// Its beads with their states.
    pub members: Vec<MemberStory>,
}

/// A bead in a convoy's story.
#[derive(Clone, Debug, Serialize)]
pub struct MemberStory {
    /// Its id.
    pub id: BeadId,
    /// Its title.
    pub title: String,
    /// Its status.
    pub status: Status,
    /// Meaning of that status for the convoy.
    pub state: MemberState,
    /// Its state.
    pub answer: Answer,
    /// Whether effects for it wait and the deacon is down. `gt` makes the key `next` from this and the answer.
    #[serde(rename = "next")]
    pub is_stalled: bool,
}

/// A rig's story.
#[derive(Clone, Debug, Serialize)]
pub struct RigStory {
    /// Its status.
    #[serde(flatten)]
    pub rig: RigStatus,
    /// Conditions on it.
    pub conditions: Vec<Condition>,
    /// Workers with a bead on their hook, and that bead.
    pub workers: Vec<(String, BeadId)>,
    /// Its unfinished merge requests.
    pub queue: Vec<QueueItem>,
}

/// Returns the story of a rig, worker, agent, session, merge request, convoy or bead.
pub fn tell(town: &Town, text: &str) -> Result<Story> {
    match town.rig(text) {
        Ok(rig) => return rig_story(town, &rig).map(|story| Story::Rig(Box::new(story))),
        Err(Error::UnknownRig { .. }) => {}
        Err(error) => return Err(error),
    }
    if let Some(address) = standing_agent(text) {
        return Ok(Story::Agent(Box::new(standing::status(town, &address)?)));
    }
    if text.contains('/') {
        return Ok(Story::Worker { attempts: polecat::show(town, text)? });
    }
    let (is_session, is_mr) = town.ledger.read(|view| {
        let session = view.incarnation(&IncarnationId::from(text))?.is_some();
        Ok::<_, Error>((session, view.merge_request(&MrId::from(text))?.is_some()))
    })?;
    if is_session {
        return Ok(Story::Session(Box::new(sessions::find(town, text)?)));
    }
    if is_mr {
        return Ok(Story::MergeRequest(Box::new(review::show(town, text)?)));
    }
    let bead = town.ledger.read(|view| beads::require(view, &beads::resolve(view, text)?))?;
    if bead.issue_type == BeadType::Convoy {
        return Ok(Story::Convoy(convoy_story(town, &bead.id)?));
    }
    Ok(Story::Bead(Box::new(bead_story(town, &bead)?)))
}

/// Returns the address of the mayor or a crew member if the text is one.
pub fn standing_agent(text: &str) -> Option<Address> {
    let text = if text == "mayor" { "mayor/" } else { text };
    Address::parse(text).ok().filter(|address| matches!(address, Address::Mayor | Address::Crew(..)))
}

fn bead_story(town: &Town, bead: &Bead) -> Result<BeadStory> {
    let why = observe::why(town, &bead.id)?;
    let convoys = town.ledger.read(|view| {
        let tracks = view.dependents(&bead.id)?.into_iter().filter(|dep| dep.kind == DepType::Tracks);
        Ok::<_, Error>(tracks.map(|dep| dep.issue_id).collect())
    })?;
    let details = if why.attempts.is_empty() { Vec::new() } else { polecat::show(town, bead.id.as_str())? };
    let attempts = why.attempts.iter().zip(details).map(|(attempt, detail)| attempt_story(town, attempt, detail));
    Ok(BeadStory {
        id: bead.id.clone(),
        title: bead.title.clone(),
        status: bead.status.clone(),
        issue_type: bead.issue_type.clone(),
        priority: bead.priority,
        created_by: bead.created_by.clone(),
        created_at: bead.created_at.at,
        description: bead.description.clone(),
        acceptance_criteria: bead.acceptance_criteria.clone(),
        convoys,
        attempts: attempts.collect::<Result<_>>()?,
        merge_requests: review::all_of(town, &bead.id)?,
        blockers: why.blockers,
        cost: why.cost,
        conditions: why.conditions,
        answer: why.answer,
        is_stalled: why.is_stalled,
    })
}

fn attempt_story(town: &Town, attempt: &Attempt, detail: PolecatDetail) -> Result<AttemptStory> {
    let PolecatDetail { polecat, incarnations, .. } = detail;
    let (steps, cost) = town
        .ledger
        .read(|view| Ok::<_, Error>((view.steps(attempt.id)?, usage::of_attempt(town, view, attempt.id)?)))?;
    let head = attempt.head.clone().or(polecat.branch_at);
    let repo = town.layout.rig(&attempt.rig).repo();
    let trunk = own_work::trunk_of(town, attempt)?;
    let count = |(base, head)| own_work::count(town, &repo, base, trunk.as_ref(), head);
    let state = match (polecat.doing, polecat.outcome) {
        (Some(doing), _) => AttemptState::Present(doing),
        (None, Some(outcome)) => AttemptState::Ended(outcome),
        (None, None) => AttemptState::Unknown,
    };
    Ok(AttemptStory {
        number: attempt.number,
        worker: polecat.worker,
        agent: attempt.agent.clone(),
        state,
        opened_at: polecat.opened_at,
        ended_at: polecat.ended_at,
        why: attempt.why.clone(),
        commits: attempt.base.as_ref().zip(head.as_ref()).and_then(count),
        steps: (steps.iter().filter(|step| step.done_at.is_some()).count(), steps.len()),
        ends: causes::each(&incarnations),
        sessions: incarnations,
        snapshot: polecat.snapshot,
        cost,
    })
}

/// Returns a convoy with the state of each of its beads.
pub fn convoy_story(town: &Town, id: &BeadId) -> Result<ConvoyStory> {
    let convoy = convoy::show(town, id)?;
    let member = |member: convoy::Member| {
        let why = observe::why(town, &member.id)?;
        Ok(MemberStory {
            id: member.id,
            title: member.title,
            status: member.status,
            state: member.state,
            answer: why.answer,
            is_stalled: why.is_stalled,
        })
    };
    let members = convoy.members.into_iter().map(member).collect::<Result<_>>()?;
    Ok(ConvoyStory { id: convoy.id, title: convoy.title, state: convoy.state, landed: convoy.landed, members })
}

fn rig_story(town: &Town, rig: &crate::town::Rig) -> Result<RigStory> {
    let name = rig.name().as_str();
    town.ledger.read(|view| {
        let about = |subject: &str| subject == name || subject.starts_with(&format!("{name}:"));
        let hooked = view.present_attempts()?.into_iter().filter(|a| a.is_hooked() && &a.rig == rig.name());
        Ok(RigStory {
            rig: observe::rig_status(town, rig),
            conditions: view.conditions()?.into_iter().filter(|condition| about(&condition.subject)).collect(),
            workers: hooked.map(|attempt| (attempt.address().to_string(), attempt.bead)).collect(),
            queue: queue::items(town, view, std::slice::from_ref(rig), None, false)?,
        })
    })
}
