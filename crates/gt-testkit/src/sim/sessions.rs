//! Scripted agents and commands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gt_world::{
    Bwrap, ContainedCommand, ENDED_BY_REQUEST, Exit, ProcessId, RunEnd, RunResult, Runtime, SAY_LIMIT_BYTES, Said,
    SessionPlan, SessionState, Sessions, Vitals, WorldError, WorldResult,
};

use super::{Files, SimWorld, State, short_name};

/// Makes the agents of a world.
pub trait AgentFactory: Send + Sync {
    /// Returns the agent for a session, or why it can't be started.
    fn start(&self, plan: &SessionPlan) -> Result<Box<dyn SimAgent>, String>;
}

/// A scripted agent.
pub trait SimAgent: Send {
    /// Does one step of its work. It may call the world.
    fn turn(&mut self) -> Turn;
    /// Receives a line from [`Sessions::say`].
    fn hear(&mut self, _line: &str) {}
}

/// Result of an agent's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The agent did something, and may have more to do.
    Again,
    /// The agent did nothing, and waits for a change.
    Wait,
    /// The agent exited with this code.
    Exit(i32),
}

/// Simulates contained commands. It gets the command and the files in its working folder.
pub type CommandRunner = dyn Fn(&ContainedCommand, &Files) -> RunResult + Send + Sync;

/// The boot id of all simulated processes.
const BOOT_ID: &str = "sim";
/// The pid before the first one.
const PID_BASE: i32 = 1000;
/// The signal number of a polite end.
const SIGTERM: i32 = 15;
/// The signal number of `kill -9`.
const SIGKILL: i32 = 9;
/// The exit code of a program that could not be started, as shells give it.
const COULD_NOT_START_CODE: i32 = 127;
/// The wake-up, in the town, that the end of a session triggers.
const WAKE_UP: &str = "deacon/wake";
/// The town's marker file. A session without it ends itself.
const TOWN_FILE: &str = "town.toml";

/// One session.
struct Session {
    town: PathBuf,
    /// Whether the town's marker file was there at the start.
    town_was_there: bool,
    state: SessionState,
    /// `None` while the agent's turn runs, and after the session's end.
    agent: Option<Box<dyn SimAgent>>,
    turns: u64,
    /// Its position in the order of starts.
    order: i32,
    runtime: Runtime,
    /// Whether it can receive lines.
    hears: bool,
    /// The lines that it has received.
    heard: Vec<String>,
    /// Its output.
    log: String,
}

impl Session {
    fn is_running(&self) -> bool {
        matches!(self.state, SessionState::Running { .. })
    }
}

/// All sessions, by their folder.
#[derive(Default)]
pub(super) struct Table {
    sessions: BTreeMap<PathBuf, Session>,
    started: i32,
}

impl Table {
    /// Adds a session that runs but has no agent yet.
    fn open(&mut self, plan: &SessionPlan, town_was_there: bool) {
        self.started += 1;
        let order = self.started;
        let shim = process(PID_BASE + 2 * order);
        let agent = process(PID_BASE + 2 * order + 1);
        let state = SessionState::Running { shim, agent };
        let town = plan.town.clone();
        let runtime = plan.runtime;
        let hears = runtime == Runtime::Tmux || plan.input.is_some();
        let agent = None;
        let session = Session {
            town,
            town_was_there,
            state,
            agent,
            turns: 0,
            order,
            runtime,
            hears,
            heard: Vec::new(),
            log: String::new(),
        };
        self.sessions.insert(plan.dir.clone(), session);
    }

    /// Returns the session in `dir`, if it runs.
    fn running(&mut self, dir: &Path) -> Option<&mut Session> {
        self.sessions.get_mut(dir).filter(|session| session.is_running())
    }

    /// Returns the folders of the running sessions, in the order of their starts.
    fn live(&self) -> Vec<PathBuf> {
        let mut live: Vec<_> = self.sessions.iter().filter(|(_, session)| session.is_running()).collect();
        live.sort_by_key(|(_, session)| session.order);
        live.into_iter().map(|(dir, _)| dir.clone()).collect()
    }

    pub(super) fn take_agents(&mut self) -> Vec<Box<dyn SimAgent>> {
        self.sessions.values_mut().filter_map(|session| session.agent.take()).collect()
    }

    pub(super) fn forget_ended_below(&mut self, path: &Path) {
        self.sessions.retain(|dir, session| session.is_running() || !dir.starts_with(path));
    }

    pub(super) fn move_below(&mut self, moved: impl Fn(&Path) -> PathBuf) {
        let sessions = std::mem::take(&mut self.sessions);
        self.sessions = sessions.into_iter().map(|(dir, session)| (moved(&dir), session)).collect();
    }
}

fn process(pid: i32) -> ProcessId {
    ProcessId { boot_id: BOOT_ID.to_owned(), pid, start_ticks: u64::from(pid.unsigned_abs()) }
}

fn exited(code: i32) -> Exit {
    Exit { code: Some(code), signal: None, reason: "exited".to_owned() }
}

fn by_signal(signal: i32, reason: &str) -> Exit {
    Exit { code: None, signal: Some(signal), reason: reason.to_owned() }
}

fn could_not_start(why: &str) -> Exit {
    Exit { code: Some(COULD_NOT_START_CODE), signal: None, reason: format!("could not start: {why}") }
}

impl State {
    /// Registers a session as running; `None` if there is one already.
    fn open_session(&mut self, plan: &SessionPlan) -> WorldResult<Option<Launch>> {
        if self.sessions.sessions.contains_key(&plan.dir) {
            return Ok(None);
        }
        self.disk.create_dir(&plan.dir)?;
        let town_was_there = self.disk.exists(&plan.town.join(TOWN_FILE));
        self.sessions.open(plan, town_was_there);
        self.note(format!("start {}", short_name(&plan.dir)));
        let cwd_is_there = self.disk.is_folder(&plan.cwd);
        Ok(Some(Launch { factory: self.factory.clone(), cwd_is_there }))
    }

    /// Ends sessions whose town is gone. Returns their agents.
    fn end_homeless(&mut self) -> Vec<Box<dyn SimAgent>> {
        let gone = |session: &&Session| session.town_was_there && !self.disk.exists(&session.town.join(TOWN_FILE));
        let homeless = self.sessions.sessions.iter().filter(|(_, session)| session.is_running() && gone(session));
        let homeless: Vec<PathBuf> = homeless.map(|(dir, _)| dir.clone()).collect();
        homeless.iter().filter_map(|dir| self.end_session(dir, by_signal(SIGTERM, "town gone"))).collect()
    }

    /// Ends a running session, and wakes the deacon as its shim would. Returns the agent, since dropping it may call the world.
    fn end_session(&mut self, dir: &Path, exit: Exit) -> Option<Box<dyn SimAgent>> {
        let session = self.sessions.running(dir)?;
        let line = format!("ended {}: {}", short_name(dir), exit.reason);
        session.state = SessionState::Ended(exit);
        let (agent, wake_up) = (session.agent.take(), session.town.join(WAKE_UP));
        self.note(line);
        *self.wakes.entry(wake_up).or_default() += 1;
        agent
    }
}

/// Remaining data of a start after it has released the state.
struct Launch {
    factory: Option<Arc<dyn AgentFactory>>,
    cwd_is_there: bool,
}

impl Launch {
    fn agent(&self, plan: &SessionPlan) -> Result<Box<dyn SimAgent>, String> {
        if !self.cwd_is_there {
            return Err(format!("there is no folder {}", plan.cwd.display()));
        }
        self.factory.as_ref().ok_or("this world has no agents")?.start(plan)
    }
}

impl SimWorld {
    /// Sets the factory of the agents. Without one, no session can start.
    pub fn set_agents(&self, factory: impl AgentFactory + 'static) {
        let old = self.locked().factory.replace(Arc::new(factory));
        drop(old);
    }

    /// Sets the runner of contained commands. Without one, each command passes at once.
    pub fn set_runner(&self, runner: impl Fn(&ContainedCommand, &Files) -> RunResult + Send + Sync + 'static) {
        let old = self.locked().runner.replace(Arc::new(runner));
        drop(old);
    }

    /// Gives each running agent one turn, in the order of their starts. Returns how many did something.
    pub fn run_agents_once(&self) -> usize {
        let homeless = self.locked().end_homeless();
        drop(homeless);
        let live = self.live_sessions();
        live.iter().filter(|dir| self.run_agent(dir)).count()
    }

    /// Returns the folders of the running sessions, in the order of their starts.
    pub fn live_sessions(&self) -> Vec<PathBuf> {
        self.locked().sessions.live()
    }

    /// Returns the lines that were sent to the agent in `dir`, oldest first.
    pub fn heard(&self, dir: &Path) -> Vec<String> {
        self.locked().sessions.sessions.get(dir).map_or(Vec::new(), |session| session.heard.clone())
    }

    /// Adds a line to the output of the session in `dir`.
    pub fn put_out(&self, dir: &Path, line: &str) {
        if let Some(session) = self.locked().sessions.sessions.get_mut(dir) {
            session.log.push_str(line);
            session.log.push('\n');
        }
    }

    /// Ends the session in `dir` as `kill -9` would. Returns whether it ran. Its worktree does not change.
    pub fn kill(&self, dir: &Path) -> bool {
        let mut state = self.locked();
        let ran = state.sessions.running(dir).is_some();
        let agent = state.end_session(dir, by_signal(SIGKILL, "ended by a signal"));
        drop(state);
        drop(agent);
        ran
    }

    /// Runs one turn of one agent. Returns whether the agent did something.
    fn run_agent(&self, dir: &Path) -> bool {
        // The agent is taken out of the state during its turn, since it calls the world.
        let agent = self.locked().sessions.running(dir).and_then(|session| session.agent.take());
        let Some(mut agent) = agent else { return false };
        let turn = agent.turn();
        let left_over = self.locked().after_turn(dir, agent, turn);
        drop(left_over);
        turn != Turn::Wait
    }
}

impl State {
    /// Gives a session its agent. Returns the agent if the session is over already.
    fn after_launch(&mut self, dir: &Path, agent: Result<Box<dyn SimAgent>, String>) -> Option<Box<dyn SimAgent>> {
        let Some(session) = self.sessions.running(dir) else { return agent.ok() };
        match agent {
            Ok(agent) => session.agent.replace(agent),
            Err(why) => self.end_session(dir, could_not_start(&why)),
        }
    }

    /// Records a turn. Returns the agent if the session is over.
    fn after_turn(&mut self, dir: &Path, agent: Box<dyn SimAgent>, turn: Turn) -> Option<Box<dyn SimAgent>> {
        // The session may have been ended during the turn.
        let Some(session) = self.sessions.running(dir) else { return Some(agent) };
        session.turns += u64::from(turn != Turn::Wait);
        if let Turn::Exit(code) = turn {
            self.end_session(dir, exited(code));
            return Some(agent);
        }
        session.agent = Some(agent);
        None
    }
}

impl Sessions for SimWorld {
    fn start(&self, plan: &SessionPlan) -> WorldResult<()> {
        let Some(launch) = self.acting("start")?.open_session(plan)? else { return Ok(()) };
        let agent = launch.agent(plan);
        let left_over = self.locked().after_launch(&plan.dir, agent);
        drop(left_over);
        Ok(())
    }

    fn state(&self, dir: &Path) -> WorldResult<SessionState> {
        let state = self.locked();
        let session = state.sessions.sessions.get(dir);
        Ok(session.map_or(SessionState::NotStarted, |session| session.state.clone()))
    }

    fn end(&self, dir: &Path, _grace: Duration) -> WorldResult<()> {
        let agent = self.acting("end")?.end_session(dir, by_signal(SIGTERM, ENDED_BY_REQUEST));
        drop(agent);
        Ok(())
    }

    /// CPU time counts the turns where the agent did something. The last call is the last [`Disk::touch`] of a file in the
    /// session's folder.
    ///
    /// [`Disk::touch`]: gt_world::Disk::touch
    fn vitals(&self, dirs: &[PathBuf]) -> Vec<WorldResult<Vitals>> {
        let state = self.locked();
        let turns = |dir: &PathBuf| state.sessions.sessions.get(dir).map_or(0, |session| session.turns);
        let of = |dir: &PathBuf| {
            let log_bytes = state.sessions.sessions.get(dir).map_or(0, |session| session.log.len() as u64);
            Ok(Vitals { cpu_ticks: turns(dir), log_bytes, last_call: state.disk.last_touch_in(dir) })
        };
        dirs.iter().map(of).collect()
    }

    fn log_size(&self, dir: &Path) -> u64 {
        self.locked().sessions.sessions.get(dir).map_or(0, |session| session.log.len() as u64)
    }

    /// Time passes as the runner says. The log gets the tail.
    fn run(&self, command: &ContainedCommand) -> WorldResult<RunResult> {
        let state = self.acting("run")?;
        if !state.disk.is_folder(&command.cwd) {
            let source = std::io::ErrorKind::NotFound.into();
            return Err(WorldError::Io { act: "enter", path: command.cwd.clone(), source });
        }
        let (runner, files) = (state.runner.clone(), state.texts_below(&command.cwd));
        drop(state);
        let result = match runner {
            Some(runner) => runner(command, &files),
            None => RunResult { end: RunEnd::Passed, took: Duration::ZERO, tail: Vec::new() },
        };
        self.advance(result.took);
        let log: String = result.tail.iter().map(|line| format!("{line}\n")).collect();
        let mut state = self.locked();
        state.disk.write(&command.log, log.into_bytes().into())?;
        state.note(format!("run {} in {}", command.argv.join(" "), short_name(&command.cwd)));
        Ok(result)
    }

    fn is_descendant_of_any(&self, _processes: &[ProcessId]) -> bool {
        false
    }

    fn is_in_sandbox(&self) -> bool {
        false
    }

    fn tmux(&self, _path: &str) -> Result<String, String> {
        Err("there is no tmux in this world".to_owned())
    }

    fn bwrap(&self, _path: &str) -> Result<Bwrap, String> {
        Err("there is no bubblewrap in this world".to_owned())
    }

    /// Returns the planned runtime, though the simulation has no terminals.
    fn runtime(&self, dir: &Path) -> WorldResult<Option<Runtime>> {
        Ok(self.locked().sessions.sessions.get(dir).map(|session| session.runtime))
    }

    fn log(&self, dir: &Path, from: u64) -> WorldResult<Vec<u8>> {
        let state = self.locked();
        let log = state.sessions.sessions.get(dir).map_or("", |session| &session.log);
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(log.len());
        Ok(log.as_bytes()[from..].to_vec())
    }

    fn screen(&self, _dir: &Path, _scrolled: u32) -> WorldResult<Option<String>> {
        Ok(None)
    }

    fn attach(&self, _dir: &Path, _env: &BTreeMap<String, String>) -> WorldResult<bool> {
        Ok(false)
    }

    /// Returns busy if the line arrives during the agent's own turn.
    fn say(&self, dir: &Path, line: &str) -> WorldResult<Said> {
        if line.len() > SAY_LIMIT_BYTES || line.chars().any(char::is_control) {
            return Err(WorldError::Unexpected(format!("gt can't type this to an agent: {line:?}")));
        }
        let mut state = self.acting("say")?;
        let Some(session) = state.sessions.running(dir).filter(|session| session.hears) else { return Ok(Said::NoWay) };
        let Some(mut agent) = session.agent.take() else { return Ok(Said::Busy) };
        session.heard.push(line.to_owned());
        state.note(format!("say to {}: {line}", short_name(dir)));
        drop(state);
        // The agent may call the world, and its session may be ended meanwhile.
        agent.hear(line);
        let left_over = self.locked().after_turn(dir, agent, Turn::Wait);
        drop(left_over);
        Ok(Said::Sent)
    }

    fn close_terminals(&self, _town: &Path) -> WorldResult<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gt_world::Disk;

    use super::*;

    /// Counts its turns in a file in its working folder, and exits at a given count.
    struct Counter {
        world: SimWorld,
        file: PathBuf,
        left: u32,
    }

    impl SimAgent for Counter {
        fn turn(&mut self) -> Turn {
            if self.left == 0 {
                return Turn::Exit(0);
            }
            if !Disk::exists(&self.world, &self.file) {
                return Turn::Wait;
            }
            self.left -= 1;
            self.world.write(&self.file, self.left.to_string().as_bytes()).unwrap();
            Turn::Again
        }
    }

    struct Counters(SimWorld);

    impl AgentFactory for Counters {
        fn start(&self, plan: &SessionPlan) -> Result<Box<dyn SimAgent>, String> {
            let left = plan.argv[0].parse().map_err(|_| "no number".to_owned())?;
            Ok(Box::new(Counter { world: self.0.clone(), file: plan.cwd.join("count"), left }))
        }
    }

    fn world() -> SimWorld {
        let world = SimWorld::new();
        world.set_agents(Counters(world.clone()));
        world.create_dir(Path::new("/gt/home")).unwrap();
        world.write(Path::new("/gt/town.toml"), b"").unwrap();
        world
    }

    fn plan(dir: &str, turns: &str) -> SessionPlan {
        SessionPlan {
            dir: dir.into(),
            town: "/gt".into(),
            cwd: "/gt/home".into(),
            argv: vec![turns.to_owned()],
            env: BTreeMap::new(),
            runtime: Runtime::Headless,
            input: None,
        }
    }

    fn vitals(world: &SimWorld, dir: &str) -> Vitals {
        world.vitals(&[dir.into()]).remove(0).unwrap()
    }

    fn end_of(world: &SimWorld, dir: &str) -> Option<Exit> {
        match Sessions::state(world, Path::new(dir)).unwrap() {
            SessionState::Ended(exit) => Some(exit),
            _ => None,
        }
    }

    #[test]
    fn an_agent_runs_turn_by_turn_to_its_exit() {
        let world = world();
        assert_eq!(Sessions::state(&world, Path::new("/s/1")).unwrap(), SessionState::NotStarted);
        world.start(&plan("/s/1", "1")).unwrap();
        world.start(&plan("/s/1", "7")).unwrap();
        assert_eq!(world.run_agents_once(), 0, "it waits for the file");
        world.write(Path::new("/gt/home/count"), b"").unwrap();
        assert_eq!(world.run_agents_once(), 1);
        assert_eq!(vitals(&world, "/s/1").cpu_ticks, 1);
        assert_eq!(end_of(&world, "/s/1"), None);
        assert_eq!(world.run_agents_once(), 1);
        assert_eq!(end_of(&world, "/s/1"), Some(exited(0)));
        assert_eq!(world.run_agents_once(), 0);
        world.start(&plan("/s/1", "1")).unwrap();
        assert_eq!(world.live_sessions(), Vec::<PathBuf>::new(), "a session is started once only");
    }

    #[test]
    fn sessions_end_by_request_by_signal_and_with_their_town() {
        let world = world();
        for dir in ["/s/b", "/s/a", "/s/c"] {
            world.start(&plan(dir, "9")).unwrap();
        }
        assert_eq!(world.live_sessions(), ["/s/b", "/s/a", "/s/c"].map(PathBuf::from));
        world.end(Path::new("/s/a"), Duration::from_secs(1)).unwrap();
        world.end(Path::new("/s/a"), Duration::from_secs(1)).unwrap();
        assert_eq!(end_of(&world, "/s/a").unwrap().reason, "ended by request");
        assert!(world.kill(Path::new("/s/b")));
        assert!(!world.kill(Path::new("/s/b")));
        assert_eq!(end_of(&world, "/s/b").unwrap().signal, Some(9));
        world.remove(Path::new("/gt/town.toml")).unwrap();
        world.run_agents_once();
        assert_eq!(end_of(&world, "/s/c").unwrap().reason, "town gone");
        assert_eq!(world.wakes(Path::new("/gt/deacon/wake")), 3, "each end wakes the deacon");
    }

    #[test]
    fn what_can_not_start_has_ended_and_says_why() {
        let world = world();
        world.start(&plan("/s/1", "x")).unwrap();
        assert_eq!(end_of(&world, "/s/1").unwrap().reason, "could not start: no number");
        world.start(&SessionPlan { cwd: "/gt/gone".into(), ..plan("/s/2", "1") }).unwrap();
        assert_eq!(end_of(&world, "/s/2").unwrap().reason, "could not start: there is no folder /gt/gone");
    }

    #[test]
    fn signs_of_life_are_the_times_of_files() {
        let world = world();
        world.start(&plan("/s/1", "1")).unwrap();
        assert_eq!(vitals(&world, "/s/1").last_call, None);
        world.advance(Duration::from_secs(5));
        world.touch(Path::new("/s/1/call")).unwrap();
        let start = super::super::START.as_second();
        assert_eq!(vitals(&world, "/s/1").last_call, Some(start + 5));
    }

    #[test]
    fn what_is_said_is_heard_as_the_contract_has_it() {
        let world = world();
        crate::contract::check_say_contract(&world, &plan("/s/1", "9"));
        assert_eq!(world.heard(Path::new("/s/1.hears"))[0], "hello");
        assert_eq!(world.heard(Path::new("/s/1")), Vec::<String>::new());
    }

    #[test]
    fn commands_see_the_files_and_take_their_time() {
        let world = world();
        world.write(Path::new("/gt/home/src/main"), b"broken").unwrap();
        let command = ContainedCommand {
            argv: vec!["check".into()],
            cwd: "/gt/home".into(),
            env: BTreeMap::new(),
            timeout: Duration::from_secs(60),
            log: "/gt/logs/check".into(),
        };
        assert_eq!(world.run(&command).unwrap().end, RunEnd::Passed);
        assert!(world.run(&ContainedCommand { cwd: "/gone".into(), ..command.clone() }).is_err());
        world.set_runner(|_, files| {
            let broken = files.get("src/main").is_some_and(|text| text == "broken");
            let end = if broken { RunEnd::Failed(exited(1)) } else { RunEnd::Passed };
            RunResult { end, took: Duration::from_secs(3), tail: vec!["looked".into()] }
        });
        assert_eq!(world.run(&command).unwrap().end, RunEnd::Failed(exited(1)));
        assert_eq!(world.locked().monotonic, Duration::from_secs(3));
        assert_eq!(Disk::read(&world, Path::new("/gt/logs/check")).unwrap().as_deref(), Some(&b"looked\n"[..]));
    }
}
