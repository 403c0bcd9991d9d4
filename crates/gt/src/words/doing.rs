//! Words for what agents and workers are doing.

use gt_model::address::Address;
use gt_town::effects::Wait;
use gt_town::patrol::standing::AgentDoing;
use gt_town::view::doing::{StepAt, WorkerDoing, waiting_for};
use gt_town::view::story::AttemptState;

/// Describes the activity of a standing agent.
pub fn agent(doing: &AgentDoing) -> String {
    match doing {
        AgentDoing::Fails(why) => why.clone(),
        AgentDoing::Capped(why) => format!("waits: {why}"),
        AgentDoing::Runs(pid) => format!("running (pid {pid})"),
        AgentDoing::Unknown(why) => format!("unknown: {why}"),
        AgentDoing::Stopped => "stopped".to_owned(),
        AgentDoing::NotStarted => "session to be started".to_owned(),
        AgentDoing::JustEnded => "has just ended".to_owned(),
        AgentDoing::Asleep => "asleep until there is mail for it".to_owned(),
        AgentDoing::ToBeStarted => "to be started".to_owned(),
    }
}

/// Describes the activity of a worker.
pub fn worker(doing: &WorkerDoing) -> String {
    match doing {
        WorkerDoing::Leaves => "submitted; session and worktree are being removed".to_owned(),
        WorkerDoing::ToBeStarted => "waiting to be started".to_owned(),
        WorkerDoing::Waits(wait) => waits(wait),
        WorkerDoing::Effect(row) => waiting_for(row),
        WorkerDoing::Held(why) => why.clone(),
        WorkerDoing::NotStarted => "session to be started".to_owned(),
        WorkerDoing::Works(at) => step(at),
        WorkerDoing::JustEnded(at) => format!("has just ended; at {}", step(at)),
        WorkerDoing::Ended(at) => format!("ended, to be started again; at {}", step(at)),
        WorkerDoing::Unknown(why) => format!("unknown: {why}"),
    }
}

/// Describes the state of an attempt; empty for an unknown outcome.
pub fn attempt(state: &AttemptState) -> String {
    match state {
        AttemptState::Present(doing) => worker(doing),
        AttemptState::Ended(outcome) => outcome.as_str().to_owned(),
        AttemptState::Unknown => String::new(),
    }
}

fn step(at: &StepAt) -> String {
    match at {
        StepAt::AllDone => "all steps done".to_owned(),
        StepAt::Step { number, of, id } => format!("step {number}/{of} {id}"),
    }
}

fn waits(wait: &Wait) -> String {
    match wait {
        Wait::Paused => "waiting: no new work starts until gt resume".to_owned(),
        Wait::GoingDown => "waiting: the town is shutting down".to_owned(),
        Wait::Spend => "waiting: the day's cap on spending is reached (gt cost)".to_owned(),
        Wait::Memory => "waiting: too little memory is free (min_free_memory_mb in town.toml)".to_owned(),
        Wait::Parked(kind) => format!("waiting: the kind of agent {kind} can't work now (gt status)"),
        Wait::Slots(slots, by) => {
            let names: Vec<String> = by.iter().map(Address::to_string).collect();
            let names = if names.is_empty() { String::new() } else { format!(" by {}", names.join(", ")) };
            format!("waiting for a slot: max_polecats = {slots}, {} of {slots} in use{names}", by.len())
        }
    }
}
