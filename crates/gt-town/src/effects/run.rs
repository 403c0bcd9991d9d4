//! The runner of effects. An effect is run by whoever holds its lock: probed first (every act finds out by itself
//! whether it has happened), then done, then recorded under its fence.

use gt_model::condition::ConditionKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_model::address::Address;
use gt_model::bead::DepType;
use gt_model::effect::{AfterFailure, Effect, after_failure};
use gt_model::id::{AttemptId, IncarnationId, MrId, RigName, Sha, sha256_hex};

use crate::admission::limits;
use crate::admission::short_memory;
use crate::admission::spend;
use crate::agents::counting::Counting;
use crate::agents::marks;
use crate::agents::readiness;
use crate::agents::seat;
use crate::agents::wanted;
use crate::rigs::archive;
use crate::rigs::reading;
use crate::rigs::refs;
use crate::rigs::remote::{self, Fetched};
use crate::rigs::setup;
use crate::rigs::warm;
use crate::rigs::workspaces;
use crate::town::desired;
use crate::town::error::{Error, Result, chain};
use crate::town::observed::Observed;
use crate::town::{Caller, Rig, Town};
use crate::work::decided;
use crate::work::hook;
use gt_ledger::{Attempt, EffectRow, Holder, Incarnation, IncarnationProcess, Tx, View};
use gt_world::{Held, NodeKind, Rules, SessionState, WorktreePlan, WorldError};

mod asked;

pub use asked::fetch;

/// How long a session's tree has to end politely.
const END_GRACE: Duration = Duration::from_secs(5);

/// Tries before this one after which a worktree goes into the archive without a snapshot.
const SNAPSHOT_TRIES: u32 = 2;

/// The event of a worktree that went into the archive without a snapshot.
pub(crate) const SNAPSHOT_FAILED: &str = "snapshot-failed";

/// Who runs effects, for the audit.
fn runner() -> Caller {
    Caller::role(Address::Deacon)
}

/// Which effects a runner looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// All of them.
    All,
    /// Those that ask no remote: they take a moment.
    Local,
    /// Those that set this rig's worktrees up, which may take minutes.
    SetUpOf(&'a RigName),
    /// Those that ask this rig's remote, which may take as long as it likes.
    RemoteOf(&'a RigName),
}

impl Scope<'_> {
    fn holds(self, row: &EffectRow) -> bool {
        let asks_remote = matches!(row.effect, Effect::FetchBase { .. } | Effect::Fetch { .. } | Effect::Land { .. });
        let sets_up = matches!(row.effect, Effect::SetUp { .. });
        match self {
            Self::All => true,
            Self::Local => !asks_remote && !sets_up,
            Self::RemoteOf(rig) => asks_remote && row.rig.as_ref() == Some(rig),
            Self::SetUpOf(rig) => sets_up && row.rig.as_ref() == Some(rig),
        }
    }
}

/// Runs every effect whose turn it is, until none is left that can be run now. Answers with how many were done.
pub fn run_all(town: &Town, scope: Scope<'_>, observed: &mut Observed) -> Result<usize> {
    let mut done = 0;
    loop {
        let before = done;
        let rows = town.ledger.read(|view| view.open_effects().map_err(Error::from))?;
        for row in rows.iter().filter(|row| !row.gave_up && scope.holds(row)) {
            if is_due(town, row, observed)? && run(town, row)? {
                done += 1;
            }
        }
        if done == before {
            return Ok(done);
        }
    }
}

/// Runs one effect now, whatever pauses it has.
pub fn run_one(town: &Town, id: i64) -> Result<()> {
    let Some(row) = town.ledger.read(|view| view.open_effect(id).map_err(Error::from))? else { return Ok(()) };
    let held = town.lock(&lane(&row.effect, row.rig.as_ref()))?;
    attempt_run(town, &row, &held)
}

/// Starts effects over that were given up.
pub fn retry_given_up(town: &Town, caller: &Caller) -> Result<usize> {
    let count = town.ledger.write(&caller.name(), "retry effects", |tx| {
        for condition in tx.conditions()?.iter().filter(|c| c.kind == ConditionKind::Effect) {
            tx.clear(ConditionKind::Effect, &condition.subject)?;
        }
        tx.retry_effects().map_err(Error::from)
    })?;
    town.wake();
    Ok(count)
}

/// What must not run at the same time shares a lock: writers of a repository, users of a remote, one session's acts.
fn lane(effect: &Effect, rig: Option<&RigName>) -> String {
    let rig = rig.map_or("town", RigName::as_str);
    match effect {
        Effect::FetchBase { .. } | Effect::Fetch { .. } | Effect::Land { .. } => format!("remote-{rig}"),
        Effect::AddWorktree { .. }
        | Effect::Snapshot { .. }
        | Effect::ArchiveWorktree { .. }
        | Effect::PinMr { .. }
        | Effect::DropBranch { .. }
        | Effect::ReadTrunk { .. }
        | Effect::AddCrew { .. }
        | Effect::ArchiveCrew { .. }
        | Effect::UndoRef { .. } => format!("repo-{rig}"),
        Effect::SetUp { attempt } => format!("set-up-{attempt}"),
        Effect::StartSession { incarnation } | Effect::EndSession { incarnation } => format!("session-{incarnation}"),
    }
}

/// Whether an effect's turn has come: its delay and the pause after its last failure are over, and what it waits for
/// has happened.
fn is_due(town: &Town, row: &EffectRow, observed: &mut Observed) -> Result<bool> {
    // Landings belong to the refinery's round, which holds what else they depend on.
    if matches!(row.effect, Effect::Land { .. }) {
        return Ok(false);
    }
    let key = format!("effect-{}-{}", row.id, row.tries);
    let age = observed.age(&key);
    let pause = match (row.tries, after_failure(row.tries)) {
        (0, _) => Duration::ZERO,
        _ if observed.is_impatient() => Duration::ZERO,
        (_, AfterFailure::RetryAfter(pause)) => pause,
        (_, AfterFailure::GiveUp) => return Ok(false),
    };
    if age < pause {
        return Ok(false);
    }
    // A session that is over by itself needs no waiting for.
    let delay_over = age >= row.delay || session_is_over(town, &row.effect)?;
    Ok(delay_over && preconditions_hold(town, row, observed)?)
}

fn session_is_over(town: &Town, effect: &Effect) -> Result<bool> {
    let Effect::EndSession { incarnation } = effect else { return Ok(false) };
    let incarnation = town.ledger.read(|view| view.incarnation(incarnation).map_err(Error::from))?;
    if incarnation.as_ref().is_none_or(|i| i.ended_at.is_some()) {
        return Ok(true);
    }
    // Whoever has nothing more to do, and has ended its turn, is not kept for the rest of the pause.
    Ok(incarnation.map(|i| marks::marks(town, &i.id)).transpose()?.is_some_and(|marks| marks.is_at_rest()))
}

fn preconditions_hold(town: &Town, row: &EffectRow, observed: &mut Observed) -> Result<bool> {
    let holds = town.ledger.read(|view| {
        if wait(view, row, town.settings.max_polecats)?.is_some() {
            return Ok(false);
        }
        Ok::<_, Error>(match &row.effect {
            // Nobody is in the worktree any more, and that is recorded.
            Effect::ArchiveWorktree { attempt } => {
                view.incarnations_of(*attempt)?.iter().all(|i| i.ended_at.is_some())
                    && view.open_effects()?.iter().all(|other| other.id >= row.id || !makes_worktree(other, *attempt))
            }
            Effect::ArchiveCrew { crew } => view.live_incarnations_of_agent(crew)?.is_empty(),
            // Git deletes no branch that a worktree is on.
            Effect::DropBranch { attempt } => view.attempt(*attempt)?.is_none_or(|a| a.archived_at.is_some()),
            _ => true,
        })
    })?;
    match &row.effect {
        Effect::StartSession { incarnation } if holds => readiness::may_start(town, incarnation, observed),
        _ => Ok(holds),
    }
}

fn attempt_of(view: &View<'_>, incarnation: &IncarnationId) -> Result<Option<Attempt>> {
    let incarnation = view.incarnation(incarnation)?;
    let attempt = incarnation.and_then(|incarnation| incarnation.attempt());
    Ok(attempt.map(|attempt| view.attempt(attempt)).transpose()?.flatten())
}

/// What keeps a worker from being started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A person paused the town or the rig.
    Paused,
    /// The town goes down.
    GoingDown,
    /// The day's cap on spending is reached.
    Spend,
    /// Too little memory is free.
    Memory,
    /// Its kind of agent can't work now: a limit of its account, or a service that does not answer.
    Parked(String),
    /// Every slot is taken: how many there are, and by whom.
    Slots(u32, Vec<Address>),
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Paused => f.write_str("waiting: nothing new is begun until gt resume"),
            Self::GoingDown => f.write_str("waiting: the town goes down"),
            Self::Spend => f.write_str("waiting: the day's cap on spending is reached (gt cost)"),
            Self::Memory => f.write_str("waiting: too little memory is free (min_free_memory_mb in town.toml)"),
            Self::Parked(kind) => write!(f, "waiting: the kind of agent {kind} can't work now (gt status)"),
            Self::Slots(slots, by) => {
                let by: Vec<String> = by.iter().map(Address::to_string).collect();
                write!(f, "waiting for a slot: max_polecats = {slots}, {} of {slots} in use", by.len())?;
                if by.is_empty() { Ok(()) } else { write!(f, " by {}", by.join(", ")) }
            }
        }
    }
}

/// Attempts that hold a worker slot: from their base on until their worktree is archived.
fn slot_holders(view: &View<'_>, but: AttemptId) -> Result<Vec<Attempt>> {
    let has_slot = |other: &Attempt| other.id != but && other.base.is_some() && other.archived_at.is_none();
    Ok(view.present_attempts()?.into_iter().filter(has_slot).collect())
}

/// What an effect that starts a worker waits for, beside its turn; `None` for nothing, and for every other effect.
pub(crate) fn wait(view: &View<'_>, row: &EffectRow, slots: u32) -> Result<Option<Wait>> {
    let attempt = match &row.effect {
        Effect::FetchBase { attempt } => view.attempt(*attempt)?,
        Effect::StartSession { incarnation } => attempt_of(view, incarnation)?,
        _ => return Ok(None),
    };
    let begins = matches!(row.effect, Effect::FetchBase { .. });
    if begins && desired::is_paused(view, row.rig.as_ref())? {
        return Ok(Some(Wait::Paused));
    }
    if desired::is_going_down(view)? {
        return Ok(Some(Wait::GoingDown));
    }
    if spend::is_reached(view)? {
        return Ok(Some(Wait::Spend));
    }
    if short_memory::is_short(view)? {
        return Ok(Some(Wait::Memory));
    }
    let Some(attempt) = attempt else { return Ok(None) };
    if limits::is_parked_for(view, &attempt)? {
        return Ok(Some(Wait::Parked(attempt.agent)));
    }
    if !begins {
        return Ok(None);
    }
    // Effects are run in their order, so first come is first served, and what can't get a base keeps nobody waiting.
    let holders = slot_holders(view, attempt.id)?;
    let is_full = holders.len() >= slots as usize;
    Ok(is_full.then(|| Wait::Slots(slots, holders.iter().map(Attempt::address).collect())))
}

fn makes_worktree(row: &EffectRow, attempt: AttemptId) -> bool {
    matches!(row.effect, Effect::AddWorktree { attempt: a } | Effect::SetUp { attempt: a } if a == attempt)
}

fn run(town: &Town, row: &EffectRow) -> Result<bool> {
    let Some(held) = town.try_lock(&lane(&row.effect, row.rig.as_ref()))? else { return Ok(false) };
    match attempt_run(town, row, &held) {
        Ok(()) => Ok(true),
        Err(error @ Error::Ledger(_)) => Err(error),
        // Recorded with the effect; the next look goes on with the others.
        Err(_) => Ok(false),
    }
}

fn attempt_run(town: &Town, row: &EffectRow, held: &Held) -> Result<()> {
    let name = runner().name();
    // A fence keeps off other processes: with the machine's power they are gone too.
    let begun = town.ledger.write_for_now(&name, "begin effect", |tx| tx.begin_run(row.id).map_err(Error::from))?;
    let Some(run) = begun else { return Ok(()) };
    town.outside.faults.at(&format!("effect:{}:before", row.effect.kind()));
    let result = perform(town, row, held);
    town.outside.faults.at(&format!("effect:{}:after", row.effect.kind()));
    match result {
        Ok(outcome) => town.ledger.write(&name, row.effect.kind(), |tx| {
            if tx.finish_run(row, run)? { conclude(tx, row, outcome, town.settings.max_polecats) } else { Ok(()) }
        }),
        Err(error) => {
            record_failure(town, row, run, &error)?;
            Err(error)
        }
    }
}

fn record_failure(town: &Town, row: &EffectRow, run: i64, error: &Error) -> Result<()> {
    // A link that somebody has planted does not go by itself.
    let is_led = matches!(error, Error::World(WorldError::Led { .. }));
    let give_up = is_led || after_failure(row.tries + 1) == AfterFailure::GiveUp;
    town.ledger.write(&runner().name(), "fail effect", |tx| {
        let text = chain(error);
        tx.fail_run(row, run, &text, give_up)?;
        if give_up {
            tx.raise(ConditionKind::Effect, &row.id.to_string(), &format!("{}: {text}", row.effect.kind()))?;
        }
        Ok(())
    })
}

/// What doing an effect brought to light, to be recorded with its end.
enum Outcome {
    /// Nothing but that it is done.
    Done,
    /// It is no longer wanted.
    Moot,
    /// The remote's branches, and for an attempt its base.
    Fetched { fetched: Fetched, base: Option<Box<(Attempt, Sha)>> },
    /// There is a worktree, and whether the rig wants more of it than git gives.
    Added { to_set_up: bool },
    /// The session's state, and its kind of agent where what that takes is unknown.
    Started(SessionState, Option<String>),
    /// The snapshot's commit.
    Snapshot(Sha),
    /// The snapshot or why there is none, and refs that somebody else moved.
    Archived { snapshot: std::result::Result<Option<Sha>, String>, foreign: Vec<refs::Foreign> },
}

fn perform(town: &Town, row: &EffectRow, held: &Held) -> Result<Outcome> {
    let repo = town.world().repo();
    match &row.effect {
        Effect::FetchBase { attempt } => fetch_base(town, *attempt, held),
        Effect::Fetch { rig } => {
            let rig = town.rig(rig.as_str())?;
            let fetched = remote::fetch(town, &rig, held)?;
            if rig.settings.worktree.lfs {
                // For workers who go on from the new trunk: they have no credentials. What is missing is theirs to see.
                repo.fetch_large_files(held, &rig.layout.repo(), &fetched.trunk(&rig)?)?;
            }
            Ok(Outcome::Fetched { fetched, base: None })
        }
        Effect::AddWorktree { attempt } => add_worktree(town, *attempt, held),
        Effect::SetUp { attempt } => set_up(town, *attempt, held),
        Effect::StartSession { incarnation } => {
            // The settings may have changed since the deacon's look began.
            let changed = town.with_changed_settings();
            start_session(changed.as_ref().unwrap_or(town), incarnation)
        }
        Effect::EndSession { incarnation } => {
            town.world().sessions().end(&town.layout.session(incarnation), END_GRACE)?;
            Ok(Outcome::Done)
        }
        Effect::Snapshot { attempt } => snapshot(town, *attempt, held),
        Effect::ArchiveWorktree { attempt } => archive_worktree(town, row, *attempt, held),
        Effect::PinMr { mr } => pin(town, mr, held),
        Effect::DropBranch { attempt } => {
            let (attempt, rig) = attempt_and_rig(town, *attempt)?;
            repo.delete_ref(held, &rig.layout.repo(), &format!("refs/heads/{}", attempt.branch))?;
            Ok(Outcome::Done)
        }
        Effect::ReadTrunk { rig } => {
            reading::refresh(town, &town.rig(rig.as_str())?, held)?;
            Ok(Outcome::Done)
        }
        Effect::AddCrew { crew } => {
            Ok(if workspaces::add_worktree(town, crew, held)? { Outcome::Done } else { Outcome::Moot })
        }
        Effect::ArchiveCrew { crew } => {
            workspaces::archive(town, crew, held)?;
            Ok(Outcome::Done)
        }
        Effect::UndoRef { rig, name, found, to } => {
            let rig = town.rig(rig.as_str())?;
            refs::undo(town, &rig, held, name, found.as_ref(), to.as_ref())?;
            Ok(Outcome::Done)
        }
        Effect::Land { .. } => Ok(Outcome::Moot),
    }
}

fn attempt_and_rig(town: &Town, id: AttemptId) -> Result<(Attempt, Rig)> {
    let attempt = town.ledger.read(|view| view.attempt(id).map_err(Error::from))?;
    let attempt = attempt.ok_or_else(|| Error::Unknown { what: "attempt", name: id.to_string() })?;
    let rig = town.rig(attempt.rig.as_str())?;
    Ok((attempt, rig))
}

fn fetch_base(town: &Town, attempt: AttemptId, held: &Held) -> Result<Outcome> {
    let (attempt, rig) = attempt_and_rig(town, attempt)?;
    if attempt.ended_at.is_some() {
        return Ok(Outcome::Moot);
    }
    let fetched = remote::fetch(town, &rig, held)?;
    let trunk = fetched.trunk(&rig)?;
    require_landed(town, &rig, &attempt, &trunk)?;
    Ok(Outcome::Fetched { fetched, base: Some(Box::new((attempt, trunk))) })
}

/// The trunk that the work starts from must contain what the bead's dependencies landed.
fn require_landed(town: &Town, rig: &Rig, attempt: &Attempt, trunk: &Sha) -> Result<()> {
    let landed = town.ledger.read(|view| {
        let bead = view.bead(&attempt.bead)?.ok_or_else(|| Error::UnknownBead(attempt.bead.0.clone()))?;
        let blockers = bead.dependencies.iter().filter(|d| matches!(d.kind, DepType::Blocks | DepType::MergeBlocks));
        let landed = blockers.map(|d| Ok((d.depends_on_id.clone(), view.landed_commit(rig.name(), &d.depends_on_id)?)));
        landed.collect::<Result<Vec<_>>>()
    })?;
    for (bead, commit) in landed {
        let Some(commit) = commit else { continue };
        if !town.world().repo().contains(&rig.layout.repo(), trunk, &commit)? {
            let what = format!("the trunk {} does not contain {commit}, with which {bead} landed", trunk.short());
            return Err(Error::refused(what, "somebody moved the trunk back: look at the remote"));
        }
    }
    Ok(())
}

fn add_worktree(town: &Town, attempt: AttemptId, held: &Held) -> Result<Outcome> {
    let (attempt, rig) = attempt_and_rig(town, attempt)?;
    if attempt.ended_at.is_some() {
        return Ok(Outcome::Moot);
    }
    let plan = worktree_plan(&rig, &attempt)?;
    town.world().repo().add_worktree(held, &rig.layout.repo(), &plan)?;
    // Nobody works in it yet: that begins when this has been recorded as done.
    if let Some(snapshot) = town.ledger.read(|view| view.restores(attempt.id).map_err(Error::from))? {
        town.world().repo().restore_snapshot(held, &rig.layout.repo(), &plan.path, &snapshot)?;
    }
    Ok(Outcome::Added { to_set_up: !rig.settings.worktree.is_empty() || warm::may_be_given(town, &rig) })
}

/// How the worktree of an attempt is made.
pub(crate) fn worktree_plan(rig: &Rig, attempt: &Attempt) -> Result<WorktreePlan> {
    let start = attempt.started_from.clone().or_else(|| attempt.base.clone());
    let start = start.ok_or_else(|| Error::refused("the attempt has no base", "gt why <bead>"))?;
    Ok(WorktreePlan {
        path: rig.layout.worktree(&attempt.worker),
        branch: Some(attempt.branch.clone()),
        start,
        identity: (attempt.address().to_string(), format!("{}@{}.gt.invalid", attempt.worker, rig.name())),
        remote: Some(rig.row.remote.clone()),
    })
}

fn set_up(town: &Town, attempt: AttemptId, held: &Held) -> Result<Outcome> {
    let (attempt, rig) = attempt_and_rig(town, attempt)?;
    if !attempt.is_hooked() {
        return Ok(Outcome::Moot);
    }
    setup::worktree(town, &rig, held, &attempt)?;
    Ok(Outcome::Done)
}

fn start_session(town: &Town, id: &IncarnationId) -> Result<Outcome> {
    let incarnation = town.ledger.read(|view| view.incarnation(id).map_err(Error::from))?;
    let incarnation = incarnation.ok_or_else(|| Error::Unknown { what: "incarnation", name: id.0.clone() })?;
    let Some(seat) = seat::of(town, &incarnation)? else { return Ok(Outcome::Moot) };
    let sessions = town.world().sessions();
    let dir = town.layout.session(id);
    if sessions.state(&dir)? == SessionState::NotStarted {
        if incarnation.number > 1 {
            // What ended the one before may have been a power cut, or its own tools.
            settle_worktree(town, &incarnation)?;
        }
        // A new secret for every start that is tried: the one before may have been written down and never used.
        let secret = gt_model::id::hex(&(town.outside.entropy)());
        let hash = sha256_hex(&secret);
        let runner = runner().name();
        town.ledger.write_for_now(&runner, "set secret", |tx| tx.set_secret(id, &hash).map_err(Error::from))?;
        sessions.start(&seat::plan(town, &seat, &incarnation, &secret)?)?;
    }
    match sessions.state(&dir)? {
        SessionState::NotStarted => Err(Error::refused(format!("session {id} did not start"), "see its shim.log")),
        SessionState::Unknown(why) => Err(Error::refused(format!("session {id}: {why}"), "see its shim.log")),
        state => {
            let is_unknown = Counting::recorded(town, id)? == Counting::Unknown;
            Ok(Outcome::Started(state, is_unknown.then_some(seat.kind)))
        }
    }
}

/// Gives the worktree that an incarnation goes on in its settings and rules again; the mayor has none.
fn settle_worktree(town: &Town, incarnation: &Incarnation) -> Result<()> {
    let (rig, plan) = match &incarnation.holder {
        Holder::Attempt(attempt) => {
            let (attempt, rig) = attempt_and_rig(town, *attempt)?;
            let plan = worktree_plan(&rig, &attempt)?;
            (rig, plan)
        }
        Holder::Agent(address) => match workspaces::workspace(town, address)? {
            Some(workspace) => workspace,
            None => return Ok(()),
        },
    };
    let held = town.lock(&rig.repo_lock())?;
    Ok(town.world().repo().settle_worktree(&held, &rig.layout.repo(), &plan)?)
}

fn snapshot(town: &Town, attempt: AttemptId, held: &Held) -> Result<Outcome> {
    let (attempt, rig) = attempt_and_rig(town, attempt)?;
    Ok(take_snapshot(town, &rig, &attempt, held)?.map_or(Outcome::Moot, Outcome::Snapshot))
}

/// Takes the worktree's state, if there is a worktree.
fn take_snapshot(town: &Town, rig: &Rig, attempt: &Attempt, held: &Held) -> Result<Option<Sha>> {
    let path = rig.layout.worktree(&attempt.worker);
    if attempt.archived_at.is_some() || !town.world().disk().exists(&path) {
        return Ok(None);
    }
    let message = snapshot_message(town, attempt)?;
    let taken = town.world().repo().snapshot(held, &rig.layout.repo(), &path, &attempt.snapshot_ref(), &message)?;
    Ok(Some(taken.commit))
}

fn archive_worktree(town: &Town, row: &EffectRow, attempt: AttemptId, held: &Held) -> Result<Outcome> {
    let (attempt, rig) = attempt_and_rig(town, attempt)?;
    let snapshot = match take_snapshot(town, &rig, &attempt, held) {
        Ok(snapshot) => Ok(snapshot),
        Err(error) if row.tries < SNAPSHOT_TRIES => return Err(error),
        // Its worker has broken it. The archive keeps the files all the same, and git the commits.
        Err(error) => Err(chain(&error)),
    };
    let path = rig.layout.worktree(&attempt.worker);
    let to: PathBuf = rig.layout.archived(&attempt);
    if let Ok(Some(snapshot)) = &snapshot {
        set_aside_rebuildable(town, &rig, &path, &to, snapshot)?;
    }
    town.world().repo().archive_worktree(held, &rig.layout.repo(), &path, &to)?;
    archive::delete_going(town.world().disk(), &rig.layout.archive(), &to)?;
    let foreign = refs::compare(town, &rig)?;
    Ok(Outcome::Archived { snapshot, foreign })
}

/// Takes out of a worktree, before it goes into the archive at `to`, what can be built again: folders that the rig calls
/// rebuildable, none of whose files is in the snapshot. So what git ignores goes, and nothing that may be anybody's work. What
/// can't be told, or not be moved, stays.
fn set_aside_rebuildable(town: &Town, rig: &Rig, path: &Path, to: &Path, snapshot: &Sha) -> Result<()> {
    let (repo, disk, settings) = (town.world().repo(), town.world().disk(), &rig.settings.worktree);
    if settings.rebuildable.is_empty() || !disk.exists(path) {
        return Ok(());
    }
    let rules = Rules { keep: settings.rebuildable.clone(), submodules: settings.submodules, conversions: false };
    let tree = repo.tree_of(&rig.layout.repo(), snapshot)?;
    let Ok(found) = repo.untracked(&rig.layout.repo(), path, &tree, &rules) else { return Ok(()) };
    for name in found.kept {
        if disk.kind(&path.join(&name)).is_ok_and(|kind| kind == Some(NodeKind::Folder)) {
            let _ = archive::set_aside(disk, &path.join(&name), &rig.layout.archive(), to);
        }
    }
    Ok(())
}

/// The hook itself is in the trailers, so that it can be found again from git alone.
fn snapshot_message(town: &Town, attempt: &Attempt) -> Result<String> {
    let steps = town.ledger.read(|view| view.steps(attempt.id).map_err(Error::from))?;
    let step = hook::current(&steps).map_or("", |step| step.step.id.as_str());
    let bead = attempt.bead.as_str().replace(['\n', '\r'], " ");
    Ok(format!(
        "Snapshot of {}\n\nBead: {bead}\nAttempt: {}\nWorker: {}\nMolecule: {}\nStep: {step}\nBranch: {}\n",
        attempt.branch,
        attempt.number,
        attempt.address(),
        attempt.formula,
        attempt.branch
    ))
}

fn pin(town: &Town, mr: &MrId, held: &Held) -> Result<Outcome> {
    let mr = town.ledger.read(|view| view.merge_request(mr).map_err(Error::from))?;
    let Some(mr) = mr else { return Ok(Outcome::Moot) };
    let rig = town.rig(mr.rig.as_str())?;
    town.world().repo().set_ref(held, &rig.layout.repo(), &mr.pin(), &mr.head, None)?;
    Ok(Outcome::Done)
}

/// Records what an effect brought to light, and decides what comes after it.
fn conclude(tx: &Tx<'_>, row: &EffectRow, outcome: Outcome, slots: u32) -> Result<()> {
    match (&row.effect, outcome) {
        (_, Outcome::Fetched { fetched, base }) => {
            remote::note(tx, &fetched)?;
            if let Some((attempt, trunk)) = base.map(|base| *base) {
                // Another rig's fetch may have taken the last slot meanwhile.
                if slot_holders(tx, attempt.id)?.len() >= slots as usize {
                    tx.decide(&row.effect, row.rig.as_ref(), row.bead.as_ref(), Duration::ZERO)?;
                    return Ok(());
                }
                tx.set_base(&attempt, &trunk)?;
                let next = Effect::AddWorktree { attempt: attempt.id };
                tx.decide(&next, Some(&attempt.rig), Some(&attempt.bead), Duration::ZERO)?;
            }
        }
        (Effect::AddWorktree { attempt }, Outcome::Added { to_set_up: true }) => {
            let set_up = Effect::SetUp { attempt: *attempt };
            tx.decide(&set_up, row.rig.as_ref(), row.bead.as_ref(), Duration::ZERO)?;
        }
        (Effect::AddWorktree { attempt }, Outcome::Added { to_set_up: false })
        | (Effect::SetUp { attempt }, Outcome::Done) => {
            let attempt = require_attempt(tx, *attempt)?;
            if attempt.is_hooked() {
                decided::begin_incarnation(tx, &attempt)?;
            }
        }
        (Effect::StartSession { incarnation }, Outcome::Started(state, uncounted)) => {
            started(tx, incarnation, &state)?;
            if let Some(kind) = uncounted {
                tx.set_uncounted(incarnation, &kind)?;
            }
        }
        (Effect::ArchiveCrew { crew }, Outcome::Done) => {
            if let Some(agent) = tx.agent(crew)? {
                tx.remove_agent(&agent)?;
                wanted::forget(tx, crew)?;
            }
        }
        (Effect::Snapshot { attempt }, Outcome::Snapshot(commit)) => tx.set_snapshot(*attempt, &commit)?,
        (Effect::ArchiveWorktree { attempt }, Outcome::Archived { snapshot, foreign }) => {
            let attempt = require_attempt(tx, *attempt)?;
            match snapshot {
                Ok(Some(snapshot)) => tx.set_snapshot(attempt.id, &snapshot)?,
                Ok(None) => {}
                Err(why) => {
                    let why = Some(serde_json::Value::from(why));
                    tx.event(SNAPSHOT_FAILED, &attempt.branch, Some(&attempt.bead), None, why.as_ref())?;
                }
            }
            tx.set_archived(attempt.id)?;
            tx.event("worktree-archived", &attempt.branch, Some(&attempt.bead), None, None)?;
            refs::report(tx, &attempt.rig, &foreign)?;
            // The fetch compares the remote as well.
            tx.decide(&Effect::Fetch { rig: attempt.rig.clone() }, Some(&attempt.rig), None, Duration::ZERO)?;
        }
        _ => {}
    }
    Ok(())
}

fn require_attempt(tx: &Tx<'_>, id: AttemptId) -> Result<Attempt> {
    tx.attempt(id)?.ok_or_else(|| Error::Unknown { what: "attempt", name: id.to_string() })
}

fn started(tx: &Tx<'_>, id: &IncarnationId, state: &SessionState) -> Result<()> {
    let Some(incarnation) = tx.incarnation(id)? else { return Ok(()) };
    if let SessionState::Running { shim, agent } = state {
        tx.record_start(id, &IncarnationProcess { shim: shim.clone(), agent: agent.clone() })?;
    }
    match tx.attempt_of(&incarnation)? {
        Some(attempt) if attempt.is_hooked() => decided::begin_bead(tx, &attempt),
        _ => Ok(()),
    }
}
