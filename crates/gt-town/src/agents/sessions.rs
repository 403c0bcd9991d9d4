//! Sessions for people: listing them, showing their output, stopping them; also the choice of a new session's runtime.

use std::collections::BTreeMap;
use std::time::Duration;

use gt_ledger::{Attempt, Holder, Incarnation, View};
use gt_model::address::Address;
use gt_model::id::{BeadId, IncarnationId};
use gt_model::runtime::RuntimeChoice;
use gt_model::usage::Format;
use gt_world::{Exit, LOG_CHUNK_BYTES, ProcessId, Runtime, SessionState};
use jiff::Timestamp;
use serde::Serialize;

use crate::agents::counting::Counting;
use crate::agents::text;
use crate::town::error::{Error, Result};
use crate::town::lane::Lane;
use crate::town::person;
use crate::town::settings::AgentPreset;
use crate::town::{Caller, Rig, Town};
use crate::walls::worker_env;

/// Time that a session's processes get to end after a polite request.
const END_GRACE: Duration = Duration::from_secs(5);

/// Chooses the runtime of a new session: the one asked for, else the rig's, else the town's. `env` is the agent's: tmux is
/// looked for in its PATH.
pub(crate) fn choose(
    town: &Town,
    rig: Option<&Rig>,
    preset: Option<&AgentPreset>,
    said: Option<RuntimeChoice>,
    env: &BTreeMap<String, String>,
) -> Result<Runtime> {
    let choice = match said.or(rig.and_then(|rig| rig.settings.runtime)).unwrap_or(town.settings.runtime) {
        RuntimeChoice::Auto => preset.and_then(|preset| preset.runtime).unwrap_or_default(),
        choice => choice,
    };
    if choice == RuntimeChoice::Headless {
        return Ok(Runtime::Headless);
    }
    let path = env.get("PATH").map(String::as_str).unwrap_or_default();
    match (choice, town.world().sessions().tmux(path)) {
        (_, Ok(_)) => Ok(Runtime::Tmux),
        (RuntimeChoice::Auto, Err(_)) => Ok(Runtime::Headless),
        (_, Err(why)) => Err(Error::refused(
            format!("the settings ask for sessions in tmux, but {why}"),
            "install tmux, or set runtime = \"auto\" in rig.toml or town.toml",
        )),
    }
}

/// Returns the runtime that the session of an attempt would get now.
pub fn runtime_of(town: &Town, attempt: &Attempt) -> Result<Runtime> {
    let (rig, preset) = (town.rig(attempt.rig.as_str())?, town.agent(&attempt.agent)?);
    let env = worker_env::environment(town, Some(&rig), Some(&preset), attempt.slot);
    // If no runtime is available, the start itself reports it.
    Ok(choose(town, Some(&rig), Some(&preset), attempt.runtime, &env).unwrap_or(Runtime::Tmux))
}

/// A session: one incarnation of a worker or of a standing agent, with its processes.
#[derive(Clone, Debug, Serialize)]
pub struct Session {
    /// Id of the incarnation and of its session.
    pub id: IncarnationId,
    /// Address of the agent.
    pub address: String,
    /// Bead that it works on; a standing agent has none.
    pub bead: Option<BeadId>,
    /// Number of the attempt on the bead.
    pub attempt: Option<u32>,
    /// Number of the incarnation in the attempt, or among the standing agent's.
    pub incarnation: u32,
    /// `not started`, `running`, `ended`, or `unknown: …`.
    pub state: String,
    /// Runtime of the session, also after its end.
    pub runtime: Option<Runtime>,
    /// Process of the shim, while it runs.
    pub shim: Option<ProcessId>,
    /// Process of the agent, while it runs.
    pub agent: Option<ProcessId>,
    /// Time of the start.
    pub started_at: Option<Timestamp>,
    /// How the session ended, if that is recorded.
    pub exit: Option<Exit>,
    /// Folder of the session, with its plan, records and log.
    pub folder: String,
    /// Whether nothing of it runs or will run.
    #[serde(skip)]
    pub is_over: bool,
}

impl Session {
    fn of(town: &Town, incarnation: Incarnation, attempt: Option<&Attempt>) -> Result<Self> {
        let dir = town.layout.session(&incarnation.id);
        let sessions = town.world().sessions();
        let state = sessions.state(&dir)?;
        // The state reports a damaged record.
        let runtime = sessions.runtime(&dir).unwrap_or_default();
        let is_over = incarnation.ended_at.is_some() || matches!(state, SessionState::Ended(_));
        let address = match (&incarnation.holder, attempt) {
            (Holder::Agent(address), _) => address.to_string(),
            (Holder::Attempt(_), Some(attempt)) => attempt.address().to_string(),
            (Holder::Attempt(attempt), None) => format!("attempt {attempt}"),
        };
        let mut session = Self {
            id: incarnation.id,
            address,
            bead: attempt.map(|attempt| attempt.bead.clone()),
            attempt: attempt.map(|attempt| attempt.number),
            incarnation: incarnation.number,
            state: "not started".to_owned(),
            runtime,
            shim: None,
            agent: None,
            started_at: incarnation.started_at,
            exit: incarnation.exit,
            folder: dir.display().to_string(),
            is_over,
        };
        match state {
            SessionState::NotStarted => {}
            SessionState::Running { shim, agent } => {
                (session.shim, session.agent) = (Some(shim), Some(agent));
                session.state = "running".to_owned();
            }
            SessionState::Ended(exit) => {
                session.exit = session.exit.or(Some(exit));
                session.state = "ended".to_owned();
            }
            SessionState::Unknown(why) => session.state = format!("unknown: {why}"),
        }
        Ok(session)
    }

    /// Whether the agent's process runs.
    pub fn is_running(&self) -> bool {
        self.agent.is_some()
    }
}

/// Lists the sessions without a recorded end, and with `all` the past ones too; oldest first.
pub fn list(town: &Town, all: bool) -> Result<Vec<Session>> {
    let rows = town.ledger.read(|view| {
        let incarnations = if all { view.incarnations()? } else { view.live_incarnations()? };
        with_attempts(view, incarnations)
    })?;
    rows.into_iter().map(|(incarnation, attempt)| Session::of(town, incarnation, attempt.as_ref())).collect()
}

fn with_attempts(view: &View<'_>, incarnations: Vec<Incarnation>) -> Result<Vec<(Incarnation, Option<Attempt>)>> {
    let with_attempt = |incarnation: Incarnation| {
        let attempt = view.attempt_of(&incarnation)?;
        Ok((incarnation, attempt))
    };
    incarnations.into_iter().map(with_attempt).collect()
}

/// Finds a session by its id, or the newest one of the agent at an address.
pub fn find(town: &Town, name: &str) -> Result<Session> {
    let unknown = || Error::Unknown { what: "session", name: name.to_owned() };
    let row = town.ledger.read(|view| {
        let incarnation = match view.incarnation(&IncarnationId::from(name))? {
            Some(incarnation) => Some(incarnation),
            None => newest_at(view, name)?,
        };
        with_attempts(view, incarnation.into_iter().collect())
    })?;
    let (incarnation, attempt) = row.into_iter().next().ok_or_else(unknown)?;
    Session::of(town, incarnation, attempt.as_ref())
}

/// Returns the newest incarnation of the agent that has, or last had, an address.
fn newest_at(view: &View<'_>, address: &str) -> Result<Option<Incarnation>> {
    let (rig, worker) = match Address::parse(address) {
        Ok(Address::Polecat(rig, worker)) => (rig, worker),
        Ok(agent @ (Address::Mayor | Address::Crew(..))) => return Ok(view.newest_incarnation_of_agent(&agent)?),
        _ => return Ok(None),
    };
    let newest = view.newest_attempt_of(&rig, &worker)?;
    Ok(newest.map(|attempt| view.incarnations_of(attempt.id)).transpose()?.and_then(|mut all| all.pop()))
}

/// Ends the processes of a session. The witness decides what happens next.
pub fn stop(town: &Town, caller: &Caller, session: &Session) -> Result<()> {
    person::require(caller, "stops sessions")?;
    if !session.is_running() {
        return Err(Error::refused(format!("session {} is {}", session.id, session.state), "gt session list"));
    }
    let _held = town.lock(&Lane::Session(session.id.clone()))?;
    town.ledger.write(&caller.name(), "session stop", |tx| {
        tx.event("session-stopped", session.id.as_str(), session.bead.as_ref(), None, None).map_err(Error::from)
    })?;
    town.world().sessions().end(&town.layout.session(&session.id), END_GRACE)?;
    town.wake();
    Ok(())
}

/// Shows a session's terminal in the caller's own, until the caller detaches.
pub fn attach(town: &Town, caller: &Caller, session: &Session) -> Result<()> {
    person::require(caller, "attaches to sessions")?;
    let follow = format!("gt peek {} --follow", session.address);
    if !session.is_running() {
        return Err(Error::refused(format!("session {} is {}", session.id, session.state), follow));
    }
    let dir = town.layout.session(&session.id);
    if session.runtime == Some(Runtime::Tmux) && town.world().sessions().attach(&dir, &town.outside.env)? {
        return Ok(());
    }
    Err(Error::refused(format!("session {} is headless: there is no terminal to attach to", session.id), follow))
}

/// Returns the last `lines` lines that a session shows, unchanged: from its terminal while it has one, else from its log.
pub fn peek(town: &Town, session: &Session, lines: u32) -> Result<String> {
    let dir = town.layout.session(&session.id);
    let sessions = town.world().sessions();
    let screen = if session.is_running() { sessions.screen(&dir, lines)? } else { None };
    let text = match screen {
        Some(screen) => screen,
        None => {
            let from = log_end(town, session)?.saturating_sub(LOG_CHUNK_BYTES as u64);
            let log = sessions.log(&dir, from)?;
            match session.runtime {
                // The log holds the terminal's input, which draws and draws over lines.
                Some(Runtime::Tmux) => text::rendered(&log),
                _ => String::from_utf8_lossy(&log).into_owned(),
            }
        }
    };
    Ok(last_lines(&text, lines))
}

/// Returns the format of what a session's client prints, if it has its own.
pub fn printed_format(town: &Town, session: &Session) -> Result<Option<Format>> {
    Ok(Counting::recorded(town, &session.id)?.printed_format())
}

/// Returns the size of a session's log in bytes.
pub fn log_end(town: &Town, session: &Session) -> Result<u64> {
    Ok(town.world().sessions().log_size(&town.layout.session(&session.id)))
}

/// Reads a session's log from byte `from` on, up to the limit of one read.
pub fn log(town: &Town, session: &Session, from: u64) -> Result<Vec<u8>> {
    Ok(town.world().sessions().log(&town.layout.session(&session.id), from)?)
}

fn last_lines(text: &str, count: u32) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let skipped = lines.len().saturating_sub(count as usize);
    lines[skipped..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_those_with_something_in_them_or_above_one() {
        for (text, count, expected) in
            [("", 3, ""), ("a\n\nb\n\n\n", 2, "\nb"), ("a\nb", 9, "a\nb"), ("a\nb", 0, ""), ("a\r\nb\r\n", 1, "b")]
        {
            assert_eq!(last_lines(text, count), expected, "{text:?}");
        }
    }
}
