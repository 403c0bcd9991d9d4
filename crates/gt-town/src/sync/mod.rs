//! The ledger in git: checkpoints on a branch of the town's own repository, and merging that branch with other towns' branches.
//!
//! A checkpoint is a commit of all portable beads (one or more files for each prefix) and of this town's settings. The ledger
//! remains the source of truth: one transaction merges other towns' changes into it, then the result is committed and pushed. A
//! process that dies in between leaves either an older branch or one that the next checkpoint completes. A ledger setting records
//! which foreign commit the ledger has already merged.
//!
//! [`checkpoint`] commits the ledger and [`sync`] merges with a remote. [`port`] imports and exports beads as JSONL, and
//! [`adopt`] imports them from other tools. [`rebuild`] restores a lost ledger. [`solo`] serves ledgers that belong to no town.
//!
//! This room does not synchronize code: `rigs::remote` fetches rigs, and `refinery` pushes landings.

pub mod adopt;
mod parts;
pub mod port;
mod portable;
mod pull;
pub mod rebuild;
mod schedule;
pub mod solo;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use gt_model::address::Address;
use gt_model::id::Sha;
use gt_model::merge::Renamed;
use gt_model::{jsonl, merge};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::town::error::{Error, Result};
use crate::town::lane::Lane;
use crate::town::{Caller, Town};
use gt_ledger::{LedgerError, SYNCED_KEY, Tx};
use gt_world::ledger_repo::{FileFacts, FileSource, LEDGER_REF, LedgerRepo, git_folder};
use gt_world::{Held, Push, World};

use parts::{is_beads_file, slug_of_file};
use portable::{READABLE_VERSIONS, VERSION_FILE, is_own};
use pull::{Differing, Incoming, damaged};
pub use pull::{Lost, Pulled};
pub use schedule::Schedule;

/// Ref of the remote's branch as last fetched.
const FETCHED_REF: &str = "refs/gt/sync/fetched";

/// Ledger setting with the foreign commit that the ledger has merged.
const MERGED_KEY: &str = "sync_merged";

/// Ledger setting with the commit of the last checkpoint. A branch at another commit was written from a different ledger, for
/// example one that a backup has since replaced.
const CHECKPOINT_KEY: &str = "checkpoint";

/// File in the town's repository with the town's id, for when the ledger is lost.
const ID_FILE: &str = "gt-town";

/// Number of times that a push is tried if the remote keeps moving.
const ROUNDS: usize = 8;

/// Result of a sync.
#[derive(Clone, Debug, Serialize)]
pub struct Synced {
    /// Remote repository.
    pub remote: String,
    /// Commit that both sides now have; `None` for a dry run.
    pub commit: Option<Sha>,
    /// Changes from the remote.
    pub pulled: Pulled,
    /// Number of beads sent that the remote lacked or had in another version.
    pub sent: usize,
    /// Whether this was a dry run, which changed nothing.
    pub dry_run: bool,
}

/// A successful sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSync {
    /// Time of the sync.
    pub at: Timestamp,
    /// Remote repository.
    pub remote: String,
    /// Commit that both sides had afterwards.
    pub commit: Sha,
}

/// Where the ledger is shared, and the last sync.
#[derive(Clone, Debug, Serialize)]
pub struct SyncStatus {
    /// Remote that it is synced with; `None`: checkpoints stay local.
    pub remote: Option<String>,
    /// Last successful sync.
    pub last: Option<LastSync>,
}

/// Returns the state of sync.
pub fn status(town: &Town) -> Result<SyncStatus> {
    let last = town.ledger.read(|view| view.meta(SYNCED_KEY).map_err(Error::from))?;
    let read = |text: String| {
        serde_json::from_str(&text).map_err(|e| LedgerError::Corrupt { what: "the last sync", text: e.to_string() })
    };
    Ok(SyncStatus { remote: town.settings.sync.remote.clone(), last: last.map(read).transpose()? })
}

fn repo_of(town: &Town) -> PathBuf {
    git_folder(&town.layout.root)
}

/// Creates the town's repository if there is none.
pub fn make(town: &Town) -> Result<()> {
    if town.world().disk().exists(&repo_of(town).join("info/exclude")) {
        return Ok(());
    }
    let held = town.lock(&Lane::LedgerBranch)?;
    Ok(town.world().ledger_repo().make(&held, &town.layout.root)?)
}

/// Commits the current ledger to its branch if anything changed. Returns the branch's commit.
pub fn checkpoint(town: &Town, caller: &Caller) -> Result<Sha> {
    make(town)?;
    let held = town.lock(&Lane::LedgerBranch)?;
    let branch = Branch::of(town, &held)?;
    let mut pulled = Pulled::default();
    branch.prepare(caller, &mut pulled)?;
    let commit = branch.checkpoint(caller, "Checkpoint")?;
    branch.git.tidy(&held, &branch.repo)?;
    Ok(commit)
}

/// Makes a [`checkpoint`] if the schedule says that one is due; for the deacon.
pub(crate) fn checkpoint_if_due(town: &Town, schedule: &mut Schedule) -> Result<()> {
    let newest = town.ledger.read(|view| view.last_events(None, 1).map_err(Error::from))?;
    let newest = newest.last().map_or(0, |event| event.seq);
    let clock = town.world().clock();
    let begun = clock.monotonic();
    if !schedule.is_due(begun, newest) {
        return Ok(());
    }
    let result = checkpoint(town, &Caller::role(Address::Deacon));
    schedule.tried(begun, clock.monotonic(), newest, result.is_ok());
    result.map(|_| ())
}

/// Merges with the branch at `remote` (by default the remote in the settings) and pushes the result there. With `dry_run`, only
/// reports what would change here.
pub fn sync(town: &Town, caller: &Caller, remote: Option<&str>, dry_run: bool) -> Result<Synced> {
    let remote = remote.or(town.settings.sync.remote.as_deref()).ok_or_else(|| {
        let settings = town.layout.settings();
        let hint = format!("name one: [sync] remote = \"<url>\" in {}, or gt sync --remote <url>", settings.display());
        Error::refused("this town has no remote for its ledger", hint)
    })?;
    check_remote(remote)?;
    town.ledger.refuse_away()?;
    make(town)?;
    let held = town.lock(&Lane::LedgerBranch)?;
    let branch = Branch::of(town, &held)?;
    if dry_run {
        return branch.try_out(remote);
    }
    let mut pulled = Pulled::default();
    for _ in 0..ROUNDS {
        if let Some(synced) = branch.round(caller, remote, &mut pulled)? {
            branch.git.tidy(&held, &branch.repo)?;
            town.wake();
            return Ok(synced);
        }
    }
    Err(Error::TimedOut {
        what: format!("the branch gt-ledger of {remote} was moved {ROUNDS} times meanwhile"),
        hint: "nothing is lost; try again: gt sync".to_owned(),
    })
}

/// Content of a town's newest checkpoint.
pub(crate) struct FromGit {
    /// Commit of the checkpoint.
    pub(crate) commit: Sha,
    /// The town's id.
    pub(crate) town_id: String,
    /// Beads as JSONL, by prefix.
    pub(crate) beads: BTreeMap<String, Vec<u8>>,
    /// The rigs, as JSON.
    pub(crate) rigs: Vec<u8>,
}

/// Reads the newest checkpoint of the town at `root`, whose ledger may be lost.
pub(crate) fn read_own(world: &dyn World, root: &Path) -> Result<FromGit> {
    let (git, repo) = (world.ledger_repo(), git_folder(root));
    let commit = git.at(&repo, LEDGER_REF)?;
    let none =
        || Error::refused("this town has no checkpoint", "restore a backup: gt ledger restore .beads/backups/<file>");
    let commit = commit.ok_or_else(none)?;
    let files = git.files(&repo, &commit)?;
    check_version(git, &repo, &files)?;
    let id = world.disk().read(&repo.join(ID_FILE))?.and_then(|id| String::from_utf8(id).ok());
    let town_id = id.ok_or_else(none)?;
    let mut texts: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for (path, text) in texts_of(git, &repo, files.iter().filter(|(path, _)| is_beads_file(path)))? {
        texts.entry(slug_of_file(path)).or_default().extend(text);
    }
    let beads = texts.into_iter().map(|(slug, text)| (prefix_of(&text).unwrap_or_else(|| slug.to_owned()), text));
    let rigs = files.get(&portable::rigs_file(&town_id)).map(|file| git.content(&repo, file)).transpose()?;
    Ok(FromGit { commit, town_id, beads: beads.collect(), rigs: rigs.unwrap_or_else(|| b"[]".to_vec()) })
}

/// Returns the prefix of the first bead in a text.
fn prefix_of(text: &[u8]) -> Option<String> {
    jsonl::records(text).flatten().find_map(|record| match record {
        jsonl::Record::Bead(bead) => Some(bead.id.prefix().to_owned()),
        jsonl::Record::Other { .. } => None,
    })
}

/// Returns the texts of files, each ended by a line break.
fn texts_of<'f>(
    git: &dyn LedgerRepo,
    repo: &Path,
    files: impl Iterator<Item = (&'f String, &'f FileFacts)>,
) -> Result<Vec<(&'f String, Vec<u8>)>> {
    let (paths, files): (Vec<_>, Vec<_>) = files.unzip();
    let mut texts = git.contents(repo, &files)?;
    for text in texts.iter_mut().filter(|text| !text.is_empty() && !text.ends_with(b"\n")) {
        text.push(b'\n');
    }
    Ok(paths.into_iter().zip(texts).collect())
}

/// Returns the bead files of `one` that `other` lacks or has with different content.
fn differing<'f>(
    one: &'f BTreeMap<String, FileFacts>,
    other: &BTreeMap<String, FileFacts>,
) -> impl Iterator<Item = (&'f String, &'f FileFacts)> {
    one.iter().filter(|(path, file)| is_beads_file(path) && other.get(*path) != Some(file))
}

/// Records that the ledger matches a checkpoint.
pub(crate) fn know(tx: &Tx<'_>, commit: &Sha) -> Result<()> {
    Ok(tx.set_meta(CHECKPOINT_KEY, commit.as_str())?)
}

/// Report on merged files.
#[derive(Clone, Debug, Serialize)]
pub struct MergedFiles {
    /// Values of one side that the merged file does not have.
    pub losses: Vec<Lost>,
    /// Beads that got new ids, because a different bead with the same id keeps it.
    pub renamed: Vec<Renamed>,
    /// Lines with an escaped NUL character, which was read as U+FFFD.
    pub nul_lines: Vec<String>,
}

/// Merges bead files as git's merge driver and writes the merge of base, ours and theirs to `ours`. If a line can't be read,
/// returns an error and leaves `ours` unchanged.
pub fn merge_files(world: &dyn World, base: &Path, ours: &Path, theirs: &Path) -> Result<MergedFiles> {
    let (mut sides, mut nul_lines) = (Vec::new(), Vec::new());
    for path in [base, ours, theirs] {
        let text = world.disk().read(path)?.ok_or_else(|| Error::MissingFile(path.to_owned()))?;
        let parsed = jsonl::parse(&text);
        if let Some(error) = parsed.errors.first() {
            let what = format!("{} can't be read, so nothing was merged: {error}", path.display());
            return Err(Error::refused(what, "repair that side's file first"));
        }
        nul_lines.extend(jsonl::lines_with_nul(&text).map(|line| format!("{} line {line}", path.display())));
        sides.push(parsed.records);
    }
    let base = merge::base_without_lost(&sides[0], &sides[1], &sides[2]);
    let merged = merge::merge(&base, &sides[1], &sides[2]);
    world.disk().write(ours, jsonl::write(&merged.records).as_bytes())?;
    let losses = merged.losses.into_iter().map(Lost::from).collect();
    Ok(MergedFiles { losses, renamed: merged.renamed, nul_lines })
}

/// Returns an error for a text that git would not accept as a remote.
pub(crate) fn check_remote(remote: &str) -> Result<()> {
    if remote.is_empty() || remote.starts_with('-') || remote.contains(char::is_control) {
        return Err(Error::Usage {
            what: format!("{remote:?} is not the address of a repository"),
            hint: "for example: git@example.org:team/ledger.git, or a path".to_owned(),
        });
    }
    Ok(())
}

/// The town's repository with its lock held.
struct Branch<'t> {
    town: &'t Town,
    held: &'t Held,
    git: &'t dyn LedgerRepo,
    repo: PathBuf,
    town_id: String,
}

/// The remote's changes, after parsing and checking.
struct Theirs {
    head: Sha,
    incoming: Incoming,
}

impl<'t> Branch<'t> {
    fn of(town: &'t Town, held: &'t Held) -> Result<Self> {
        let id = town.ledger.read(|view| view.meta("town_id").map_err(Error::from))?;
        let town_id = id.ok_or_else(|| Error::refused("this town has no id", "gt doctor"))?;
        Ok(Self { town, held, git: town.world().ledger_repo(), repo: repo_of(town), town_id })
    }

    fn head(&self) -> Result<Option<Sha>> {
        Ok(self.git.at(&self.repo, LEDGER_REF)?)
    }

    fn contains(&self, descendant: &Sha, ancestor: &Sha) -> Result<bool> {
        Ok(self.town.world().repo().contains(&self.repo, descendant, ancestor)?)
    }

    /// Applies other towns' pending changes to beads on which local work has ended, and merges commits that the branch has and
    /// the ledger lacks.
    fn prepare(&self, caller: &Caller, pulled: &mut Pulled) -> Result<()> {
        if !self.town.ledger.read(pull::due)?.is_empty() {
            self.town.ledger.write(&caller.name(), "sync", pull::settle)?;
        }
        let Some(head) = self.head()? else { return Ok(()) };
        let known = self.known(CHECKPOINT_KEY)?;
        let is_known = known.as_ref().map(|known| self.contains(known, &head)).transpose()?.unwrap_or(false);
        if is_known { Ok(()) } else { self.merge(caller, known.as_ref(), &head, pulled) }
    }

    /// Returns a commit that the ledger knows, if the repository contains it. The repository may have been created again.
    fn known(&self, key: &str) -> Result<Option<Sha>> {
        let known = self.town.ledger.read(|view| view.meta(key).map_err(Error::from))?.map(Sha);
        Ok(known.filter(|known| self.town.world().repo().tree_of(&self.repo, known).is_ok()))
    }

    /// Commits the current ledger on top of what it has merged.
    fn checkpoint(&self, caller: &Caller, message: &str) -> Result<Sha> {
        self.note_id()?;
        let head = self.head()?;
        let merged = self.taken_in(head.as_ref())?;
        let mut files: BTreeMap<String, FileSource> = portable::files(self.town, &self.town_id)?
            .into_iter()
            .map(|(path, bytes)| (path, FileSource::Bytes(bytes)))
            .collect();
        files.extend(self.carried(head.as_ref(), merged.as_ref())?);
        let parents = self.parents(head.as_ref(), merged)?;
        let commit = self.git.commit_files(self.held, &self.repo, &files, &parents, message)?;
        if self.known(CHECKPOINT_KEY)?.as_ref() != Some(&commit) {
            // Record this first. A branch that lags behind is completed later, but one that is ahead would count as foreign.
            self.town.ledger.write(&caller.name(), "checkpoint", |tx| {
                Ok::<_, Error>(tx.set_meta(CHECKPOINT_KEY, commit.as_str())?)
            })?;
        }
        self.town.world().repo().set_ref(self.held, &self.repo, LEDGER_REF, &commit, head.as_ref())?;
        Ok(commit)
    }

    fn note_id(&self) -> Result<()> {
        let (disk, file) = (self.town.world().disk(), self.repo.join(ID_FILE));
        if disk.read(&file)?.as_deref() != Some(self.town_id.as_bytes()) {
            disk.write(&file, self.town_id.as_bytes())?;
        }
        Ok(())
    }

    /// Returns the foreign commit that the ledger has merged and the branch lacks.
    fn taken_in(&self, head: Option<&Sha>) -> Result<Option<Sha>> {
        let Some(merged) = self.known(MERGED_KEY)? else { return Ok(None) };
        let is_in = head.map(|head| self.contains(head, &merged)).transpose()?.unwrap_or(false);
        Ok((!is_in).then_some(merged))
    }

    fn parents(&self, head: Option<&Sha>, merged: Option<Sha>) -> Result<Vec<Sha>> {
        Ok(match (head, merged) {
            (Some(head), Some(merged)) if self.contains(&merged, head)? => vec![merged],
            (head, merged) => head.cloned().into_iter().chain(merged).collect(),
        })
    }

    /// Returns files that this town does not write, such as other towns' settings, in the version of the side that changed them.
    fn carried(&self, head: Option<&Sha>, merged: Option<&Sha>) -> Result<BTreeMap<String, FileSource>> {
        let foreign = |commit: Option<&Sha>| -> Result<BTreeMap<String, Sha>> {
            let Some(commit) = commit else { return Ok(BTreeMap::new()) };
            let files = self.git.files(&self.repo, commit)?.into_iter();
            Ok(files.filter(|(path, _)| !is_own(&self.town_id, path)).map(|(path, facts)| (path, facts.id)).collect())
        };
        let (ours, theirs) = (foreign(head)?, foreign(merged)?);
        let base = match (head, merged) {
            (Some(head), Some(merged)) => foreign(self.bases(head, merged)?.first())?,
            _ => BTreeMap::new(),
        };
        let paths: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        let mut carried = BTreeMap::new();
        for path in paths {
            let known = match (ours.get(path), theirs.get(path)) {
                (our, their) if merged.is_none() || our == their || their == base.get(path) => our,
                (our, their) if our == base.get(path) => their,
                // Both sides changed what neither should have. Choose so that both sides get the same result.
                (our, their) => our.max(their),
            };
            carried.extend(known.map(|id| (path.clone(), FileSource::Known(id.clone()))));
        }
        Ok(carried)
    }

    fn bases(&self, one: &Sha, other: &Sha) -> Result<Vec<Sha>> {
        Ok(self.town.world().repo().merge_bases(&self.repo, one, other)?)
    }

    /// Tries once. Returns `None` if the remote moved meanwhile.
    fn round(&self, caller: &Caller, remote: &str, pulled: &mut Pulled) -> Result<Option<Synced>> {
        let faults = &self.town.outside.faults;
        self.prepare(caller, pulled)?;
        let ours = self.checkpoint(caller, "Checkpoint")?;
        let fetched = self.git.fetch_ledger(self.held, &self.repo, remote, FETCHED_REF)?;
        faults.at("sync:fetched");
        let new = match &fetched {
            Some(theirs) if !self.contains(&ours, theirs)? => {
                self.merge(caller, Some(&ours), theirs, pulled)?;
                self.checkpoint(caller, "Merge with another town")?
            }
            _ => ours,
        };
        faults.at("sync:committed");
        let sent = self.sent(&new, fetched.as_ref())?;
        match self.git.push_ledger(self.held, &self.repo, remote, &new, fetched.as_ref())? {
            Push::Moved => return Ok(None),
            Push::Refused(reason) => return Err(refused(remote, &reason)),
            Push::Done => {}
        }
        faults.at("sync:pushed");
        self.note(caller, remote, &new)?;
        let pulled = std::mem::take(pulled);
        Ok(Some(Synced { remote: remote.to_owned(), commit: Some(new), pulled, sent, dry_run: false }))
    }

    /// Merges their changes into the ledger.
    fn merge(&self, caller: &Caller, ours: Option<&Sha>, head: &Sha, pulled: &mut Pulled) -> Result<()> {
        let theirs = self.read(ours, head)?;
        let now = self.town.ledger.write(&caller.name(), "sync", |tx| {
            let pulled = pull::take_in(tx, &self.town_id, &theirs.incoming)?;
            tx.set_meta(MERGED_KEY, theirs.head.as_str())?;
            Ok::<_, Error>(pulled)
        })?;
        pulled.extend(now);
        Ok(())
    }

    /// Reads their changes since the last common commit.
    fn read(&self, ours: Option<&Sha>, head: &Sha) -> Result<Theirs> {
        let bases = ours.map(|ours| self.bases(ours, head)).transpose()?.unwrap_or_default();
        let bases = bases.iter().map(|base| Ok(self.git.files(&self.repo, base)?)).collect::<Result<Vec<_>>>()?;
        let files = self.git.files(&self.repo, head).map_err(|error| damaged(&error.to_string()))?;
        check_version(self.git, &self.repo, &files)?;
        let differing = self.differing_texts(&bases, &files)?;
        let incoming = self.town.ledger.read(|view| Incoming::parse(differing, view))?;
        Ok(Theirs { head: head.clone(), incoming })
    }

    /// Returns the texts that differ between theirs and any of the last common commits, by slug of the prefix. If all are equal,
    /// only we have changed the text. If theirs has no file for a prefix, the file was lost there.
    fn differing_texts(
        &self,
        bases: &[BTreeMap<String, FileFacts>],
        theirs: &BTreeMap<String, FileFacts>,
    ) -> Result<BTreeMap<String, Differing>> {
        let is_common = |path: &String, file: &FileFacts| {
            !bases.is_empty() && bases.iter().chain([theirs]).all(|side| side.get(path) == Some(file))
        };
        let read = |side: &BTreeMap<String, FileFacts>| -> Result<Vec<(String, Vec<u8>)>> {
            let files = side.iter().filter(|(path, file)| is_beads_file(path) && !is_common(path, file));
            let texts = texts_of(self.git, &self.repo, files)?;
            Ok(texts.into_iter().map(|(path, text)| (path.clone(), text)).collect())
        };
        let mut differing: BTreeMap<String, Differing> = BTreeMap::new();
        for (path, text) in read(theirs)? {
            differing.entry(slug_of_file(&path).to_owned()).or_default().theirs.push((path, text));
        }
        for (number, base) in bases.iter().enumerate() {
            for (path, text) in read(base)? {
                let Some(prefix) = differing.get_mut(slug_of_file(&path)) else { continue };
                prefix.bases.resize_with(bases.len(), Vec::new);
                prefix.bases[number].push((path, text));
            }
        }
        Ok(differing)
    }

    /// Counts the beads of the new commit that the old one lacks or has in another version.
    fn sent(&self, new: &Sha, old: Option<&Sha>) -> Result<usize> {
        let (new, old) = (self.git.files(&self.repo, new)?, self.files_of(old)?);
        Ok(differing_lines(&self.text(differing(&new, &old))?, &self.text(differing(&old, &new))?))
    }

    /// Returns the concatenated texts of files.
    fn text<'f>(&self, files: impl Iterator<Item = (&'f String, &'f FileFacts)>) -> Result<Vec<u8>> {
        Ok(texts_of(self.git, &self.repo, files)?.into_iter().flat_map(|(_, text)| text).collect())
    }

    fn files_of(&self, commit: Option<&Sha>) -> Result<BTreeMap<String, FileFacts>> {
        Ok(commit.map(|commit| self.git.files(&self.repo, commit)).transpose()?.unwrap_or_default())
    }

    fn note(&self, caller: &Caller, remote: &str, commit: &Sha) -> Result<()> {
        let at = self.town.world().clock().now();
        let last = LastSync { at, remote: remote.to_owned(), commit: commit.clone() };
        let text =
            serde_json::to_string(&last).map_err(|e| LedgerError::Corrupt { what: "a value", text: e.to_string() })?;
        self.town.ledger.write_for_now(&caller.name(), "synced", |tx| Ok(tx.set_meta(SYNCED_KEY, &text)?))
    }

    /// Reports what a sync would change here and changes nothing. The fetched commits belong to no branch.
    fn try_out(&self, remote: &str) -> Result<Synced> {
        let (head, fetched) =
            (self.known(CHECKPOINT_KEY)?, self.git.fetch_ledger(self.held, &self.repo, remote, FETCHED_REF)?);
        let mut pulled = Pulled::default();
        if let Some(theirs) = &fetched {
            // The last checkpoint gives the common state, just as a new one would.
            let theirs = self.read(head.as_ref(), theirs)?;
            pulled = self.town.ledger.try_out("sync", |tx| pull::take_in(tx, &self.town_id, &theirs.incoming))?;
        }
        let there = self.files_of(fetched.as_ref())?;
        let there = self.text(there.iter().filter(|(path, _)| is_beads_file(path)))?;
        let here = portable::files(self.town, &self.town_id)?.into_iter().filter(|(path, _)| is_beads_file(path));
        let sent = differing_lines(&here.flat_map(|(_, text)| text).collect::<Vec<u8>>(), &there);
        Ok(Synced { remote: remote.to_owned(), commit: None, pulled, sent, dry_run: true })
    }
}

/// Counts the lines of one text that the other lacks.
fn differing_lines(new: &[u8], old: &[u8]) -> usize {
    let old: BTreeSet<&[u8]> = old.split(|byte| *byte == b'\n').collect();
    new.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !old.contains(line)).count()
}

fn check_version(git: &dyn LedgerRepo, repo: &Path, files: &BTreeMap<String, FileFacts>) -> Result<()> {
    let file = files.get(VERSION_FILE).ok_or_else(|| damaged(&format!("it has no file {VERSION_FILE}")))?;
    let text = git.content(repo, file)?;
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    if READABLE_VERSIONS.contains(&text.as_str()) {
        return Ok(());
    }
    let what = format!(
        "the ledger's branch has the format {text:?}, but this gt knows only {}",
        READABLE_VERSIONS.join(" and ")
    );
    Err(Error::refused(what, "install the newer gt"))
}

fn refused(remote: &str, reason: &str) -> Error {
    Error::refused(
        format!("{remote} refuses pushes to the branch gt-ledger: {reason}"),
        "what came from there is merged here, and nothing is lost; allow pushes to gt-ledger, then: gt sync",
    )
}
