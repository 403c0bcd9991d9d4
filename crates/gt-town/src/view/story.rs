//! The story of anything that has an id: what it is, what was tried, what came of it, what is next.

use gt_ledger::{Attempt, Blocker, Condition, Incarnation};
use gt_model::address::Address;
use gt_model::bead::{Bead, BeadType, DepType, Status};
use gt_model::convoy::{ConvoyState, MemberState};
use gt_model::id::{BeadId, IncarnationId, MrId};
use serde::Serialize;

use crate::admission::usage::{self, Cost};
use crate::agents::sessions::{self, Session};
use crate::patrol::standing::{self, AgentStatus};
use crate::refinery::queue::{self, QueueItem};
use crate::refinery::review;
use crate::town::Town;
use crate::town::error::{Error, Result};
use crate::view::observe::{self, RigStatus};
use crate::view::polecat::{self, PolecatDetail};
use crate::work::beads;
use crate::work::causes;
use crate::work::convoy;
use crate::work::own_work;

/// What an id stands for, with its story.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Story {
    /// A bead that is worked on.
    Bead(Box<BeadStory>),
    /// A convoy.
    Convoy(ConvoyStory),
    /// A merge request.
    MergeRequest(Box<review::Shown>),
    /// A worker: each of its attempts.
    Worker {
        /// Oldest first.
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
    /// What kind of bead it is.
    pub issue_type: BeadType,
    /// 0 (critical) to 4.
    pub priority: i64,
    /// Who made it.
    pub created_by: Option<String>,
    /// When, as RFC 3339.
    pub created_at: String,
    /// What is to be done.
    pub description: String,
    /// When it is done.
    pub acceptance_criteria: String,
    /// The convoys that track it.
    pub convoys: Vec<BeadId>,
    /// What holds it back.
    pub blockers: Vec<Blocker>,
    /// What was tried, oldest first.
    pub attempts: Vec<AttemptStory>,
    /// What was submitted, oldest first.
    pub merge_requests: Vec<review::Shown>,
    /// What is wrong with it now.
    pub conditions: Vec<Condition>,
    /// What models took for it so far.
    pub cost: Cost,
    /// Where it is, in one line.
    pub answer: String,
    /// What to type next, where there is something.
    pub next: Option<String>,
}

/// One attempt of a bead's story.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptStory {
    /// Which.
    pub number: u32,
    /// Whose.
    pub worker: String,
    /// Which kind of agent.
    pub agent: String,
    /// How it ended, or what it is doing.
    pub state: String,
    /// When it began.
    pub opened_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// Why there is it: what ended the one before.
    pub why: Option<String>,
    /// Commits on its branch, where that can still be told.
    pub commits: Option<u64>,
    /// Steps that it closed, of how many.
    pub steps: (usize, usize),
    /// How its sessions ended, runs of the same told once.
    pub ends: Vec<String>,
    /// Its sessions.
    pub sessions: Vec<Incarnation>,
    /// The ref of its snapshot, while it is there.
    pub snapshot: Option<String>,
    /// What models took for it.
    pub cost: Cost,
}

/// A convoy's story.
#[derive(Clone, Debug, Serialize)]
pub struct ConvoyStory {
    /// Its id.
    pub id: BeadId,
    /// Its title.
    pub title: String,
    /// Where it is.
    pub state: ConvoyState,
    /// Whether it has landed.
    pub landed: bool,
    /// Its beads, each with where it is.
    pub members: Vec<MemberStory>,
}

/// A bead of a convoy's story.
#[derive(Clone, Debug, Serialize)]
pub struct MemberStory {
    /// Its id.
    pub id: BeadId,
    /// Its title.
    pub title: String,
    /// Its status.
    pub status: Status,
    /// What that means for the convoy.
    pub state: MemberState,
    /// Where it is, in one line.
    pub answer: String,
    /// What to type next, where there is something.
    pub next: Option<String>,
}

/// A rig's story.
#[derive(Clone, Debug, Serialize)]
pub struct RigStory {
    /// What a status says of it.
    #[serde(flatten)]
    pub rig: RigStatus,
    /// What is wrong with it.
    pub conditions: Vec<Condition>,
    /// Beads on hooks there: the worker, and the bead.
    pub workers: Vec<(String, BeadId)>,
    /// Its merge requests that are not over.
    pub queue: Vec<QueueItem>,
}

/// The story of a rig, worker, agent, session, merge request, convoy or bead.
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

/// The mayor or a crew member, where the text is the address of one.
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
        created_at: bead.created_at.at.to_string(),
        description: bead.description.clone(),
        acceptance_criteria: bead.acceptance_criteria.clone(),
        convoys,
        attempts: attempts.collect::<Result<_>>()?,
        merge_requests: review::all_of(town, &bead.id)?,
        blockers: why.blockers,
        cost: why.cost,
        conditions: why.conditions,
        answer: why.answer,
        next: why.next,
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
    let state = polecat.doing.or(polecat.outcome.map(|outcome| outcome.as_str().to_owned()));
    Ok(AttemptStory {
        number: attempt.number,
        worker: polecat.worker,
        agent: attempt.agent.clone(),
        state: state.unwrap_or_default(),
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

/// A convoy, with where each of its beads is.
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
            next: why.next,
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
