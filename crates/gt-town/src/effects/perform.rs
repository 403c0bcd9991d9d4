//! Performs effects. Each one first checks whether it has already happened, so that performing it twice has the same result as
//! once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_ledger::{Attempt, EffectRow, Holder, Incarnation};
use gt_model::bead::DepType;
use gt_model::effect::Effect;
use gt_model::id::{AttemptId, IncarnationId, MrId, Sha, sha256_hex};
use gt_world::{Held, NodeKind, Rules, SessionState, WorktreePlan};

use super::run::runner;
use crate::agents::counting::Counting;
use crate::agents::seat;
use crate::rigs::archive;
use crate::rigs::reading;
use crate::rigs::refs;
use crate::rigs::remote::{self, Fetched};
use crate::rigs::setup;
use crate::rigs::warm;
use crate::rigs::workspaces;
use crate::town::error::{Error, Result, chain};
use crate::town::{Rig, Town};
use crate::work::hook;

/// Time that a session's processes have to end after a polite signal.
const END_GRACE: Duration = Duration::from_secs(5);

/// Number of failed tries after which a worktree is archived without a snapshot.
const SNAPSHOT_TRIES: u32 = 2;

/// Event of a worktree that was archived without a snapshot.
pub(crate) const SNAPSHOT_FAILED: &str = "snapshot-failed";

/// Result of an effect, recorded with its end.
pub(super) enum Outcome {
    /// Done; nothing more to record.
    Done,
    /// No longer wanted.
    Moot,
    /// Branches of the remote and, for an attempt, its base.
    Fetched { fetched: Fetched, base: Option<Box<(Attempt, Sha)>> },
    /// The worktree exists. `to_set_up` says whether it still needs the rig's set-up.
    Added { to_set_up: bool },
    /// State of the session, and its kind of agent if the usage of that kind is unknown.
    Started(SessionState, Option<String>),
    /// Commit of the snapshot.
    Snapshot(Sha),
    /// The snapshot, or why there is none, and refs that another process moved.
    Archived { snapshot: std::result::Result<Option<Sha>, String>, foreign: Vec<refs::Foreign> },
}

pub(super) fn perform(town: &Town, row: &EffectRow, held: &Held) -> Result<Outcome> {
    let repo = town.world().repo();
    match &row.effect {
        Effect::FetchBase { attempt } => fetch_base(town, *attempt, held),
        Effect::Fetch { rig } => {
            let rig = town.rig(rig.as_str())?;
            let fetched = remote::fetch(town, &rig, held)?;
            if rig.settings.worktree.lfs {
                // Workers who continue from the new trunk have no credentials. They see what is missing.
                repo.fetch_large_files(held, &rig.layout.repo(), &fetched.trunk(&rig)?)?;
            }
            Ok(Outcome::Fetched { fetched, base: None })
        }
        Effect::AddWorktree { attempt } => add_worktree(town, *attempt, held),
        Effect::SetUp { attempt } => set_up(town, *attempt, held),
        Effect::StartSession { incarnation } => {
            // The settings may have changed since the deacon's patrol began.
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

/// Returns an error unless the trunk that the work starts from contains what the bead's dependencies landed.
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
            return Err(Error::refused(what, "the trunk was moved back: look at the remote"));
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
    // No agent works in it yet. That begins only after this effect is recorded as done.
    if let Some(snapshot) = town.ledger.read(|view| view.restores(attempt.id).map_err(Error::from))? {
        town.world().repo().restore_snapshot(held, &rig.layout.repo(), &plan.path, &snapshot)?;
    }
    Ok(Outcome::Added { to_set_up: !rig.settings.worktree.is_empty() || warm::may_be_given(town, &rig) })
}

/// Returns the plan for the worktree of an attempt.
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
            // A power failure or the previous incarnation's own tools may have damaged the worktree.
            settle_worktree(town, &incarnation)?;
        }
        // Use a new secret for each try, because the previous one may have been recorded and never used.
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

/// Restores the settings and rules of the worktree where an incarnation continues. The mayor has none.
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
    let held = town.lock(&rig.repo_lane())?;
    Ok(town.world().repo().settle_worktree(&held, &rig.layout.repo(), &plan)?)
}

fn snapshot(town: &Town, attempt: AttemptId, held: &Held) -> Result<Outcome> {
    let (attempt, rig) = attempt_and_rig(town, attempt)?;
    Ok(take_snapshot(town, &rig, &attempt, held)?.map_or(Outcome::Moot, Outcome::Snapshot))
}

/// Takes a snapshot of the worktree, if it exists.
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
        // The worker has damaged it. The archive still keeps the files, and git the commits.
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

/// Removes rebuildable folders from a worktree before it moves to the archive at `to`. A folder counts if the rig calls it
/// rebuildable and the snapshot has no file in it. So only ignored files go, and no possible work. If in doubt, or if a move
/// fails, the folder stays.
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

/// The trailers contain the hook itself, so that it can be recovered from git alone.
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
