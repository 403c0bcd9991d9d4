//! Seat of an incarnation: where it runs and as what. A polecat runs in its worktree, a standing agent at its home.

use std::path::PathBuf;

use gt_ledger::{Agent, Attempt, Holder, Incarnation};
use gt_model::address::Address;
use gt_model::runtime::RuntimeChoice;
use gt_world::SessionPlan;
use gt_world::TOKEN_VARIABLE;

use crate::agents::counting::Counting;
use crate::agents::launch::{self, Launch, Launched};
use crate::agents::prompt;
use crate::agents::sessions;
use crate::agents::{self, Wish, grants, hooks};
use crate::town::error::{Error, Result};
use crate::town::settings::Sandbox;
use crate::town::{Rig, Town};
use crate::walls::direnv;
use crate::walls::sandbox;
use crate::walls::worker_env;

/// Where an incarnation runs, and as what.
#[derive(Debug)]
pub struct Seat {
    /// Address under which it acts.
    pub address: Address,
    /// Rig whose settings apply besides the town's; the mayor has none.
    pub rig: Option<Rig>,
    /// Kind of agent.
    pub kind: String,
    /// Runtime of its session, if a person chose one.
    pub runtime: Option<RuntimeChoice>,
    /// The town's worker slot that it uses.
    pub slot: Option<u32>,
    /// Working folder.
    pub cwd: PathBuf,
    /// First prompt.
    pub prompt: String,
}

/// Returns the seat of an incarnation that is to run; `None` where it is no longer to run.
pub fn of(town: &Town, incarnation: &Incarnation) -> Result<Option<Seat>> {
    if incarnation.ended_at.is_some() {
        return Ok(None);
    }
    match &incarnation.holder {
        Holder::Attempt(id) => {
            let attempt = town.ledger.read(|view| view.attempt(*id).map_err(Error::from))?;
            let attempt = attempt.ok_or_else(|| Error::Unknown { what: "attempt", name: id.to_string() })?;
            if attempt.is_hooked() { of_attempt(town, attempt).map(Some) } else { Ok(None) }
        }
        Holder::Agent(address) => {
            let agent = town.ledger.read(|view| view.agent(address).map_err(Error::from))?;
            agent.filter(Agent::is_wanted).map(|agent| of_agent(town, agent)).transpose()
        }
    }
}

fn of_attempt(town: &Town, attempt: Attempt) -> Result<Seat> {
    let rig = town.rig(attempt.rig.as_str())?;
    Ok(Seat {
        address: attempt.address(),
        cwd: rig.layout.worktree(&attempt.worker),
        rig: Some(rig),
        runtime: attempt.runtime,
        slot: attempt.slot,
        prompt: prompt::first(&attempt, told_at_start(town, &attempt.agent)?, &town.layout.bin().join("gt")),
        kind: attempt.agent,
    })
}

/// Whether a hook tells this kind of agent about its work when its session starts.
fn told_at_start(town: &Town, kind: &str) -> Result<bool> {
    let preset = town.agent(kind)?;
    Ok(preset.client.is_some() && !hooks::of(town, &preset).are_off())
}

fn of_agent(town: &Town, agent: Agent) -> Result<Seat> {
    let rig = agent.rig().map(|rig| town.rig(rig.as_str())).transpose()?;
    let cwd = rig.as_ref().map_or_else(|| town.layout.mayor(), |rig| rig.layout.crew(agent.name()));
    Ok(Seat {
        kind: kind_of(town, rig.as_ref(), agent.kind.as_deref())?,
        prompt: prompt::standing(&agent.address, &town.layout.bin().join("gt")),
        address: agent.address,
        rig,
        runtime: agent.runtime,
        slot: None,
        cwd,
    })
}

/// Returns the kind of a standing agent: the kind chosen for it, else that of the mayor's settings or of its rig, else the
/// town's.
pub(crate) fn kind_of(town: &Town, rig: Option<&Rig>, said: Option<&str>) -> Result<String> {
    let of_role = match rig {
        Some(rig) => rig.settings.agent.as_deref(),
        None => town.settings.mayor.agent.as_deref(),
    };
    let kind = said.or(of_role).or(town.settings.agent.as_deref());
    let kind = kind.ok_or_else(|| none_is_set(town, rig))?;
    town.agent(kind)?;
    Ok(kind.to_owned())
}

/// Error that names the missing setting. A kind set for a rig's workers does not count for the mayor.
fn none_is_set(town: &Town, rig: Option<&Rig>) -> Error {
    let file = town.layout.settings();
    let Some(rig) = rig else {
        let of_rigs = town.rigs().unwrap_or_default();
        let of_rig = of_rigs.iter().find_map(|rig| Some((rig.name(), rig.settings.agent.as_deref()?)));
        let but =
            of_rig.map(|(rig, kind)| format!(" ({rig} has agent = \"{kind}\", for its own workers and crew only)"));
        return Error::NeedsPerson {
            what: format!("no kind of agent is set for the mayor{}", but.unwrap_or_default()),
            hint: format!(
                "agent = \"{}\" at the top of {} sets it for the whole town, the same below [mayor] for the mayor alone",
                of_rig.map_or("<kind>", |(_, kind)| kind),
                file.display()
            ),
        };
    };
    Error::NeedsPerson {
        what: format!("no kind of agent is set for {}", rig.name()),
        hint: format!(
            "--agent <kind>, gt rig set {} agent=<kind>, or agent = \"<kind>\" at the top of {}",
            rig.name(),
            file.display()
        ),
    }
}

/// Plans the start of a session in a seat, with this secret.
pub fn plan(town: &Town, seat: &Seat, incarnation: &Incarnation, secret: &str) -> Result<SessionPlan> {
    let preset = town.agent(&seat.kind)?;
    let mut env = worker_env::environment(town, seat.rig.as_ref(), Some(&preset), seat.slot);
    env.insert(TOKEN_VARIABLE.to_owned(), format!("{}.{secret}", incarnation.id));
    env.insert("GT_ADDRESS".to_owned(), seat.address.to_string());
    let runtime = sessions::choose(town, seat.rig.as_ref(), Some(&preset), seat.runtime, &env)?;
    // Agents that look after workers do not run in the workers' sandbox.
    let (mode, sandbox) = match (&seat.rig, &incarnation.holder) {
        (Some(rig), Holder::Attempt(_)) => (launch::mode(&rig.settings), rig.settings.sandbox),
        (Some(rig), Holder::Agent(_)) => (rig.settings.trust, Sandbox::None),
        (None, _) => (launch::mayors_mode(&town.settings.mayor), town.settings.mayor.sandbox),
    };
    agents::admit(town, &Wish { kind: &seat.kind, preset: &preset, mode, runtime, rig: seat.rig.as_ref() })?;
    let launch = Launch {
        preset: &preset,
        incarnation: &incarnation.id,
        secret,
        prompt: &seat.prompt,
        runtime,
        mode,
        grants: &grants::of(town, &seat.address)?,
    };
    let Launched { argv, input } = launch::prepare(town, &launch, &mut env)?;
    let argv = match &seat.rig {
        Some(rig) => direnv::around(town, rig, &seat.cwd, argv)?,
        None => argv,
    };
    Counting::of(&preset, runtime).record(town, &incarnation.id)?;
    let plan = SessionPlan {
        dir: town.layout.session(&incarnation.id),
        town: town.layout.root.clone(),
        cwd: seat.cwd.clone(),
        argv,
        env,
        runtime,
        input,
    };
    match (&seat.address, &seat.rig) {
        (Address::Polecat(_, worker), Some(rig)) if sandbox != Sandbox::None => {
            sandbox::around(town, rig, worker.as_str(), plan)
        }
        (Address::Mayor, _) if sandbox != Sandbox::None => sandbox::around_mayor(town, plan),
        _ => Ok(plan),
    }
}
