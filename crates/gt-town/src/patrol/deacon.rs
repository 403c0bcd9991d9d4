//! The deacon: the town's daemon. A wake-up only means "look again"; every patrol reads the facts again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::formula::{Act, Patrol};
use gt_world::WakeUp;

use crate::admission::hooks_off;
use crate::admission::limits;
use crate::admission::outage;
use crate::admission::short_memory;
use crate::admission::spend;
use crate::admission::usage;
use crate::agents::kinds;
use crate::effects::{self, Scope};
use crate::keep::retention::{self, How, Schedule};
use crate::keep::upkeep::{self, Signs};
use crate::mail::post;
use crate::molecules;
use crate::patrol::standing;
use crate::patrol::witness::{self, Watch};
use crate::refinery::back_off::BackOff;
use crate::sync;
use crate::sync::port;
use crate::town::desired::{BUILD_KEY, DESIRED_KEY};
use crate::town::error::{self, Error, Result};
use crate::town::observed::Observed;
use crate::town::{Caller, Rig, Town};
use crate::work::convoy;

/// State that the deacon keeps between two patrols. It is only a cache; a new deacon starts without it.
#[derive(Debug, Default)]
pub struct Memory {
    observed: Observed,
    watch: Watch,
    signs: Signs,
    exports: Exports,
}

/// Schedule for writing the exported files without spending much time on it.
#[derive(Debug, Default)]
struct Exports {
    /// Earliest time of the next write, by the monotonic clock.
    not_before: Duration,
}

/// Share of the deacon's time for the exported files: one part in so many.
const EXPORT_SHARE: u32 = 20;

impl Exports {
    /// Writes the changed exported files, unless the last write was so recent that writing would exceed its share of time. So a
    /// large ledger that changes constantly is written rarely, and a small one on each patrol. After a pause both are up to date.
    fn refresh(&mut self, town: &Town) -> Result<()> {
        let clock = town.world().clock();
        let begun = clock.monotonic();
        if begun < self.not_before {
            return Ok(());
        }
        let result = port::export_changed(town);
        let ended = clock.monotonic();
        self.not_before = ended + (ended.saturating_sub(begun)) * EXPORT_SHARE;
        result
    }
}

/// Patrols everything but the refineries: sessions, effects, convoys. Returns whether anything was done.
pub fn look(town: &Town, memory: &mut Memory) -> Result<bool> {
    look_at(town, Scope::All, memory)
}

fn look_at(town: &Town, scope: Scope<'_>, memory: &mut Memory) -> Result<bool> {
    memory.observed.tick(town.world().clock().monotonic());
    let patrol = town.patrol(None, Patrol::Deacon);
    note_state(town, ConditionKind::Patrol, Patrol::Deacon.formula(), patrol.fault.map_or(Ok(()), Err))?;
    let mut did = false;
    for act in patrol.acts {
        did |= perform(town, act, scope, memory)?;
    }
    if scope == Scope::All {
        did |= follow_molecules(town, memory)?;
        did |= effects::run_all(town, scope, &mut memory.observed)? > 0;
    }
    Ok(did)
}

/// Performs one act of the deacon's patrol. Returns whether it may have made more to do.
fn perform(town: &Town, act: Act, scope: Scope<'_>, memory: &mut Memory) -> Result<bool> {
    let (observed, watch) = (&mut memory.observed, &mut memory.watch);
    let note = |subject: &str, result: Result<()>| note_state(town, ConditionKind::Patrol, subject, result);
    match act {
        Act::DeaconMemory => note("memory", short_memory::patrol(town))?,
        Act::DeaconEffects => return Ok(effects::run_all(town, scope, observed)? > 0),
        Act::DeaconLimits => limits::let_go(town, observed)?,
        Act::DeaconUsage => usage::patrol(town, &mut watch.meters, observed)?,
        Act::DeaconKinds => note("kinds", kinds::patrol(town))?,
        Act::DeaconHooks => note("hooks", hooks_off::patrol(town, &mut watch.meters))?,
        Act::DeaconOutages => note("outages", outage::patrol(town, observed))?,
        Act::DeaconRigs => patrol_rigs(town, memory)?,
        Act::DeaconAgents => patrol_agents(town, observed)?,
        Act::DeaconMail => handle_mail(town)?,
        Act::DeaconSpend => note("spend", spend::patrol(town, &mut watch.meters, observed))?,
        Act::DeaconConvoys => note("convoys", convoy::repair(town))?,
        Act::DeaconFeed => return Ok(convoy::feed(town)? > 0),
        // `Plan::acts` lets no other act through.
        _ => {}
    }
    Ok(false)
}

/// Repairs each rig's repository and lets its witness patrol. A failure in one rig stops no other.
fn patrol_rigs(town: &Town, memory: &mut Memory) -> Result<()> {
    for name in rig_names(town)? {
        let _rig = tracing::error_span!("rig", rig = name).entered();
        let patrol = town.rig(&name).and_then(|rig| {
            let kept = upkeep::patrol(town, &rig, &mut memory.signs);
            // A failed repair must not leave workers unsupervised.
            witness::patrol(town, &rig, &mut memory.watch, &mut memory.observed).and(kept)
        });
        note_state(town, ConditionKind::Patrol, &name, patrol)?;
    }
    Ok(())
}

fn patrol_agents(town: &Town, observed: &mut Observed) -> Result<()> {
    for agent in town.ledger.read(|view| view.agents().map_err(Error::from))? {
        let patrol = standing::patrol(town, &agent, observed);
        note_state(town, ConditionKind::Patrol, &agent.address.to_string(), patrol)?;
    }
    Ok(())
}

/// Looks at the molecules, and runs their commands one after the other. A running deacon has threads for that.
fn follow_molecules(town: &Town, memory: &mut Memory) -> Result<bool> {
    let pass = molecules::look(town, &mut memory.observed)?;
    for job in &pass.jobs {
        molecules::run(town, job)?;
    }
    Ok(pass.changed || !pass.jobs.is_empty())
}

fn rig_names(town: &Town) -> Result<Vec<String>> {
    let rows = town.ledger.read(|view| view.rigs().map_err(Error::from))?;
    Ok(rows.into_iter().map(|row| row.name.to_string()).collect())
}

/// Records a failure with one rig or one standing agent as a condition until it succeeds again. The failure stops no other rig.
fn note_state(town: &Town, kind: ConditionKind, rig: &str, result: Result<()>) -> Result<()> {
    let known = town.ledger.read(|view| view.condition(kind, rig).map_err(Error::from))?;
    match (result, known) {
        (Err(error @ Error::Ledger(_)), _) => return Err(error),
        // It was removed during the patrol.
        (Err(Error::UnknownRig { .. }), None) => {}
        (Err(error), None) => {
            let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
            let text = format!("{}{hint}", error::chain(&error));
            tracing::error!(condition = kind.as_str(), subject = rig, error = as_cause(&error), "this goes wrong now");
            town.ledger.write(&Address::Deacon.to_string(), kind.as_str(), |tx| {
                tx.raise(kind, rig, &text).map_err(Error::from)
            })?;
        }
        (Ok(()), Some(_)) => {
            town.ledger
                .write(&Address::Deacon.to_string(), kind.as_str(), |tx| tx.clear(kind, rig).map_err(Error::from))?;
            tracing::info!(condition = kind.as_str(), subject = rig, "this goes well again");
        }
        (Err(_), Some(_)) | (Ok(()), None) => {}
    }
    Ok(())
}

/// Marks the deacon's mail as handled. Messages such as RECOVERED_BEAD are for people; the facts are in the ledger.
fn handle_mail(town: &Town) -> Result<()> {
    post::handle(town, &Address::Deacon, &|_, _| Ok(()))
}

/// A bell that several threads can ring. Each thread waits for rings on its own.
#[derive(Debug, Default)]
struct Bell {
    rings: Mutex<u64>,
    rung: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rings.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += 1;
        self.rung.notify_all();
    }

    /// Waits for a ring after number `seen`, for at most this time. Returns the number of the newest ring.
    fn wait(&self, seen: u64, at_most: Duration) -> u64 {
        let rings = self.rings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let waited = self.rung.wait_timeout_while(rings, at_most, |rings| *rings == seen);
        *waited.unwrap_or_else(std::sync::PoisonError::into_inner).0
    }
}

/// Runs until the town should be down or is gone. The caller holds the deacon's lock.
pub fn run(town: &Town, wake_up: &mut dyn WakeUp) -> Result<()> {
    let bell = Arc::new(Bell::default());
    let stop = Arc::new(AtomicBool::new(false));
    let mut hands = Hands { bell: bell.clone(), stop: stop.clone(), running: Vec::new() };
    let mut memory = Memory::default();
    let mut seen = None;
    let mut newer: Option<Town> = None;
    tracing::info!(build = town.outside.build, "the deacon runs");
    loop {
        // Read the settings again, so that a changed setting needs no restart of the deacon.
        newer = newer.as_ref().unwrap_or(town).with_changed_settings().or(newer);
        let town = newer.as_ref().unwrap_or(town);
        // No failure ends the deacon. It ends only when the town should be down or is gone.
        match is_wanted(town) {
            Ok(false) if is_moving(town) => continue,
            Ok(false) => break,
            Ok(true) => seen = step(town, &mut memory, &mut hands, seen),
            Err(error) => note_error(town, "look", &error),
        }
        rest(town, wake_up)?;
    }
    stop.store(true, Ordering::SeqCst);
    bell.ring();
    hands.leave(town);
    if !town.is_there() {
        return Ok(());
    }
    tracing::info!("the deacon ends");
    // The ledger has everything, so a failed checkpoint must not keep the town from going down.
    let checkpoint = sync::checkpoint(town, &Caller::role(Address::Deacon));
    checkpoint.map(|_| ()).unwrap_or_else(|error| note_error(town, "checkpoint", &error));
    port::export_changed(town)
}

/// Performs one patrol and returns the ledger's change signal from before it. Changes that others make during the patrol count
/// for the next one, because the threads have not heard of them.
fn step(town: &Town, memory: &mut Memory, hands: &mut Hands, seen: Option<i64>) -> Option<i64> {
    hands.start_missing(town).unwrap_or_else(|error| note_error(town, "threads", &error));
    let signal = town.ledger.change_signal().ok();
    match look_at(town, Scope::Local, memory) {
        Ok(did) if did || seen != signal => hands.bell.ring(),
        Ok(_) => {}
        Err(error) => note_error(town, "look", &error),
    }
    // Boot treats a deacon that stops touching this file as hung.
    town.world().disk().touch(&town.layout.heartbeat()).unwrap_or_else(|e| note_error(town, "heartbeat", &e.into()));
    // A town that has just been deleted must not come back through its own export.
    if town.is_there() {
        memory.exports.refresh(town).unwrap_or_else(|error| note_error(town, "export", &error));
    }
    signal
}

/// Time between two checks by deacon and boot that the town still exists. A check costs one look at a file.
pub(crate) const TOWN_LOOK: Duration = Duration::from_secs(2);

/// Whether the town seems missing only because a person is moving it and leaves a link in its place. Nothing is written
/// meanwhile.
fn is_moving(town: &Town) -> bool {
    if town.is_there() {
        return false;
    }
    town.world().clock().pause(TOWN_LOOK);
    town.is_there()
}

/// Waits for the next patrol: until a wake-up, until the town is gone, or for the full interval.
fn rest(town: &Town, wake_up: &mut dyn WakeUp) -> Result<()> {
    let clock = town.world().clock();
    let end = clock.monotonic() + pace(town);
    loop {
        let left = end.saturating_sub(clock.monotonic());
        if left.is_zero() || wake_up.wait(left.min(TOWN_LOOK))? || !town.is_there() {
            return Ok(());
        }
    }
}

/// Returns the time between two patrols. Observed time does not advance over longer gaps.
fn pace(town: &Town) -> Duration {
    Duration::from_secs(town.settings.patrol_seconds.clamp(1, 60))
}

/// Whether the town exists, should be up, and is run by this build of gt.
pub fn is_wanted(town: &Town) -> Result<bool> {
    if !town.is_there() {
        return Ok(false);
    }
    let (desired, build) = town.ledger.read(|view| Ok::<_, Error>((view.meta(DESIRED_KEY)?, view.meta(BUILD_KEY)?)))?;
    let superseded = build.is_some_and(|build| build != town.outside.build);
    Ok(desired.as_deref() != Some("down") && !superseded)
}

/// Logs an error of a patrol. It must not end the deacon; the next patrol tries again.
fn note_error(town: &Town, during: &str, error: &Error) {
    // A log of another town that is here now is none of ours.
    if town.is_there() {
        tracing::error!(during, error = as_cause(error), "the deacon could not do this");
    }
}

fn as_cause(error: &Error) -> &(dyn std::error::Error + 'static) {
    error
}

/// Threads of each rig: one for its refinery, because gates take minutes; one for its remote, which may not answer; and as many
/// for set-ups of worktrees as may run at once. No thread may delay another thread, another rig or the sessions.
struct Hands {
    bell: Arc<Bell>,
    stop: Arc<AtomicBool>,
    running: Vec<(String, std::thread::JoinHandle<()>)>,
}

/// Work that a thread repeats for its rig.
#[derive(Clone, Copy, Debug)]
enum Task {
    /// Rounds of the merge queue.
    Refinery,
    /// Effects that use the remote.
    Remote,
    /// Set-ups of worktrees. The number, from 0, tells the concurrent ones apart.
    SetUp(u32),
}

impl Task {
    /// Returns the tasks of a rig by its current settings. If the settings can't be read, there is one set-up task.
    fn all(town: &Town, rig: &str) -> impl Iterator<Item = Self> {
        let at_once = town.rig(rig).map_or(1, |rig| rig.settings.worktree.at_once.max(1));
        [Self::Refinery, Self::Remote].into_iter().chain((0..at_once).map(Self::SetUp))
    }

    /// Returns the condition that is raised while the task fails.
    fn condition(self) -> ConditionKind {
        match self {
            Self::Refinery => ConditionKind::Refinery,
            Self::Remote => ConditionKind::Remote,
            Self::SetUp(_) => ConditionKind::SetUp,
        }
    }

    /// Returns the name of the task's thread.
    fn thread(self, rig: &str) -> String {
        match self {
            Self::SetUp(number) => format!("{} {number} {rig}", self.condition()),
            _ => format!("{} {rig}", self.condition()),
        }
    }

    /// Whether the rig still needs the task.
    fn is_wanted(self, rig: &Rig) -> bool {
        !matches!(self, Self::SetUp(number) if number >= rig.settings.worktree.at_once.max(1))
    }

    /// Performs the task once. Returns whether anything changed.
    fn turn(self, town: &Town, rig: &Rig, past: &mut Past) -> Result<Turn> {
        past.observed.tick(town.world().clock().monotonic());
        let scope = match self {
            Self::Refinery => {
                let round = past.back_off.round(town, rig, &mut past.observed)?;
                return Ok(round.map_or(Turn::Paused, |round| Turn::Done { changed: round.changed() }));
            }
            Self::Remote => Scope::RemoteOf(rig.name()),
            Self::SetUp(_) => Scope::SetUpOf(rig.name()),
        };
        Ok(Turn::Done { changed: effects::run_all(town, scope, &mut past.observed)? > 0 })
    }
}

/// State that a thread keeps from its earlier turns.
#[derive(Debug, Default)]
struct Past {
    observed: Observed,
    back_off: BackOff,
}

/// Outcome of one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It succeeded.
    Done {
        /// Whether there may be more to do.
        changed: bool,
    },
    /// It failed recently and was not tried.
    Paused,
}

impl Hands {
    fn start_missing(&mut self, town: &Town) -> Result<()> {
        self.running.retain(|(_, thread)| !thread.is_finished());
        self.start(town, HOUSEKEEPING, keep_house)?;
        self.start(town, CHECKPOINTS, keep_checkpoints)?;
        self.start(town, MOLECULES, run_molecules)?;
        for rig in rig_names(town)? {
            for task in Task::all(town, &rig) {
                let name = task.thread(&rig);
                if self.running.iter().any(|(running, _)| *running == name) {
                    continue;
                }
                let (town, bell, stop, rig) = (town.reopen()?, self.bell.clone(), self.stop.clone(), rig.clone());
                let thread = std::thread::spawn(move || work(&town, &rig, task, &bell, &stop));
                self.running.push((name, thread));
            }
        }
        Ok(())
    }

    /// Starts a thread for the whole town unless it is running. Measuring many files takes time, and so does git.
    fn start(&mut self, town: &Town, name: &str, work: fn(&Town, &Arc<Bell>, &AtomicBool)) -> Result<()> {
        if self.running.iter().any(|(running, _)| running == name) {
            return Ok(());
        }
        let (town, bell, stop) = (town.reopen()?, self.bell.clone(), self.stop.clone());
        let thread = std::thread::spawn(move || work(&town, &bell, &stop));
        self.running.push((name.to_owned(), thread));
        Ok(())
    }

    /// Waits for rounds that are about to end. A round whose gates take longer ends with this process, and so do its gates.
    /// Nothing is lost.
    fn leave(self, town: &Town) {
        let clock = town.world().clock();
        let start = clock.monotonic();
        let at_work = |hands: &Self| hands.running.iter().any(|(_, thread)| !thread.is_finished());
        while at_work(&self) && clock.monotonic() - start < LEAVE_DEADLINE {
            clock.pause(Duration::from_millis(10));
        }
    }
}

/// Time that these threads have to end their turns when the town goes down.
const LEAVE_DEADLINE: Duration = Duration::from_secs(5);

/// Name that no rig can have.
const HOUSEKEEPING: &str = "(retention)";
const CHECKPOINTS: &str = "(checkpoints)";
const MOLECULES: &str = "(molecules)";

fn keep_checkpoints(town: &Town, bell: &Arc<Bell>, stop: &AtomicBool) {
    let (mut schedule, mut seen) = (sync::Schedule::default(), 0);
    let mut newer: Option<Town> = None;
    while !stop.load(Ordering::SeqCst) {
        newer = newer.as_ref().unwrap_or(town).with_changed_settings().or(newer);
        let town = newer.as_ref().unwrap_or(town);
        if town.is_there() {
            sync::checkpoint_if_due(town, &mut schedule).unwrap_or_else(|error| note_error(town, "checkpoint", &error));
        }
        seen = bell.wait(seen, pace(town));
    }
}

/// Runs the molecules that no worker follows, and the commands and gates of the others.
fn run_molecules(town: &Town, bell: &Arc<Bell>, stop: &AtomicBool) {
    let (mut runner, mut observed, mut seen) = (Runner::new(bell.clone()), Observed::default(), 0);
    let mut newer: Option<Town> = None;
    while !stop.load(Ordering::SeqCst) {
        newer = newer.as_ref().unwrap_or(town).with_changed_settings().or(newer);
        let town = newer.as_ref().unwrap_or(town);
        observed.tick(town.world().clock().monotonic());
        let looked = molecules::look(town, &mut observed);
        let next = looked.as_ref().ok().and_then(|pass| pass.next);
        let result = looked.and_then(|pass| runner.start(town, pass.jobs));
        note_state(town, ConditionKind::Patrol, "molecules", result)
            .unwrap_or_else(|error| note_error(town, "molecules", &error));
        seen = bell.wait(seen, until(town, next));
    }
}

/// Returns the time until the next look at molecules: a patrol's interval, or less if a gate opens by itself before.
fn until(town: &Town, next: Option<jiff::Timestamp>) -> Duration {
    let now = town.world().clock().now();
    let left = next.map(|next| Duration::try_from(next.duration_since(now)).unwrap_or_default());
    left.map_or(pace(town), |left| left.clamp(SHORTEST_WAIT, pace(town)))
}

/// Shortest time between two looks at molecules that nothing else asked for.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// Threads that run commands of molecules, one command each.
struct Runner {
    bell: Arc<Bell>,
    running: Vec<(molecules::Job, std::thread::JoinHandle<()>)>,
}

impl Runner {
    fn new(bell: Arc<Bell>) -> Self {
        Self { bell, running: Vec::new() }
    }

    /// Starts those jobs that are not running, as many as the machine has cores, but at least two at once.
    fn start(&mut self, town: &Town, jobs: impl IntoIterator<Item = molecules::Job>) -> Result<()> {
        self.running.retain(|(_, thread)| !thread.is_finished());
        let limit = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
        for job in jobs {
            if self.running.len() >= limit || self.running.iter().any(|(running, _)| *running == job) {
                continue;
            }
            let (town, bell, task) = (town.reopen()?, self.bell.clone(), job.clone());
            let thread = std::thread::spawn(move || {
                molecules::run(&town, &task).unwrap_or_else(|error| note_error(&town, "step", &error));
                bell.ring();
            });
            self.running.push((job, thread));
        }
        Ok(())
    }
}

fn keep_house(town: &Town, bell: &Arc<Bell>, stop: &AtomicBool) {
    let (mut schedule, mut seen) = (Schedule::default(), 0);
    while !stop.load(Ordering::SeqCst) {
        if schedule.is_due(town.world().clock().monotonic()) {
            // Read the settings again; a person may have changed them.
            let run =
                town.reopen().and_then(|town| retention::run(&town, &Caller::role(Address::Deacon), How::default()));
            match run {
                Ok(report) => report.failed.iter().for_each(|why| tracing::error!(why, "retention left something")),
                Err(error) => note_error(town, "retention", &error),
            }
        }
        seen = bell.wait(seen, pace(town));
    }
}

fn work(town: &Town, rig: &str, task: Task, bell: &Bell, stop: &AtomicBool) {
    let _rig = tracing::error_span!("rig", rig, task = task.condition().as_str()).entered();
    let (mut seen, mut past) = (0, Past::default());
    let mut newer: Option<Town> = None;
    while !stop.load(Ordering::SeqCst) {
        newer = newer.as_ref().unwrap_or(town).with_changed_settings().or(newer);
        let town = newer.as_ref().unwrap_or(town);
        // Read the settings again; a person may have changed them.
        let turn = match town.rig(rig) {
            Err(Error::UnknownRig { .. }) => return,
            Ok(rig) if !task.is_wanted(&rig) => return,
            rig => rig.and_then(|rig| task.turn(town, &rig, &mut past)),
        };
        let changed = matches!(turn, Ok(Turn::Done { changed: true }));
        if matches!(turn, Ok(Turn::Paused)) {
            // The condition from the last turn stays.
        } else if let Err(error) = note_state(town, task.condition(), rig, turn.map(|_| ())) {
            note_error(town, &format!("{} {rig}", task.condition()), &error);
        }
        if changed {
            town.wake();
            continue;
        }
        seen = bell.wait(seen, pace(town));
    }
}
