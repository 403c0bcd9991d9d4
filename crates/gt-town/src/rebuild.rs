//! Making a lost ledger again from git: what is portable from the branch `gt-ledger`, and the hooks from the trailers of
//! the rigs' snapshots.
//!
//! The new ledger is made aside and gets its name last. Whoever dies before has changed nothing but that sessions that
//! nobody could speak for have ended.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_model::address::Address;
use gt_model::bead::{Bead, Status};
use gt_model::effect::Effect;
use gt_model::id::{BeadId, IncarnationId, RigName, Sha, slug};
use gt_model::jsonl::{self, Record};
use gt_model::merge::{set_held_since, split_assignee};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::ledger::{Ledger, RestoredAttempt, RigRow, Tx};
use crate::snapshots;
use crate::sync::{self, FromGit};
use crate::town::Outside;
use crate::worker_env::PATH_KEY;
use crate::world::{Held, SessionState};

/// How long a session's tree has to end politely.
const END_GRACE: Duration = Duration::from_secs(5);

/// How long a lock of the town's is waited for.
const LOCK_DEADLINE: Duration = Duration::from_secs(10);

/// What a rebuilding found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rebuilt {
    /// The commit that it is from.
    pub commit: String,
    /// How many beads there are again, as they were then.
    pub beads: usize,
    /// The rigs that are there again.
    pub rigs: Vec<String>,
    /// Hooks that were found: beads with the snapshot of the work on them. `gt polecat recover <bead>` goes on from it.
    pub hooks: Vec<(BeadId, Sha)>,
    /// Where the old ledger is now, if there was one.
    pub kept: Option<PathBuf>,
}

/// Rebuilds the ledger of the town at `root`, which must be down.
pub fn from_git(root: &Path, outside: &Outside) -> Result<Rebuilt> {
    let layout = Layout::new(root);
    let disk = outside.world.disk();
    if !disk.exists(&layout.settings()) {
        return Err(Error::NoTown(root.to_owned()));
    }
    let lock = |name: &str| -> Result<Held> {
        disk.lock(&layout.lock(name), LOCK_DEADLINE)?.ok_or_else(|| {
            Error::refused(
                format!("`{name}` of this town is at work"),
                "end boot and deacon first: gt down, or their processes",
            )
        })
    };
    let _nobody_starts = (lock("boot")?, lock("deacon")?);
    let from = sync::read_own(outside.world.as_ref(), root)?;
    end_sessions(&layout, outside)?;
    let aside = layout.ledger().with_extension("rebuilding");
    remove_database(outside, &aside)?;
    let ledger = Ledger::create(&aside, outside.world.clone())?;
    let snapshots = find_snapshots(&layout, outside, &from)?;
    let mut rebuilt = ledger.write("overseer", "rebuild", |tx| Rebuild { tx, from: &from, outside }.run(&snapshots))?;
    drop(ledger);
    rebuilt.commit = from.commit.to_string();
    rebuilt.kept = put_in_place(&layout, outside, &aside)?;
    Ok(rebuilt)
}

/// Sessions of a ledger that is lost: their secrets are gone with it, so nothing that they say can be heard.
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
        // The new ledger counts from one again, and a folder stands for one incarnation for good.
        let at = outside.world.clock().now().as_second();
        disk.create_dir(&layout.archive())?;
        disk.rename(&layout.sessions(), &layout.archive().join(format!("sessions-{at}")))?;
    }
    Ok(())
}

fn database_files(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut file = path.as_os_str().to_owned();
        file.push(end);
        PathBuf::from(file)
    })
}

fn remove_database(outside: &Outside, path: &Path) -> Result<()> {
    for file in database_files(path) {
        outside.world.disk().remove(&file)?;
    }
    Ok(())
}

fn put_in_place(layout: &Layout, outside: &Outside, aside: &Path) -> Result<Option<PathBuf>> {
    let disk = outside.world.disk();
    let at = outside.world.clock().now().as_second();
    let kept = layout.ledger().with_file_name("backups").join(format!("lost-{at}.db"));
    let was_there = disk.exists(&layout.ledger());
    for (old, new) in database_files(&layout.ledger()).iter().zip(database_files(&kept)) {
        if disk.exists(old) {
            disk.create_dir(new.parent().unwrap_or(&layout.root))?;
            disk.rename(old, &new)?;
        }
    }
    disk.rename(aside, &layout.ledger())?;
    Ok(was_there.then_some(kept))
}

/// A rig, as a checkpoint tells of it.
#[derive(Clone, Debug, Deserialize)]
struct KnownRig {
    name: String,
    prefix: String,
    remote: String,
    trunk: String,
    added_at: String,
}

/// The newest snapshot of an attempt.
struct Found {
    rig: RigName,
    commit: Sha,
    taken_at: String,
    trailers: BTreeMap<String, String>,
}

impl Found {
    fn get(&self, key: &str) -> Option<&str> {
        self.trailers.get(key).map(String::as_str)
    }
}

fn known_rigs(from: &FromGit) -> Result<Vec<KnownRig>> {
    serde_json::from_slice(&from.rigs).map_err(|error| {
        Error::refused(
            format!("the checkpoint's rigs.json can't be read: {error}"),
            "git log gt-ledger shows older ones",
        )
    })
}

fn find_snapshots(layout: &Layout, outside: &Outside, from: &FromGit) -> Result<Vec<Found>> {
    let repo = outside.world.repo();
    let mut all = Vec::new();
    for known in known_rigs(from)? {
        let rig = RigName::parse(&known.name)?;
        let added_at = known.added_at.parse::<jiff::Timestamp>().ok();
        let path = layout.rig(&rig).repo();
        if !outside.world.disk().exists(&path) {
            continue;
        }
        let refs = repo.refs(&path)?.into_iter().filter(|(name, _)| name.starts_with(snapshots::SNAPSHOTS));
        for (_, commit) in refs {
            let facts = repo.snapshot_facts(&path, &commit)?;
            let taken_at = jiff::Timestamp::from_second(facts.taken_at).unwrap_or_default();
            // Git counts whole seconds; what is in the rig's repository is never older than the rig.
            let taken_at = added_at.map_or(taken_at, |added_at| taken_at.max(added_at)).to_string();
            let trailers = snapshots::trailers(&facts.message).into_iter().collect();
            all.push(Found { rig: rig.clone(), commit, taken_at, trailers });
        }
    }
    Ok(all)
}

/// A rebuilding under way.
struct Rebuild<'t> {
    tx: &'t Tx<'t>,
    from: &'t FromGit,
    outside: &'t Outside,
}

impl Rebuild<'_> {
    fn run(&self, found: &[Found]) -> Result<Rebuilt> {
        let path = self.outside.env.get("PATH").cloned().unwrap_or_default();
        self.tx.set_meta("town_id", &self.from.town_id)?;
        self.tx.set_meta(PATH_KEY, &path)?;
        self.tx.event("ledger-rebuilt", self.from.commit.as_str(), None, None, None)?;
        let rigs = self.add_rigs()?;
        let beads = self.add_beads()?;
        let hooks = self.add_attempts(found)?;
        sync::know(self.tx, &self.from.commit)?;
        Ok(Rebuilt { beads, rigs, hooks, ..Rebuilt::default() })
    }

    fn add_rigs(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for rig in known_rigs(self.from)? {
            let KnownRig { name, prefix, remote, trunk, added_at } = rig;
            self.tx.restore_rig(&RigRow { name: RigName::parse(&name)?, prefix, remote, trunk, added_at })?;
            names.push(name);
        }
        Ok(names)
    }

    fn add_beads(&self) -> Result<usize> {
        let (mut bulk, mut count) = (self.tx.begin_bulk(usize::MAX)?, 0);
        for (prefix, text) in &self.from.beads {
            let parsed = jsonl::parse(text);
            if let Some(error) = parsed.errors.first() {
                let what = format!("the checkpoint's beads of {prefix} can't be read: {error}");
                return Err(Error::refused(what, "git log gt-ledger shows older ones"));
            }
            for record in parsed.records {
                match record {
                    Record::Other { line } => self.tx.keep_foreign_record(prefix, &line)?,
                    Record::Bead(bead) => {
                        count += 1;
                        self.tx.import_bead(None, &self.let_go(*bead), Some(&mut bulk))?;
                    }
                }
            }
        }
        self.tx.finish_bulk(&bulk)?;
        Ok(count)
    }

    /// Nobody of this town works on a bead any more.
    fn let_go(&self, mut bead: Bead) -> Bead {
        let own = bead.assignee.as_deref().and_then(split_assignee).is_some_and(|(town, _)| town == self.from.town_id);
        if own {
            bead.assignee = None;
            set_held_since(&mut bead, None);
            if matches!(bead.status, Status::Hooked | Status::InProgress) {
                bead.status = Status::Open;
            }
        }
        bead
    }

    /// Attempts with a snapshot, as over; those before them that left none, so that numbers go on where they were.
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
            at: of.taken_at.clone(),
            snapshot: found.map(|found| found.commit.clone()),
        };
        let attempt = self.tx.restore_attempt(&restored)?;
        if found.is_some() {
            self.tx.decide(&Effect::ArchiveWorktree { attempt }, Some(&of.rig), Some(bead), Duration::ZERO)?;
        }
        Ok(())
    }
}

/// Attempts on one bead beyond which a trailer is not believed.
const ATTEMPTS_LIMIT: u32 = 1000;
