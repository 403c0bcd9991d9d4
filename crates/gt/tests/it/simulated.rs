//! A whole town in memory: the real engine and the real verbs in a simulated world, whose workers play a script.
//!
//! A town lives on the thread of its test, because its ledger does. Objects in the world (agents, and what happens
//! while a verb waits) must be able to move to any thread. So they hold the town's number, and look the town up on this
//! thread.

use gt_model::condition::ConditionKind;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gt::demo::{judge, project, story};
use gt::sim::player::{self, Edit, Outcome, Player, Stage};
use gt::sim::script::{FilePath, Mark, Misbehaviour, Script};
use gt::{Invocation, Process};
use gt_ledger::{Event, Incarnation, Ledger};
use gt_testkit::sim::{AgentFactory, Files, RebaseEnd, SimAgent, SimWorld, Turn};
use gt_town::lifecycle::install;
use gt_town::patrol::deacon::{self, Memory};
use gt_town::refinery;
use gt_town::sync::port;
use gt_town::town::Rig;
use gt_town::{Error, Outside, Town};
use gt_world::{ContainedCommand, Disk as _, Exit, History as _, Repo as _, RunEnd, RunResult, SessionPlan, World};

use crate::both_worlds::Scene;
use crate::kills::{Actor, Kills};

/// The remote of the sample project.
pub const REMOTE: &str = "https://forge.invalid/street.git";

/// Path of the town, in its own world.
const ROOT: &str = "/gt";

/// Path of the workers' script.
const SCRIPT: &str = "/play/script.toml";

/// Duration of a run of the gates.
const GATES_TAKE: Duration = Duration::from_millis(400);

/// Time between two looks of the deacon.
const TICK: Duration = Duration::from_millis(250);

thread_local! {
    static TOWNS: RefCell<BTreeMap<u64, Weak<Inside>>> = const { RefCell::new(BTreeMap::new()) };
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// Returns the town with this number on this thread, or `None` if its test is over.
fn town_of(number: u64) -> Option<Rc<Inside>> {
    TOWNS.with_borrow(|towns| towns.get(&number).and_then(Weak::upgrade))
}

/// A simulated town. Dropping it removes it.
pub struct SimTown {
    number: u64,
    inside: Rc<Inside>,
}

/// Parts of the town that its workers use too.
pub struct Inside {
    pub world: SimWorld,
    pub town: Rc<Town>,
    outside: Outside,
    /// The kills to make, and the passes of fault points.
    pub kills: Kills,
    memory: RefCell<Memory>,
    marks: RefCell<BTreeSet<String>>,
    /// Errors of looks and rounds. As with the real deacon, the next look tries again.
    errors: RefCell<Vec<String>>,
    /// Outputs of workers and the answers of `gt`, for a test that fails.
    said: RefCell<Vec<String>>,
    /// How clients (agents of a kind with hooks) behave.
    pub client: RefCell<ClientManner>,
}

/// Behaviour of clients that start, or get a line, from now on.
#[derive(Clone, Debug, Default)]
pub enum ClientManner {
    /// They behave correctly.
    #[default]
    Well,
    /// They print this at their start, and exit with an error.
    Exit(&'static str),
    /// They print this at their start, and stay.
    Ask(&'static str),
    /// They can't reach their model: their hook reports this mark.
    Tell(&'static str),
}

impl std::ops::Deref for SimTown {
    type Target = Inside;

    fn deref(&self) -> &Inside {
        &self.inside
    }
}

impl Drop for SimTown {
    fn drop(&mut self) {
        self.world.shut_down();
        TOWNS.with_borrow_mut(|towns| towns.remove(&self.number));
    }
}

impl SimTown {
    /// Creates a town with the demo's project as its one rig, whose workers play `script`. `settings` are lines of
    /// town.toml.
    pub fn new(settings: &str, script: &Script) -> Self {
        Self::with_kills(settings, script, Kills::default())
    }

    /// Creates the same town, with a kill in it.
    pub fn with_kills(settings: &str, script: &Script, kills: Kills) -> Self {
        let world = SimWorld::new();
        world.add_remote(REMOTE, "main", &project::files());
        world.set_runner(run_gates);
        world.write(Path::new(SCRIPT), script.to_toml().unwrap().as_bytes()).unwrap();
        let outside = outside(&world, &kills);
        let number = NEXT.replace(NEXT.get() + 1);
        let inside = Rc::new(Inside {
            town: Rc::new(open_town(&world, &outside, settings)),
            memory: RefCell::default(),
            marks: RefCell::default(),
            errors: RefCell::default(),
            said: RefCell::default(),
            client: RefCell::default(),
            kills,
            world,
            outside,
        });
        TOWNS.with_borrow_mut(|towns| towns.insert(number, Rc::downgrade(&inside)));
        let town = Self { number, inside };
        town.world.set_agents(Players(number));
        // While a worker's verb waits, the deacon looks once.
        town.world.set_meanwhile(move |_| _ = town_of(number).map(|inside| inside.look()));
        town.add_rig();
        town
    }

    fn add_rig(&self) {
        self.gt(&["rig", "add", story::RIG, REMOTE, "--prefix", story::PREFIX, "--yes"]);
        let held =
            self.town.ledger.read(|view| Ok::<_, Error>(view.condition(ConditionKind::RigHeld, story::RIG)?)).unwrap();
        let leaves_unproved = |point: &String| {
            ["commit:rig add:after", "commit:prove:before"].contains(&point.as_str())
                || point.starts_with("commit:gating:")
        };
        if self.kills.deaths().iter().any(leaves_unproved) {
            assert!(held.is_some(), "a rig that was not proved is held");
            self.gt(&["rig", "release", story::RIG]);
        }
        self.edit_rig(|text| {
            let text = text.replace("# landing = \"ask\"", "landing = \"auto\"");
            format!("{text}\n[env.set]\nGT_SIM_SCRIPT = \"{SCRIPT}\"\n")
        });
    }

    /// Changes the rig's settings.
    pub fn edit_rig(&self, change: impl FnOnce(String) -> String) {
        let path = self.town.rig(story::RIG).unwrap().layout.settings();
        let text = String::from_utf8(self.world.read(&path).unwrap().unwrap()).unwrap();
        self.world.write(&path, change(text).as_bytes()).unwrap();
    }
}

impl Inside {
    /// Calls a verb as the overseer, which must succeed. A killed call is repeated, and may then be refused because it
    /// is done.
    pub fn gt(&self, args: &[&str]) -> String {
        let call = || self.kills.act(Actor::Overseer, || self.call(args, Path::new(ROOT), &self.outside.env));
        if let Some(outcome) = call() {
            assert_eq!(outcome.code, 0, "gt {}: {}", args.join(" "), outcome.out);
            return outcome.out;
        }
        let again = call().expect("nobody dies twice");
        let was_done = self.kills.deaths().iter().any(|point| may_be_done(point));
        assert!(again.code == 0 || was_done, "gt {} again: {}", args.join(" "), again.out);
        again.out
    }

    /// Imports beads from JSONL.
    pub fn import(&self, jsonl: &str) {
        let path = Path::new("/play/beads.jsonl");
        self.world.write(path, jsonl.as_bytes()).unwrap();
        self.gt(&["bead", "import", &path.display().to_string()]);
    }

    /// Makes one call of `gt`. The outcome contains its output, or the error output of a failed call.
    fn call(&self, args: &[&str], cwd: &Path, env: &BTreeMap<String, String>) -> Outcome {
        let mut process = Process { env: env.clone(), cwd: cwd.to_owned(), outside: self.outside.clone(), town: None };
        process.outside.env.clone_from(env);
        process.town = Some(self.town.clone());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let args = ["gt"].iter().chain(args).map(OsString::from).collect();
        let code = gt::run(Invocation { args, out: &mut out, err: &mut err, terminal: false }, &process);
        let text = if code == 0 { out } else { [out, err].concat() };
        Outcome { code: code.into(), out: String::from_utf8(text).unwrap() }
    }

    /// Lets the deacon look once. Returns whether it did anything. (While a look waits, there is no other one.)
    pub fn look(&self) -> bool {
        let Ok(mut memory) = self.memory.try_borrow_mut() else { return false };
        match self.kills.act(Actor::Deacon, || deacon::look(&self.town, &mut memory)) {
            Some(looked) => self.noted(looked).unwrap_or_default(),
            // The next deacon starts without memory.
            None => {
                *memory = Memory::default();
                true
            }
        }
    }

    /// Writes the exported files, as the deacon does after a look.
    pub fn export(&self) {
        let exported = self.kills.act(Actor::Deacon, || port::export_changed(&self.town));
        exported.map_or_else(|| *self.memory.borrow_mut() = Memory::default(), |result| _ = self.noted(result));
    }

    /// Lets each refinery have one round. Returns whether a round changed anything.
    pub fn refine(&self) -> bool {
        let Ok(rigs) = self.town.rigs() else { return false };
        let round = |rig: &Rig| self.kills.act(Actor::Refinery, || refinery::run_round(&self.town, rig));
        let rounds = rigs.into_iter().filter_map(|rig| self.noted(round(&rig)?));
        rounds.flatten().filter(refinery::Round::changed).count() > 0
    }

    fn noted<T>(&self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.errors.borrow_mut().push(error.to_string())).ok()
    }

    /// Returns the errors of looks and rounds.
    pub fn errors(&self) -> Vec<String> {
        self.errors.borrow().clone()
    }

    /// One look, one round, one turn of each worker, and some time.
    pub fn tick(&self) {
        self.look();
        self.refine();
        self.world.run_agents_once();
        self.world.advance(TICK);
    }

    /// Returns whether a worker has set this mark.
    pub fn is_marked(&self, mark: &str) -> bool {
        self.marks.borrow().contains(mark)
    }

    /// Sets a mark for workers that wait for it.
    pub fn mark(&self, mark: &str) {
        self.marks.borrow_mut().insert(mark.to_owned());
    }

    /// Returns all events so far.
    pub fn events(&self) -> Vec<Event> {
        self.town.ledger.read(|view| Ok::<_, Error>(view.events(0, None, u32::MAX)?)).unwrap()
    }

    /// Returns the newest lines of output, for a test that fails.
    pub fn last_said(&self, lines: usize) -> String {
        let said = self.said.borrow();
        said[said.len().saturating_sub(lines)..].join("\n")
    }

    fn say(&self, line: String) {
        self.said.borrow_mut().push(line);
    }
}

/// Returns whether a verb that died at this point has changed something already: a rig exists before it is proved.
pub fn may_be_done(point: &str) -> bool {
    let cut_a_proof_short = ["commit:prove:", "commit:gating:"].iter().any(|begin| point.starts_with(begin));
    point.ends_with(":after") || cut_a_proof_short
}

fn outside(world: &SimWorld, kills: &Kills) -> Outside {
    let secrets = AtomicU64::new(0);
    let entropy = move || u128::from(secrets.fetch_add(1, Ordering::Relaxed)).to_be_bytes();
    Outside {
        build: "test".to_owned(),
        world: Arc::new(world.clone()),
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin".to_owned())]),
        gt: PathBuf::from("/usr/bin/gt"),
        presets: gt::presets(),
        prices: gt::prices(),
        entropy: Arc::new(entropy),
        faults: kills.faults(),
    }
}

/// Creates the town, then opens it again with its own settings.
fn open_town(world: &SimWorld, outside: &Outside, settings: &str) -> Town {
    let ledger = Ledger::in_memory(outside.world.clone()).unwrap();
    let Town { layout, ledger, outside, .. } = install::install_over(Path::new(ROOT), outside, ledger).unwrap();
    world.write(&layout.settings(), format!("version = 1\nagent = \"sim\"\n{settings}").as_bytes()).unwrap();
    let ledger = ledger.with_faults(outside.faults.clone());
    Town::with_ledger(&layout.root, outside, ledger).unwrap()
}

/// Runs the project's gates, without a shell.
fn run_gates(command: &ContainedCommand, files: &Files) -> RunResult {
    // The doctor asks for paths of programs.
    if command.argv.get(2).is_some_and(|line| line.starts_with("command -v ")) {
        return RunResult {
            end: RunEnd::Passed,
            took: Duration::ZERO,
            tail: command.argv.last().cloned().into_iter().collect(),
        };
    }
    if command.argv == ["claude", "--version"] {
        let tail = vec!["2.1.330 (Claude Code)".to_owned()];
        return RunResult { end: RunEnd::Passed, took: Duration::ZERO, tail };
    }
    assert_eq!(command.argv, ["sh", "-c", "sh ./run-tests"]);
    match judge::gates_pass(files) {
        Ok(()) => RunResult { end: RunEnd::Passed, took: GATES_TAKE, tail: Vec::new() },
        Err(why) => {
            let exit = Exit { code: Some(1), signal: None, reason: "exited".to_owned() };
            RunResult { end: RunEnd::Failed(exit), took: GATES_TAKE, tail: vec![why] }
        }
    }
}

/// Creates the workers of the town with this number.
struct Players(u64);

impl AgentFactory for Players {
    fn start(&self, plan: &SessionPlan) -> Result<Box<dyn SimAgent>, String> {
        let inside = town_of(self.0).ok_or("its town is gone")?;
        if plan.argv[0] == "claude" {
            return Ok(Box::new(Client { town: self.0, plan: plan.clone(), begun: false, worker: None }));
        }
        if plan.env.get("GT_ADDRESS").is_some_and(|address| !address.contains("/polecats/")) {
            return Ok(Box::new(Reader { town: self.0, plan: plan.clone() }));
        }
        let path = plan.env.get("GT_SIM_SCRIPT").ok_or("no script is named")?;
        let bytes = inside.world.read(Path::new(path)).map_err(|e| e.to_string())?;
        let text = String::from_utf8(bytes.unwrap_or_default()).map_err(|e| e.to_string())?;
        let script = Script::parse(&text).map_err(|e| e.to_string())?;
        Ok(Box::new(Worker { town: self.0, player: Player::new(script), plan: plan.clone(), asleep_until: None }))
    }
}

/// A standing agent that reads its mail, and goes to sleep.
struct Reader {
    town: u64,
    plan: SessionPlan,
}

impl SimAgent for Reader {
    fn turn(&mut self) -> Turn {
        let Some(inside) = town_of(self.town) else { return Turn::Wait };
        let mut stage = SimStage { inside: &inside, plan: &self.plan, asleep_until: &mut None };
        Turn::Exit(stage.gt(&["prime"]).code)
    }
}

/// A client with hooks: first its start hook, then a worker's work, or a standing agent's wait for a line.
struct Client {
    town: u64,
    plan: SessionPlan,
    begun: bool,
    worker: Option<Worker>,
}

impl Client {
    fn tell(&self, inside: &Inside, moment: &str) {
        // A number higher than any before.
        inside.world.advance(Duration::from_micros(1));
        let mark = format!("{{\"at_us\":{}}}", inside.world.clock().monotonic().as_micros());
        inside.world.disk().mark(&self.plan.dir.join("moments").join(moment), mark.as_bytes()).unwrap();
    }

    fn begin(&mut self, inside: &Inside) -> Turn {
        let manner = inside.client.borrow().clone();
        match manner {
            ClientManner::Exit(words) => {
                inside.world.put_out(&self.plan.dir, words);
                return Turn::Exit(1);
            }
            ClientManner::Ask(words) => {
                inside.world.put_out(&self.plan.dir, words);
                self.begun = true;
                return Turn::Again;
            }
            ClientManner::Well | ClientManner::Tell(_) => self.tell(inside, "start"),
        }
        self.begun = true;
        if self.plan.env.get("GT_ADDRESS").is_some_and(|address| address.contains("/polecats/")) {
            let text = inside.world.read(Path::new(SCRIPT)).unwrap().unwrap();
            let script = Script::parse(&String::from_utf8(text).unwrap()).unwrap();
            let player = Player::new(script);
            self.worker = Some(Worker { town: self.town, player, plan: self.plan.clone(), asleep_until: None });
        }
        Turn::Again
    }
}

impl SimAgent for Client {
    fn turn(&mut self) -> Turn {
        let Some(inside) = town_of(self.town) else { return Turn::Wait };
        match &mut self.worker {
            _ if !self.begun => self.begin(&inside),
            Some(worker) => worker.turn(),
            None => Turn::Wait,
        }
    }

    fn hear(&mut self, _line: &str) {
        let Some(inside) = town_of(self.town) else { return };
        self.tell(&inside, "prompt");
        if let ClientManner::Tell(mark) = *inside.client.borrow() {
            return self.tell(&inside, mark);
        }
        let mut stage = SimStage { inside: &inside, plan: &self.plan, asleep_until: &mut None };
        // The mail of which its hooks tell it then is recorded.
        assert_eq!(stage.gt(&["prime"]).code, 0);
        self.tell(&inside, "stop");
    }
}

/// One worker.
struct Worker {
    town: u64,
    player: Player,
    plan: SessionPlan,
    /// In monotonic time of the world.
    asleep_until: Option<Duration>,
}

impl SimAgent for Worker {
    fn turn(&mut self) -> Turn {
        let Some(inside) = town_of(self.town) else { return Turn::Wait };
        let now = inside.world.clock().monotonic();
        if self.asleep_until.is_some_and(|until| now < until) {
            return Turn::Wait;
        }
        self.asleep_until = None;
        let mut stage = SimStage { inside: &inside, plan: &self.plan, asleep_until: &mut self.asleep_until };
        match self.player.turn(&mut stage) {
            player::Turn::Acted => Turn::Again,
            player::Turn::Waiting => Turn::Wait,
            player::Turn::Ended(code) => Turn::Exit(code),
        }
    }
}

/// The part of the simulated world that a worker can change.
struct SimStage<'a> {
    inside: &'a Inside,
    plan: &'a SessionPlan,
    asleep_until: &'a mut Option<Duration>,
}

const FAILED: i32 = 1;
const KILLED: i32 = 137;
const NOT_STARTED: i32 = 127;

fn outcome<T>(result: Result<T, impl ToString>) -> Outcome {
    match result {
        Ok(_) => Outcome::default(),
        Err(error) => Outcome { code: FAILED, out: error.to_string() },
    }
}

impl SimStage<'_> {
    fn worktree(&self) -> &Path {
        &self.plan.cwd
    }

    fn append(&self, path: &FilePath, text: &str) -> Outcome {
        let old = self.inside.world.read_file(self.worktree(), path.as_str()).unwrap_or_default();
        if old.ends_with(text) {
            return Outcome::default();
        }
        outcome(self.inside.world.write_file(self.worktree(), path.as_str(), &(old + text)))
    }

    /// Returns the rig's own repository.
    fn repo(&self) -> PathBuf {
        self.inside.town.rig(story::RIG).unwrap().layout.repo()
    }

    /// Moves another worker's branch to its own head, if there is one. Otherwise creates a stray branch.
    fn move_ref(&self) {
        let (world, worktree) = (&self.inside.world, self.worktree());
        let (Ok(head), Ok(own)) = (world.head(worktree), world.current_branch(worktree)) else { return };
        let own = own.map(|own| format!("refs/heads/{own}"));
        let refs = world.refs(&self.repo()).unwrap();
        let other = refs.keys().find(|name| name.starts_with("refs/heads/") && Some(*name) != own.as_ref());
        let name = other.map_or("refs/heads/stray", String::as_str);
        world.move_ref(worktree, name, Some(&head)).unwrap();
    }
}

impl Stage for SimStage<'_> {
    fn gt(&mut self, args: &[&str]) -> Outcome {
        let called = self.inside.kills.act(Actor::Worker, || self.inside.call(args, self.worktree(), &self.plan.env));
        let Some(outcome) = called else {
            // The whole agent dies, not only its call.
            self.inside.world.kill(&self.plan.dir);
            return Outcome { code: KILLED, out: String::new() };
        };
        self.say(&format!("$ gt {} -> {}", args.join(" "), outcome.code));
        if outcome.code != 0 {
            self.say(outcome.out.trim_end());
        }
        outcome
    }

    fn edit(&mut self, edit: &Edit) -> Outcome {
        let world = &self.inside.world;
        match edit {
            Edit::Write(path, text) => outcome(world.write_file(self.worktree(), path.as_str(), text)),
            Edit::Append(path, text) => self.append(path, text),
            Edit::Remove(path) => {
                world.remove_file(self.worktree(), path.as_str());
                Outcome::default()
            }
            Edit::Patch(_) => Outcome { code: FAILED, out: "no patches here: write whole files".to_owned() },
        }
    }

    fn commit(&mut self, message: &str) -> Outcome {
        let name = self.plan.env.get("GT_ADDRESS").cloned().unwrap_or_default();
        let identity = (name, "worker@street.invalid".to_owned());
        match self.inside.world.commit_all(self.worktree(), message, &identity) {
            Err(error) if error.to_string().contains("nothing to commit") => Outcome::default(),
            other => outcome(other),
        }
    }

    fn rebase(&mut self, onto: &str, union: bool) -> Outcome {
        let refs = self.inside.world.refs(&self.repo()).unwrap();
        let Some(onto) = refs.get(onto) else { return Outcome { code: FAILED, out: format!("no ref {onto}") } };
        let (world, path, repo) = (&self.inside.world, self.worktree(), self.repo());
        let head = world.head(path).unwrap();
        if world.contains(&repo, &head, onto).unwrap() {
            return Outcome::default();
        }
        let commits = world.commits_of(&repo, &head, std::slice::from_ref(onto)).unwrap();
        let merged = commits.iter().any(|commit| commit.parents > 1);
        match if merged { world.merge(path, onto, union) } else { world.rebase(path, onto, union) } {
            Ok(RebaseEnd::Conflict { files }) => Outcome { code: FAILED, out: format!("conflict in {files:?}") },
            other => outcome(other),
        }
    }

    fn command(&mut self, argv: &[String]) -> Outcome {
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["gt", args @ ..] => self.gt(args),
            ["true"] => Outcome::default(),
            ["test", "-f", file] => {
                let there = self.inside.world.read_file(self.worktree(), file).is_some();
                Outcome { code: i32::from(!there), out: String::new() }
            }
            other => Outcome { code: NOT_STARTED, out: format!("{other:?} is not played here") },
        }
    }

    fn signal(&mut self, mark: &Mark) -> Outcome {
        self.inside.mark(mark.as_str());
        Outcome::default()
    }

    fn is_signalled(&mut self, mark: &Mark) -> bool {
        self.inside.is_marked(mark.as_str())
    }

    /// The worker sleeps, and the world continues.
    fn pause(&mut self, how_long: Duration) {
        *self.asleep_until = Some(self.inside.world.clock().monotonic() + how_long);
    }

    fn misbehave(&mut self, misbehaviour: Misbehaviour) {
        let (world, worktree) = (&self.inside.world, self.worktree());
        match misbehaviour {
            Misbehaviour::Crash => drop(world.kill(&self.plan.dir)),
            Misbehaviour::WrongBranch => world.switch_branch(worktree, "other").unwrap(),
            Misbehaviour::MoveRef => self.move_ref(),
            Misbehaviour::Push => assert!(world.push_as_worker(worktree).is_err()),
            // In this world the log is not a file, and the engine does not look at processes that stay behind.
            Misbehaviour::Flood | Misbehaviour::Orphan => {}
            Misbehaviour::Hang | Misbehaviour::Exit | Misbehaviour::Dirty | Misbehaviour::Lie | Misbehaviour::Close => {
            }
        }
    }

    fn say(&mut self, line: &str) {
        let who = self.plan.env.get("GT_ADDRESS").map_or("?", String::as_str);
        self.inside.say(format!("{who}: {line}"));
    }
}

impl Scene for SimTown {
    fn town(&self) -> &Town {
        &self.inside.town
    }

    fn overseer(&self, args: &[&str]) {
        self.gt(args);
    }

    fn import(&self, jsonl: &str) {
        self.inside.import(jsonl);
    }

    fn look(&self) -> bool {
        self.inside.look()
    }

    fn let_work(&self) {
        self.world.run_agents_once();
        self.world.advance(TICK);
    }

    fn mark(&self, mark: &str) {
        self.inside.mark(mark);
    }

    fn is_marked(&self, mark: &str) -> bool {
        self.inside.is_marked(mark)
    }

    fn kill(&self, incarnation: &Incarnation) {
        self.world.kill(&self.inside.town.layout.session(&incarnation.id));
    }

    fn last_words(&self) -> String {
        self.last_said(100)
    }
}
