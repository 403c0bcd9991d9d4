//! Rebuilds a lost ledger. Portable data comes from the branch `gt-ledger` or from the exported files, and hooks from the
//! trailers of the rigs' snapshots. A backup restores everything.
//!
//! The new ledger is built beside the old one and renamed last. If the process dies before, the only change is that sessions
//! without a ledger have ended.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_ledger::TOWN_PREFIX;
use gt_ledger::{self, Bulk, Copied, Ledger, LedgerError, RestoredAttempt, RigRow, Tx, View};
use gt_ledger::{BACKUPS, LEDGER_LOCK};
use gt_model::address::Address;
use gt_model::bead::{Bead, Status};
use gt_model::effect::Effect;
use gt_model::id::{BeadId, IncarnationId, RigName, Sha, slug};
use gt_model::jsonl::{self, Record};
use gt_model::merge::{set_held_since, split_assignee};
use gt_world::{Held, SessionState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::sync::{self, FromGit};
use crate::town::Outside;
use crate::town::error::{Error, Result};
use crate::town::layout::Layout;
use crate::walls::worker_env::PATH_KEY;
use crate::work::snapshots;

/// Time that a session's processes have to end after a polite signal.
const END_GRACE: Duration = Duration::from_secs(5);

/// Time to wait for a lock of the town.
const LOCK_DEADLINE: Duration = Duration::from_secs(10);

/// Result of a rebuild.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rebuilt {
    /// Checkpoint that was used, alone or where the exported files had nothing newer; `None` if there was none.
    pub commit: Option<String>,
    /// Exported files that were used.
    pub files: Vec<PathBuf>,
    /// Number of restored beads, in their state at that time.
    pub beads: usize,
    /// Restored rigs.
    pub rigs: Vec<String>,
    /// Hooks that were found: beads with the snapshot of the work on them. `gt polecat recover <bead>` continues from it.
    pub hooks: Vec<(BeadId, Sha)>,
    /// New path of the old ledger, if there was one.
    pub kept: Option<PathBuf>,
}

/// Source of a rebuild.
struct Source {
    town_id: String,
    rigs: Vec<KnownRig>,
    /// Beads as JSONL, each text with the prefix to which its other lines belong. If a bead occurs several times, the newest
    /// version counts.
    texts: Vec<(String, Vec<u8>)>,
    commit: Option<Sha>,
    files: Vec<PathBuf>,
}

impl Source {
    fn checkpoint(from: FromGit) -> Result<Self> {
        let rigs = known_rigs(&from.rigs, "the checkpoint's rigs.json")?;
        let texts = from.beads.into_iter().collect();
        Ok(Self { town_id: from.town_id, rigs, texts, commit: Some(from.commit), files: Vec::new() })
    }

    /// Returns the exported files over the newest checkpoint, which may contain later changes by other towns.
    fn files(layout: &Layout, outside: &Outside) -> Result<Self> {
        let checkpoint = sync::read_own(outside.world.as_ref(), &layout.root).ok().map(Self::checkpoint).transpose()?;
        let disk = outside.world.disk();
        let mut source = match (disk.read(&layout.facts_export())?, checkpoint) {
            (Some(facts), checkpoint) => {
                let facts: TownFacts = serde_json::from_slice(&facts).map_err(|error| {
                    let what = format!("{} can't be read: {error}", layout.facts_export().display());
                    Error::refused(what, "gt ledger rebuild --from git needs no such file")
                })?;
                let (texts, commit) = checkpoint.map(|source| (source.texts, source.commit)).unwrap_or_default();
                Self { town_id: facts.town_id, rigs: facts.rigs, texts, commit, files: Vec::new() }
            }
            (None, Some(checkpoint)) => checkpoint,
            (None, None) => return Err(nothing_said(layout)),
        };
        let mut exports = vec![(TOWN_PREFIX.to_owned(), layout.town_export())];
        for rig in &source.rigs {
            exports.push((rig.prefix.clone(), layout.rig(&RigName::parse(&rig.name)?).export()));
        }
        for (prefix, path) in exports {
            if let Some(text) = disk.read(&path)? {
                source.texts.push((prefix, text));
                source.files.push(path);
            }
        }
        if source.files.is_empty() { Err(nothing_said(layout)) } else { Ok(source) }
    }
}

fn nothing_said(layout: &Layout) -> Error {
    Error::refused(
        format!("there are no exported files of this town ({})", layout.town_export().display()),
        "restore a backup: gt ledger restore .beads/backups/<file>; or: gt ledger rebuild --from git",
    )
}

/// Facts in a town's exported files other than beads.
#[derive(Serialize, Deserialize)]
struct TownFacts {
    town_id: String,
    rigs: Vec<KnownRig>,
}

/// Returns the facts about a town that no bead file contains, as a file of their own.
pub(crate) fn facts_text(view: &View<'_>) -> Result<String> {
    let known = |rig: RigRow| {
        let RigRow { name, prefix, remote, trunk, added_at } = rig;
        KnownRig { name: name.to_string(), prefix, remote, trunk, added_at }
    };
    let rigs = view.rigs()?.into_iter().map(known).collect();
    let facts = TownFacts { town_id: view.meta("town_id")?.unwrap_or_default(), rigs };
    let text = serde_json::to_string_pretty(&facts);
    Ok(text.map_err(|e| LedgerError::Corrupt { what: "a rig", text: e.to_string() })? + "\n")
}

/// Rebuilds the ledger of the town at `root` from its newest checkpoint. The town must be down.
pub fn from_git(root: &Path, outside: &Outside) -> Result<Rebuilt> {
    rebuild(root, outside, |_| Source::checkpoint(sync::read_own(outside.world.as_ref(), root)?))
}

/// Rebuilds the ledger from the exported files.
pub fn from_files(root: &Path, outside: &Outside) -> Result<Rebuilt> {
    rebuild(root, outside, |layout| Source::files(layout, outside))
}

fn rebuild(root: &Path, outside: &Outside, read: impl FnOnce(&Layout) -> Result<Source>) -> Result<Rebuilt> {
    let layout = Layout::new(root);
    let _nobody_starts = keep_down(&layout, outside)?;
    let from = read(&layout)?;
    end_sessions(&layout, outside)?;
    let aside = layout.ledger().with_extension("rebuilding");
    remove_database(outside, &aside)?;
    let ledger = Ledger::create(&aside, outside.world.clone())?;
    let snapshots = find_snapshots(&layout, outside, &from.rigs)?;
    let mut rebuilt = ledger.write("overseer", "rebuild", |tx| Rebuild { tx, from: &from, outside }.run(&snapshots))?;
    ledger.settle()?;
    drop(ledger);
    rebuilt.commit = from.commit.map(|commit| commit.to_string());
    rebuilt.files = from.files;
    rebuilt.kept = put_in_place(&layout.ledger(), outside, &aside)?;
    Ok(rebuilt)
}

/// Takes the locks that boot and deacon need, so that neither can run.
fn keep_down(layout: &Layout, outside: &Outside) -> Result<[Held; 2]> {
    let disk = outside.world.disk();
    disk.guard(&layout.root);
    if !disk.exists(&layout.settings()) {
        return Err(Error::NoTown(layout.root.clone()));
    }
    let lock = |name: &str| -> Result<Held> {
        disk.lock(&layout.lock(name), LOCK_DEADLINE)?.ok_or_else(|| {
            Error::refused(
                format!("the process `{name}` of this town is running"),
                "end boot and deacon first: gt down, or kill their processes",
            )
        })
    };
    Ok([lock("boot")?, lock("deacon")?])
}

/// Replaces an unreadable or missing ledger by a backup. The ledger belongs to the town at `root`, which must be down, or to no
/// town. The old file is kept. Returns what was restored and the path of the old ledger.
pub fn from_backup(
    ledger: &Path,
    root: Option<&Path>,
    backup: &Path,
    outside: &Outside,
) -> Result<(Copied, Option<PathBuf>)> {
    let _nobody_starts = root.map(|root| keep_down(&Layout::new(root), outside)).transpose()?;
    let aside = ledger.with_extension("restoring");
    remove_database(outside, &aside)?;
    let copied = Ledger::copy_file(backup, &aside, outside.world.as_ref())?;
    let lock = ledger.with_file_name(LEDGER_LOCK);
    let turn = outside.world.disk().lock(&lock, LOCK_DEADLINE)?;
    let _turn = turn.ok_or(LedgerError::Busy(LOCK_DEADLINE))?;
    let kept = put_in_place(ledger, outside, &aside)?;
    Ok((Copied { path: ledger.to_owned(), ..copied }, kept))
}

/// Ends sessions of the lost ledger. Their secrets were lost with it, so gt could not identify them.
fn end_sessions(layout: &Layout, outside: &Outside) -> Result<()> {
    let (disk, sessions) = (outside.world.disk(), outside.world.sessions());
    for name in disk.list(&layout.sessions())? {
        let dir = layout.session(&IncarnationId(name));
        sessions.end(&dir, END_GRACE)?;
        if let SessionState::Running { .. } = sessions.state(&dir)? {
            return Err(Error::NeedsPerson {
                what: format!("the session in {} does not end", dir.display()),
                hint: "end its processes by hand, then rebuild again".to_owned(),
            });
        }
    }
    if disk.exists(&layout.sessions()) {
        // The new ledger counts from one again, but a folder must never belong to two incarnations.
        let at = outside.world.clock().now().as_second();
        disk.create_dir(&layout.archive())?;
        disk.rename(&layout.sessions(), &layout.archive().join(format!("sessions-{at}")))?;
    }
    Ok(())
}

fn remove_database(outside: &Outside, path: &Path) -> Result<()> {
    for file in gt_ledger::files(path) {
        outside.world.disk().remove(&file)?;
    }
    Ok(())
}

/// Renames the ledger built at `aside` to its final name. An existing one moves to `backups/`.
fn put_in_place(ledger: &Path, outside: &Outside, aside: &Path) -> Result<Option<PathBuf>> {
    let disk = outside.world.disk();
    let at = outside.world.clock().now().as_second();
    let backups = ledger.with_file_name(BACKUPS);
    let free = |n: &u32| !disk.exists(&backups.join(lost_name(at, *n)));
    let kept = backups.join(lost_name(at, (0..).find(free).unwrap_or_default()));
    let was_there = disk.exists(ledger);
    for (old, new) in gt_ledger::files(ledger).iter().zip(gt_ledger::files(&kept)) {
        if disk.exists(old) {
            disk.create_dir(&backups)?;
            disk.rename(old, &new)?;
        }
    }
    disk.rename(aside, ledger)?;
    Ok(was_there.then_some(kept))
}

fn lost_name(at: i64, n: u32) -> String {
    if n == 0 { format!("lost-{at}.db") } else { format!("lost-{at}-{n}.db") }
}

/// A rig as a checkpoint or an exported file describes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KnownRig {
    name: String,
    prefix: String,
    remote: String,
    trunk: String,
    added_at: Timestamp,
}

/// The newest snapshot of an attempt.
struct Found {
    rig: RigName,
    commit: Sha,
    taken_at: Timestamp,
    trailers: BTreeMap<String, String>,
}

impl Found {
    fn get(&self, key: &str) -> Option<&str> {
        self.trailers.get(key).map(String::as_str)
    }
}

fn known_rigs(text: &[u8], what: &str) -> Result<Vec<KnownRig>> {
    serde_json::from_slice(text)
        .map_err(|error| Error::refused(format!("{what} can't be read: {error}"), "git log gt-ledger shows older ones"))
}

fn find_snapshots(layout: &Layout, outside: &Outside, rigs: &[KnownRig]) -> Result<Vec<Found>> {
    let repo = outside.world.repo();
    let mut all = Vec::new();
    for known in rigs {
        let rig = RigName::parse(&known.name)?;
        let path = layout.rig(&rig).repo();
        if !outside.world.disk().exists(&path) {
            continue;
        }
        let refs = repo.refs(&path)?.into_iter().filter(|(name, _)| name.starts_with(snapshots::SNAPSHOTS));
        for (_, commit) in refs {
            let facts = repo.snapshot_facts(&path, &commit)?;
            let taken_at = Timestamp::from_second(facts.taken_at).unwrap_or_default();
            // Git stores whole seconds. Nothing in the rig's repository is older than the rig.
            let taken_at = taken_at.max(known.added_at);
            let trailers = snapshots::trailers(&facts.message).into_iter().collect();
            all.push(Found { rig: rig.clone(), commit, taken_at, trailers });
        }
    }
    Ok(all)
}

/// A rebuild in progress.
struct Rebuild<'t> {
    tx: &'t Tx<'t>,
    from: &'t Source,
    outside: &'t Outside,
}

impl Rebuild<'_> {
    fn run(&self, found: &[Found]) -> Result<Rebuilt> {
        let path = self.outside.env.get("PATH").cloned().unwrap_or_default();
        self.tx.set_meta("town_id", &self.from.town_id)?;
        self.tx.set_meta(PATH_KEY, &path)?;
        let from = self.from.commit.as_ref().filter(|_| self.from.files.is_empty());
        self.tx.event("ledger-rebuilt", from.map_or("issues.jsonl", Sha::as_str), None, None, None)?;
        let rigs = self.add_rigs()?;
        let beads = self.add_beads()?;
        let hooks = self.add_attempts(found)?;
        if let Some(commit) = &self.from.commit {
            sync::know(self.tx, commit)?;
        }
        Ok(Rebuilt { beads, rigs, hooks, ..Rebuilt::default() })
    }

    fn add_rigs(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for rig in &self.from.rigs {
            let KnownRig { name, prefix, remote, trunk, added_at } = rig.clone();
            self.tx.restore_rig(&RigRow { name: RigName::parse(&name)?, prefix, remote, trunk, added_at })?;
            names.push(name);
        }
        Ok(names)
    }

    fn add_beads(&self) -> Result<usize> {
        let (mut bulk, mut count) = (self.tx.begin_bulk(usize::MAX)?, 0);
        for (prefix, text) in &self.from.texts {
            for record in jsonl::records(text) {
                let record = record.map_err(|error| {
                    let what = format!("the beads of {prefix} can't be read: {error}");
                    Error::refused(what, "git log gt-ledger shows older ones; gt ledger restore is for backups")
                })?;
                match record {
                    Record::Other { line } => self.tx.keep_foreign_record(prefix, &line)?,
                    Record::Bead(bead) => count += self.add_bead(&self.let_go(*bead), &mut bulk)?,
                }
            }
        }
        self.tx.finish_bulk(bulk)?;
        Ok(count)
    }

    /// Adds a bead or replaces an older version of it. Returns the number of added beads.
    fn add_bead(&self, bead: &Bead, bulk: &mut Bulk) -> Result<usize> {
        let there = self.tx.bead(&bead.id)?;
        if there.as_ref().is_none_or(|there| there.updated_at.at <= bead.updated_at.at) {
            self.tx.import_bead(there.as_ref(), bead, Some(bulk))?;
        }
        Ok(usize::from(there.is_none()))
    }

    /// Releases a bead that a worker of this town held, because no session is left. A person's claim stays.
    fn let_go(&self, mut bead: Bead) -> Bead {
        let assignee = bead.assignee.as_deref().unwrap_or_default();
        let own = match split_assignee(assignee) {
            Some((town, _)) => town == self.from.town_id,
            None => matches!(Address::parse(assignee), Ok(Address::Polecat(..))),
        };
        if own {
            bead.assignee = None;
            set_held_since(&mut bead, None);
            if matches!(bead.status, Status::Hooked | Status::InProgress) {
                bead.status = Status::Open;
            }
        }
        bead
    }

    /// Adds attempts that have a snapshot, as ended. Also adds earlier ones without a snapshot, so that numbering continues.
    fn add_attempts(&self, found: &[Found]) -> Result<Vec<(BeadId, Sha)>> {
        let mut by_bead: BTreeMap<BeadId, BTreeMap<u32, &Found>> = BTreeMap::new();
        for snapshot in found {
            let (Some(bead), Some(number)) = (snapshot.get("Bead"), snapshot.get("Attempt")) else { continue };
            let Ok(number @ 1..=ATTEMPTS_LIMIT) = number.parse::<u32>() else { continue };
            by_bead.entry(BeadId::from(bead)).or_default().insert(number, snapshot);
        }
        let mut hooks = Vec::new();
        for (bead, snapshots) in by_bead {
            let Some((last, newest)) = snapshots.last_key_value() else { continue };
            let Some(known) = self.tx.bead(&bead)? else { continue };
            for number in 1..=*last {
                let of = snapshots.get(&number);
                self.add_attempt(&bead, number, of.copied(), newest)?;
            }
            if !matches!(known.status, Status::Closed | Status::Tombstone) {
                hooks.push((bead, newest.commit.clone()));
            }
        }
        Ok(hooks)
    }

    fn add_attempt(&self, bead: &BeadId, number: u32, found: Option<&Found>, newest: &Found) -> Result<()> {
        let of = found.unwrap_or(newest);
        let worker = match of.get("Worker").and_then(|text| Address::parse(text).ok()) {
            Some(Address::Polecat(_, worker)) => worker,
            _ => "unknown".to_owned(),
        };
        let branch = found.and_then(|found| found.get("Branch")).map(str::to_owned);
        let restored = RestoredAttempt {
            bead: bead.clone(),
            number,
            rig: of.rig.clone(),
            branch: branch.unwrap_or_else(|| format!("polecat/{worker}/{}-{number}", slug(bead.as_str()))),
            worker,
            formula: of.get("Molecule").unwrap_or_default().to_owned(),
            at: of.taken_at,
            snapshot: found.map(|found| found.commit.clone()),
        };
        let attempt = self.tx.restore_attempt(&restored)?;
        if found.is_some() {
            self.tx.decide(&Effect::ArchiveWorktree { attempt }, Some(&of.rig), Some(bead), Duration::ZERO)?;
        }
        Ok(())
    }
}

/// Maximum number of attempts on one bead that a trailer may claim.
const ATTEMPTS_LIMIT: u32 = 1000;
