//! The state of standing agents, as facts.

use gt_ledger::{Agent, Incarnation, View};
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_world::SessionState;
use serde::Serialize;

use super::ended_well;
use crate::admission::hooks_off;
use crate::admission::spend;
use crate::agents::wanted;
use crate::town::Town;
use crate::town::error::Result;

/// Current activity of a standing agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentDoing {
    /// It can't start: first line of the condition that says why.
    Fails(String),
    /// A limit on spending holds it back: the reason.
    Capped(String),
    /// Its session runs with this process id.
    Runs(i32),
    /// The state of its session can't be told: the reason.
    Unknown(String),
    /// A person stopped it, or did not start it.
    Stopped,
    /// Its session is decided and has not started.
    NotStarted,
    /// Its session has ended, which is not recorded yet.
    JustEnded,
    /// It has nothing to do until mail comes.
    Asleep,
    /// Its next session is not decided yet.
    ToBeStarted,
}

/// State of a standing agent.
#[derive(Clone, Debug, Serialize)]
pub struct AgentStatus {
    /// Its record in the ledger.
    #[serde(flatten)]
    pub agent: Agent,
    /// Whether its session runs.
    pub running: bool,
    /// Its newest session.
    pub session: Option<String>,
    /// Its current activity.
    pub doing: AgentDoing,
    /// Number of mails that it has not been told of.
    pub mail: usize,
    /// Its working folder.
    pub folder: String,
}

/// Returns the current state of an agent.
pub fn status(town: &Town, address: &Address) -> Result<AgentStatus> {
    town.ledger.read(|view| status_of(town, view, wanted::require(view, address)?))
}

/// Returns the current state of all standing agents.
pub fn all(town: &Town) -> Result<Vec<AgentStatus>> {
    town.ledger.read(|view| all_in(town, view))
}

/// Returns the current state of all standing agents, inside an operation.
pub(crate) fn all_in(town: &Town, view: &View<'_>) -> Result<Vec<AgentStatus>> {
    view.agents()?.into_iter().map(|agent| status_of(town, view, agent)).collect()
}

fn status_of(town: &Town, view: &View<'_>, agent: Agent) -> Result<AgentStatus> {
    let newest = view.newest_incarnation_of_agent(&agent.address)?;
    let fails = view.condition(ConditionKind::StartFails, &agent.address.to_string())?.map(|condition| condition.text);
    let fails = fails.or(hooks_off::held_agent(town, view, &agent)?.filter(|_| agent.is_wanted()));
    let state = match newest.as_ref().filter(|newest| newest.ended_at.is_none()) {
        Some(newest) => Some(town.world().sessions().state(&town.layout.session(&newest.id))?),
        None => None,
    };
    let mail = view.inbox(&agent.address, true)?.iter().filter(|mail| mail.delivery.delivered_at.is_none()).count();
    let folder = match agent.rig() {
        Some(rig) => town.layout.rig(rig).crew(agent.name()),
        None => town.layout.mayor(),
    };
    Ok(AgentStatus {
        doing: match (&fails, spend::must_end(view, &agent.address)?) {
            (Some(fails), _) => AgentDoing::Fails(fails.lines().next().unwrap_or_default().to_owned()),
            (None, Some(capped)) if agent.is_wanted() => AgentDoing::Capped(capped.to_owned()),
            (None, _) => doing(&agent, newest.as_ref(), state.as_ref()),
        },
        running: matches!(state, Some(SessionState::Running { .. })),
        session: newest.map(|newest| newest.id.0),
        mail,
        folder: folder.display().to_string(),
        agent,
    })
}

fn doing(agent: &Agent, newest: Option<&Incarnation>, state: Option<&SessionState>) -> AgentDoing {
    let ended_well = newest.is_some_and(|newest| newest.number > agent.counted_from && ended_well(newest));
    match state {
        Some(SessionState::Running { agent, .. }) => AgentDoing::Runs(agent.pid),
        Some(SessionState::Unknown(why)) => AgentDoing::Unknown(why.clone()),
        _ if !agent.is_wanted() => AgentDoing::Stopped,
        Some(SessionState::NotStarted) => AgentDoing::NotStarted,
        Some(SessionState::Ended(_)) => AgentDoing::JustEnded,
        None if ended_well => AgentDoing::Asleep,
        None => AgentDoing::ToBeStarted,
    }
}
