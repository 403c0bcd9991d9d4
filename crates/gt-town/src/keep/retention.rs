//! Retention: deletes finished things after some time, or earlier if the disk is full. [`gt_model::retention`] decides what may
//! go; this module gathers the facts and deletes.
//!
//! Ages are measured in wall time here and nowhere else, because they are counted in days, over many runs of many deacons.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use gt_ledger::{self, Attempt, AttemptOutcome, Incarnation, MergeRequest, Tx, View};
use gt_model::bead::Status;
use gt_model::condition::ConditionKind;
use gt_model::id::{BeadId, MrId, RigName};
use gt_model::retention::{self, Item, Kind, Reason, Standing};
use gt_world::{SKIPPED_TRAILER, SessionState};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::effects;
use crate::rigs::archive::{self, GOING_PREFIX};
use crate::rigs::warm;
use crate::rigs::workspaces;
use crate::town::error::{self, Error, Result};
use crate::town::lane::Lane;
use crate::town::observed::Observed;
use crate::town::{Caller, Rig, Town};

/// Observed time from the deacon's start to its first run. A short-lived deacon need not do this.
const FIRST_AFTER: Duration = Duration::from_mins(10);

/// Observed time between two runs.
const EVERY: Duration = Duration::from_hours(1);

/// Schedule of the deacon's runs.
#[derive(Debug, Default)]
pub struct Schedule {
    observed: Observed,
    runs: u64,
}

impl Schedule {
    /// Whether a run is due at this monotonic time. If so, schedules the next one.
    pub(crate) fn is_due(&mut self, monotonic: Duration) -> bool {
        self.observed.tick(monotonic);
        let pause = if self.runs == 0 { FIRST_AFTER } else { EVERY };
        let due = self.observed.age(&format!("run-{}", self.runs)) >= pause;
        self.runs += u64::from(due);
        due
    }
}

/// A thing to delete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Going {
    /// Its kind.
    pub kind: Kind,
    /// Its path in the town, or the full name of the ref.
    pub name: String,
    /// Rig that it belongs to.
    pub rig: Option<RigName>,
    /// Bead that it belongs to.
    pub bead: Option<BeadId>,
    /// How much depends on it.
    pub standing: Standing,
    /// Time since when it is finished.
    pub since: Option<Timestamp>,
    /// Size on disk. Refs have none: their commits stay in the repository until a person runs `git gc` there.
    pub bytes: u64,
    /// Reason for deleting it.
    pub reason: Reason,
}

/// Result of a run or a dry run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Free bytes on the town's disk before the run.
    pub free: u64,
    /// Things deleted, or to delete.
    pub going: Vec<Going>,
    /// Number of events deleted.
    pub events: u64,
    /// Entries in archives and among sessions that the ledger does not know. They stay.
    pub unknown: Vec<String>,
    /// Archives of landed work that stay although they were due, because git does not contain everything in them.
    pub only_copies: Vec<String>,
    /// Failures to inspect or delete something.
    pub failed: Vec<String>,
}

/// Place of a thing.
#[derive(Clone, Debug)]
enum Place {
    /// In the archive of its rig, under this name.
    Archived { archive: PathBuf, name: String },
    /// In the repository of its rig.
    Ref { rig: Box<Rig>, mr: Option<MrId> },
    /// A file or folder that gt itself wrote.
    Path(PathBuf),
    /// A warm copy of this name.
    Warm { rig: Box<Rig>, name: String },
}

/// Options of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Only report what would be deleted.
    pub dry_run: bool,
    /// Delete the archives of landed work at once.
    pub landed: bool,
}

/// A thing that is kept so far.
#[derive(Clone, Debug)]
struct Kept {
    kind: Kind,
    name: String,
    rig: Option<RigName>,
    bead: Option<BeadId>,
    standing: Standing,
    since: Option<Timestamp>,
    bytes: u64,
    place: Place,
    /// For an archive: the ref of the last snapshot of its worktree, and the branch that was checked out.
    of: Option<(String, String)>,
    /// Whether git contains everything in it that can't be rebuilt, if that was checked.
    in_git: bool,
}

/// Deletes what is due, or only reports it. Records each deletion in the audit log first.
pub fn run(town: &Town, caller: &Caller, how: How) -> Result<Report> {
    if caller.incarnation.is_some() && !how.dry_run {
        return Err(Error::refused("an agent may not delete old files", "a person or the deacon does that"));
    }
    let busy = || Error::refused("retention is already running", "wait until it has finished");
    let _turn = town.try_lock(&Lane::Retention)?.ok_or_else(busy)?;
    let free = town.world().disk().free_space(&town.layout.root)?;
    let mut run = Run { town, caller, how, report: Report { free, ..Report::default() } };
    for rig in town.rigs()? {
        run.candidates(&rig)?;
    }
    run.all_else()?;
    run.events()?;
    Ok(run.report)
}

struct Run<'t> {
    town: &'t Town,
    caller: &'t Caller,
    how: How,
    report: Report,
}

impl Run<'_> {
    /// Finds tested commits that nothing needs any more. Runs between two rounds of the refinery, so that none is being tested.
    fn candidates(&mut self, rig: &Rig) -> Result<()> {
        let Some(_turn) = self.town.try_lock(&rig.gates_lane())? else { return Ok(()) };
        match candidates_of(self.town, rig) {
            Ok(kept) => self.carry_out(&kept),
            Err(error) => self.fail(&format!("rig {}", rig.name()), &error),
        }
    }

    fn all_else(&mut self) -> Result<()> {
        let mut files = gather_files(self.town)?;
        self.report.unknown.append(&mut files.unknown);
        let mut kept = files.kept;
        for rig in self.town.rigs()? {
            match refs_of(self.town, &rig) {
                Ok(refs) => kept.extend(refs),
                Err(error) => self.fail(&format!("rig {}", rig.name()), &error)?,
            }
        }
        self.finish_begun()?;
        if self.how.landed {
            self.look_into_git(&mut kept)?;
        }
        self.carry_out(&kept)
    }

    /// Finds the archives of landed work whose content is completely in git.
    fn look_into_git(&mut self, kept: &mut [Kept]) -> Result<()> {
        for kept in kept.iter_mut().filter(|kept| kept.kind == Kind::Archive && kept.standing == Standing::Over) {
            match is_in_git(self.town, kept) {
                Ok(in_git) => kept.in_git = in_git,
                Err(error) => self.fail(&kept.name, &error)?,
            }
            if !kept.in_git {
                self.report.only_copies.push(kept.name.clone());
            }
        }
        Ok(())
    }

    /// Adds a failure with one thing to the report, so that it does not stop the others. Errors of the ledger are returned.
    fn fail(&mut self, what: &str, error: &Error) -> Result<()> {
        self.report.failed.push(format!("{what}: {}", error::chain(error)));
        Ok(())
    }

    /// Finishes deletions that a killed run began.
    fn finish_begun(&mut self) -> Result<()> {
        if self.how.dry_run {
            return Ok(());
        }
        let disk = self.town.world().disk();
        for rig in self.town.rigs()? {
            let folder = rig.layout.archive();
            for name in disk.list(&folder)?.into_iter().filter(|name| name.starts_with(GOING_PREFIX)) {
                if let Err(error) = archive::delete(disk, &folder, &name) {
                    self.fail(&name, &error)?;
                }
            }
            if let Err(error) = warm::clear_left(self.town, &rig) {
                self.fail(&format!("warm copies of {}", rig.name()), &error)?;
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, kept: &[Kept]) -> Result<()> {
        let now = self.town.world().clock().now();
        let items: Vec<Item> = kept.iter().map(|kept| kept.item(now)).collect();
        let limits = self.town.settings.retention.limits();
        let going = retention::decide(&items, &limits, self.report.free, self.how.landed);
        let mut going: Vec<(Kept, Reason)> = going.into_iter().map(|(at, why)| (kept[at].clone(), why)).collect();
        if !self.how.dry_run && !going.is_empty() {
            going = self.record(going)?;
        }
        for (kept, reason) in going {
            self.report.going.push(kept.going(reason));
            if !self.how.dry_run
                && let Err(error) = remove(self.town, &kept)
            {
                self.fail(&kept.name, &error)?;
            }
        }
        Ok(())
    }

    /// Records what will be deleted, and leaves out whatever has come back into use since it was examined.
    fn record(&self, going: Vec<(Kept, Reason)>) -> Result<Vec<(Kept, Reason)>> {
        self.town.ledger.write(&self.caller.name(), "retention", |tx| {
            let mut recorded = Vec::new();
            for (kept, reason) in going {
                if taken_up(tx, &kept)? {
                    continue;
                }
                let facts = json!({ "kind": kept.kind, "reason": reason, "bytes": kept.bytes });
                tx.event("retention-removed", &kept.name, kept.bead.as_ref(), Some(&facts), None)?;
                if let Place::Ref { mr: Some(mr), .. } = &kept.place
                    && kept.kind == Kind::MergeRequest
                {
                    tx.set_unpinned(mr)?;
                }
                recorded.push((kept, reason));
            }
            Ok(recorded)
        })
    }

    fn events(&mut self) -> Result<()> {
        let Some(age) = self.town.settings.retention.events() else { return Ok(()) };
        let Ok(before) = self.town.world().clock().now().checked_sub(age) else { return Ok(()) };
        self.report.events = self.town.ledger.read(|view| view.count_events_before(before).map_err(Error::from))?;
        if self.report.events > 0 && !self.how.dry_run {
            let name = self.caller.name();
            self.town.ledger.write(&name, "retention", |tx| tx.forget_events(before).map_err(Error::from))?;
        }
        Ok(())
    }
}

/// Whether its bead is being worked on again, so that the thing may be needed. Nothing can continue from a session's output.
fn taken_up(tx: &Tx<'_>, kept: &Kept) -> Result<bool> {
    match &kept.bead {
        Some(bead) if kept.kind != Kind::Session => Ok(tx.live_attempt(bead)?.is_some()),
        _ => Ok(false),
    }
}

fn remove(town: &Town, kept: &Kept) -> Result<()> {
    let disk = town.world().disk();
    match &kept.place {
        Place::Archived { archive, name } => archive::delete(disk, archive, name),
        Place::Ref { rig, .. } => {
            let held = town.lock(&rig.repo_lane())?;
            Ok(town.world().repo().delete_ref(&held, &rig.layout.repo(), &kept.name)?)
        }
        Place::Path(path) => Ok(disk.remove(path)?),
        Place::Warm { rig, name } => warm::remove(town, rig, name),
    }
}

/// Whether git contains everything in an archive except ignored files. That holds if the last snapshot was taken when the
/// worktree was archived and is complete, and the trunk has not lost the landing again.
fn is_in_git(town: &Town, kept: &Kept) -> Result<bool> {
    let (Some((name, branch)), Some(rig), Some(bead)) = (&kept.of, &kept.rig, &kept.bead) else { return Ok(false) };
    let (repo, path) = (town.world().repo(), town.rig(rig.as_str())?.layout.repo());
    let Some(snapshot) = repo.refs(&path)?.remove(name) else { return Ok(false) };
    let facts = repo.snapshot_facts(&path, &snapshot)?;
    let skipped = facts.message.lines().any(|line| line.starts_with(&format!("{SKIPPED_TRAILER}: ")));
    town.ledger.read(|view| {
        let failed = view.events(0, Some(bead), u32::MAX)?;
        let failed = failed.iter().any(|event| event.event == effects::SNAPSHOT_FAILED && event.subject == *branch);
        let is_dropped = view.condition(ConditionKind::Dropped, bead.as_str())?.is_some();
        Ok(!skipped && !failed && !is_dropped)
    })
}

impl Kept {
    fn item(&self, now: Timestamp) -> Item {
        // A clock that was set back must make nothing older.
        let age = |since: Timestamp| Duration::try_from(now.duration_since(since)).unwrap_or_default();
        let (age, in_git) = (self.since.map(age), self.in_git);
        Item { kind: self.kind, standing: self.standing, age, bytes: self.bytes, in_git }
    }

    fn going(&self, reason: Reason) -> Going {
        Going {
            kind: self.kind,
            name: self.name.clone(),
            rig: self.rig.clone(),
            bead: self.bead.clone(),
            standing: self.standing,
            since: self.since,
            bytes: self.bytes,
            reason,
        }
    }
}

/// Facts about the work on a bead, used to judge what remains of it.
struct History {
    attempts: Vec<Attempt>,
    closed_at: Option<Timestamp>,
    closed: bool,
}

impl History {
    fn of(view: &View<'_>, bead: &BeadId) -> Result<Self> {
        let record = view.bead(bead)?;
        let closed = record.as_ref().is_some_and(|bead| bead.status == Status::Closed);
        let closed_at = record.filter(|_| closed).and_then(|bead| bead.closed_at).map(|at| at.at);
        Ok(Self { attempts: view.attempts_on(bead)?, closed_at, closed })
    }

    /// Returns what depends on what an attempt left behind. Its work is safe elsewhere once it or a later attempt has landed.
    /// Nothing of a bead is deleted while it is being worked on.
    fn standing(&self, attempt: &Attempt) -> Standing {
        if self.attempts.iter().any(|a| a.ended_at.is_none() || a.archived_at.is_none()) {
            return Standing::InUse;
        }
        let landed = |a: &Attempt| a.number >= attempt.number && a.outcome == Some(AttemptOutcome::Landed);
        let safe = attempt.outcome == Some(AttemptOutcome::Reported) || self.attempts.iter().any(landed);
        if safe && self.closed { Standing::Over } else { Standing::Unlanded }
    }

    /// Returns the time since when work on what an attempt left behind has ended.
    fn since(&self, attempt: &Attempt) -> Option<Timestamp> {
        let ended = attempt.ended_at.max(attempt.archived_at);
        ended.map(|ended| self.closed_at.map_or(ended, |closed| closed.max(ended)))
    }
}

/// Cache of histories; each is read once.
#[derive(Default)]
struct Histories(BTreeMap<BeadId, History>);

impl Histories {
    fn of(&mut self, view: &View<'_>, bead: &BeadId) -> Result<&History> {
        if !self.0.contains_key(bead) {
            self.0.insert(bead.clone(), History::of(view, bead)?);
        }
        self.0.get(bead).ok_or_else(|| Error::UnknownBead(bead.0.clone()))
    }
}

/// Adds a thing. If two attempts share its name (their beads' ids give the same slug), the stricter judgment wins.
fn add_stricter(found: &mut BTreeMap<String, Kept>, kept: Kept) {
    match found.get_mut(&kept.name) {
        Some(there) => {
            let since = there.since.max(kept.since);
            if kept.standing < there.standing {
                *there = kept;
            }
            there.since = since;
        }
        None => drop(found.insert(kept.name.clone(), kept)),
    }
}

/// Returns the attempts whose traces are in the rig's current folder and repository.
fn attempts_here(view: &View<'_>, rig: &Rig) -> Result<Vec<Attempt>> {
    let attempts = view.attempts_of_rig(rig.name())?;
    Ok(attempts.into_iter().filter(|attempt| rig.row.was_there(attempt.opened_at)).collect())
}

/// Files that are kept, and files that gt does not know.
#[derive(Default)]
struct Files {
    kept: Vec<Kept>,
    unknown: Vec<String>,
}

fn gather_files(town: &Town) -> Result<Files> {
    let mut files = Files::default();
    for rig in town.rigs()? {
        archives_of(town, &rig, &mut files)?;
        gate_logs_of(town, &rig, &mut files)?;
        warm_copies_of(town, &rig, &mut files)?;
    }
    sessions(town, &mut files)?;
    Ok(files)
}

fn in_town(town: &Town, path: &std::path::Path) -> String {
    path.strip_prefix(&town.layout.root).unwrap_or(path).display().to_string()
}

fn archives_of(town: &Town, rig: &Rig, files: &mut Files) -> Result<()> {
    let (disk, archive) = (town.world().disk(), rig.layout.archive());
    let names: BTreeSet<String> = disk.list(&archive)?.into_iter().collect();
    let mut found = BTreeMap::new();
    town.ledger.read(|view| {
        let mut histories = Histories::default();
        for attempt in attempts_here(view, rig)? {
            let path = rig.layout.archived(&attempt);
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
            if names.contains(&name) {
                let history = histories.of(view, &attempt.bead)?;
                add_stricter(
                    &mut found,
                    Kept {
                        kind: Kind::Archive,
                        name: in_town(town, &path),
                        rig: Some(rig.name().clone()),
                        bead: Some(attempt.bead.clone()),
                        standing: history.standing(&attempt),
                        since: history.since(&attempt),
                        bytes: 0,
                        place: Place::Archived { archive: archive.clone(), name },
                        of: Some((attempt.snapshot_ref(), attempt.branch.clone())),
                        in_git: false,
                    },
                );
            }
        }
        Ok::<_, Error>(())
    })?;
    for name in names {
        let path = in_town(town, &archive.join(&name));
        // Archives of crew members are kept forever.
        let is_known = found.contains_key(&path) || name.starts_with(workspaces::ARCHIVED_PREFIX);
        if !is_known && !name.starts_with(GOING_PREFIX) {
            files.unknown.push(path);
        }
    }
    for mut kept in found.into_values() {
        kept.bytes = disk.size(&town.layout.root.join(&kept.name))?;
        files.kept.push(kept);
    }
    Ok(())
}

fn gate_logs_of(town: &Town, rig: &Rig, files: &mut Files) -> Result<()> {
    let (disk, folder) = (town.world().disk(), rig.layout.gate_logs());
    let in_use = town.ledger.read(|view| view.logs_in_use(rig.name()).map_err(Error::from))?;
    for name in disk.list(&folder)? {
        let path = folder.join(&name);
        let quoted = in_use.contains(&path.display().to_string());
        files.kept.push(Kept {
            kind: Kind::GateLog,
            name: in_town(town, &path),
            rig: Some(rig.name().clone()),
            bead: None,
            standing: if quoted { Standing::InUse } else { Standing::Over },
            since: disk.touched(&path)?.and_then(|seconds| Timestamp::from_second(seconds).ok()),
            bytes: disk.size(&path)?,
            place: Place::Path(path),
            of: None,
            in_git: false,
        });
    }
    Ok(())
}

fn warm_copies_of(town: &Town, rig: &Rig, files: &mut Files) -> Result<()> {
    let disk = town.world().disk();
    for (name, warm) in warm::all(town, rig)? {
        files.kept.push(Kept {
            kind: Kind::WarmCopy,
            name: in_town(town, &rig.layout.warm_copies().join(&name)),
            rig: Some(rig.name().clone()),
            bead: None,
            standing: Standing::Over,
            since: disk.touched(&warm::record(rig, &name))?.and_then(|seconds| Timestamp::from_second(seconds).ok()),
            bytes: warm.bytes,
            place: Place::Warm { rig: Box::new(rig.clone()), name },
            of: None,
            in_git: false,
        });
    }
    Ok(())
}

fn sessions(town: &Town, files: &mut Files) -> Result<()> {
    let disk = town.world().disk();
    for name in disk.list(&town.layout.sessions())? {
        let id = name.as_str().into();
        let path = town.layout.session(&id);
        let known = town.ledger.read(|view| {
            let Some(incarnation) = view.incarnation(&id)? else { return Ok(None) };
            let (address, attempt) = (view.address_of(&incarnation)?, view.attempt_of(&incarnation)?);
            Ok::<_, Error>(address.map(|address| (incarnation, address, attempt)))
        })?;
        let Some((incarnation, address, attempt)) = known else {
            files.unknown.push(in_town(town, &path));
            continue;
        };
        files.kept.push(Kept {
            kind: Kind::Session,
            name: in_town(town, &path),
            rig: address.rig().cloned(),
            standing: session_standing(town, &incarnation, attempt.as_ref())?,
            bead: attempt.map(|attempt| attempt.bead),
            since: incarnation.ended_at,
            bytes: disk.size(&path)?,
            place: Place::Path(path),
            of: None,
            in_git: false,
        });
    }
    Ok(())
}

/// Returns the standing of a session. It is over when its end is recorded, its attempt (if any) is over, and its processes are
/// gone.
fn session_standing(town: &Town, incarnation: &Incarnation, attempt: Option<&Attempt>) -> Result<Standing> {
    if incarnation.ended_at.is_none() || attempt.is_some_and(|attempt| attempt.ended_at.is_none()) {
        return Ok(Standing::InUse);
    }
    Ok(match town.world().sessions().state(&town.layout.session(&incarnation.id))? {
        SessionState::Ended(_) | SessionState::NotStarted => Standing::Over,
        SessionState::Running { .. } | SessionState::Unknown(_) => Standing::InUse,
    })
}

fn kept_ref(
    rig: &Rig,
    kind: Kind,
    name: &str,
    attempt: &Attempt,
    history: &History,
    mr: Option<&MergeRequest>,
) -> Kept {
    let in_queue = mr.is_some_and(|mr| mr.ended_at.is_none());
    Kept {
        kind,
        name: name.to_owned(),
        rig: Some(rig.name().clone()),
        bead: Some(attempt.bead.clone()),
        standing: if in_queue { Standing::InUse } else { history.standing(attempt) },
        since: history.since(attempt),
        bytes: 0,
        place: Place::Ref { rig: Box::new(rig.clone()), mr: mr.map(|mr| mr.id.clone()) },
        of: None,
        in_git: false,
    }
}

/// Returns the refs of ended attempts. Refs without an attempt are not ours to delete.
fn refs_of(town: &Town, rig: &Rig) -> Result<Vec<Kept>> {
    let refs = town.world().repo().refs(&rig.layout.repo())?;
    let mut found = BTreeMap::new();
    town.ledger.read(|view| {
        let mut histories = Histories::default();
        let attempts = attempts_here(view, rig)?;
        let requests = view.merge_requests()?;
        for attempt in &attempts {
            let history = histories.of(view, &attempt.bead)?;
            let name = attempt.snapshot_ref();
            if refs.contains_key(&name) {
                add_stricter(&mut found, kept_ref(rig, Kind::Snapshot, &name, attempt, history, None));
            }
            for mr in requests.iter().filter(|mr| mr.attempt == attempt.id) {
                let names = [(Kind::MergeRequest, mr.pin()), (Kind::Landing, mr.landing_ref())];
                for (kind, name) in names.into_iter().filter(|(_, name)| refs.contains_key(name)) {
                    add_stricter(&mut found, kept_ref(rig, kind, &name, attempt, history, Some(mr)));
                }
            }
        }
        Ok::<_, Error>(())
    })?;
    Ok(found.into_values().collect())
}

/// Returns the tested commits. A commit stays if an open landing moves the trunk to it or a waiting merge request would land as
/// it.
fn candidates_of(town: &Town, rig: &Rig) -> Result<Vec<Kept>> {
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let (waiting, landing) = town
        .ledger
        .read(|view| Ok::<_, Error>((view.open_merge_requests(Some(rig.name()))?, view.open_landing(rig.name())?)))?;
    let mut commits: BTreeSet<_> = waiting.iter().filter_map(|mr| mr.commit_landed.clone()).collect();
    commits.extend(landing.map(|landing| landing.tip));
    let trees: BTreeSet<_> = waiting.into_iter().filter_map(|mr| mr.candidate_tree).collect();
    let mut kept = Vec::new();
    for (name, commit) in repo.refs(&path)? {
        if !name.starts_with("refs/gt/candidates/") {
            continue;
        }
        let needed = commits.contains(&commit) || !trees.is_empty() && trees.contains(&repo.tree_of(&path, &commit)?);
        kept.push(Kept {
            kind: Kind::Candidate,
            name,
            rig: Some(rig.name().clone()),
            bead: None,
            standing: if needed { Standing::InUse } else { Standing::Over },
            since: Some(town.world().clock().now()),
            bytes: 0,
            place: Place::Ref { rig: Box::new(rig.clone()), mr: None },
            of: None,
            in_git: false,
        });
    }
    Ok(kept)
}

/// Things of one kind that a town keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holding {
    /// Kind.
    pub name: String,
    /// Number.
    pub count: usize,
    /// Total size in bytes.
    pub bytes: u64,
    /// Time since when the oldest is finished.
    pub oldest: Option<String>,
}

/// Returns what a town keeps, by kind.
pub(crate) fn holdings(town: &Town) -> Result<Vec<Holding>> {
    let disk = town.world().disk();
    let ledger = town.layout.ledger();
    let mut bytes = 0;
    for file in gt_ledger::files(&ledger) {
        bytes += disk.size(&file)?;
    }
    let one = |name: &str, count, bytes| Holding { name: name.to_owned(), count, bytes, oldest: None };
    let mut holdings = vec![one("ledger", 1, bytes)];
    let files = gather_files(town)?;
    for (name, kind) in [
        ("archives", Kind::Archive),
        ("sessions", Kind::Session),
        ("gate logs", Kind::GateLog),
        ("warm copies", Kind::WarmCopy),
    ] {
        let of_kind: Vec<&Kept> = files.kept.iter().filter(|kept| kept.kind == kind).collect();
        let oldest = of_kind.iter().filter_map(|kept| kept.since).min();
        holdings.push(Holding {
            name: name.to_owned(),
            count: of_kind.len(),
            bytes: of_kind.iter().map(|kept| kept.bytes).sum(),
            oldest: oldest.map(|at| at.to_string()),
        });
    }
    let removed = disk.list(&town.layout.archive())?.len();
    holdings.push(one("removed rigs", removed, disk.size(&town.layout.archive())?));
    holdings.push(one("logs", disk.list(&town.layout.logs())?.len(), disk.size(&town.layout.logs())?));
    Ok(holdings)
}

/// Formats a size for people.
pub fn size_text(bytes: u64) -> String {
    const UNITS: &[&str] = &["kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut tenths, mut unit) = (bytes / 100, 0);
    if tenths < 10 {
        return format!("{bytes} B");
    }
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_in_units() {
        let cases = [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_234_567, "1.2 MB"), (999_999, "999.9 kB")];
        for (bytes, text) in cases.into_iter().chain([(5_000_000_000, "5.0 GB"), (u64::MAX, "18.4 EB")]) {
            assert_eq!(size_text(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn runs_are_due_after_watched_time() {
        let mut schedule = Schedule::default();
        let mut due = |minutes: u64| schedule.is_due(Duration::from_mins(minutes));
        let steps: Vec<u64> = (0..=150).filter(|minute| due(*minute)).collect();
        assert_eq!(steps, [10, 70 + 1, 130 + 2], "an hour is watched from the look after a run on");
        assert!(!due(10_000), "a gap counts as nothing");
    }
}
