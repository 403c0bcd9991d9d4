//! Warm copies: build results of the trunk's gates (`target`, `node_modules`) that the town keeps, so that a new worktree need
//! not build them again.
//!
//! A copy is taken from the gates' worktree after a successful run without caches on the trunk's tree. So no agent's work that
//! has not landed can influence it. It is stored where no sandbox can see it. Each worktree gets its own copy, never hard links,
//! because compilers and agents write files in place. Gates do not use warm copies; the setting `keep` controls what they start
//! from.

use std::path::{Path, PathBuf};

use gt_model::address::Address;
use gt_model::id::Sha;
use gt_world::{DIRTY_LIMIT, NodeKind, Rules};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::town::error::{self, Error, Result};
use crate::town::{Rig, Town};
use crate::walls::reach;

mod inputs;

use inputs::Inputs;

/// Maximum number for each rig. Work may still start from yesterday's trunk.
const KEPT: usize = 3;

/// File in a warm copy that describes it. A folder without it is not a warm copy.
const RECORD: &str = "warm.json";

/// Folder in a warm copy that holds the copied folders.
const FILES: &str = "files";

/// Name prefix of unfinished copies.
const MAKING_PREFIX: &str = ".making-";

/// Age in seconds after which an unfinished copy is abandoned; no copy takes this long.
const LONGEST_MAKING_S: i64 = 24 * 60 * 60;

/// File that marks a Python virtual environment. Its paths are absolute, so a copy would refer to the original place.
const ENVIRONMENT: &str = "pyvenv.cfg";

/// Description of a warm copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Warm {
    /// Its folders, as paths in a worktree.
    pub(crate) paths: Vec<String>,
    /// Tree that was built.
    pub(crate) tree: Sha,
    /// Time of the copy, in microseconds since the epoch.
    pub(crate) taken_at: i64,
    /// Size in bytes.
    pub(crate) bytes: u64,
    /// Whether it contains everything that the set-up made, and lock files alone decide the content.
    pub(crate) has_set_up: bool,
    /// Hash of the manifests that the set-up ran with.
    pub(crate) manifests: String,
}

/// Folders that a worktree received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// Folders that were missing before.
    pub(crate) paths: Vec<String>,
    /// Whether the set-up would make nothing else, so that it need not run.
    pub(crate) has_set_up: bool,
    /// Tree of the build.
    pub(crate) tree: Option<Sha>,
}

/// State of the gates' worktree after the last run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct GateState {
    /// Tree that was built.
    tree: Sha,
    /// Rebuildable folders that the set-up made, if it made nothing else and lock files alone decide the content.
    set_up: Option<Vec<String>>,
}

/// Whether the rig makes warm copies.
fn is_wanted(rig: &Rig) -> bool {
    rig.settings.worktree.warm_limit_mb > 0 && !rig.settings.worktree.rebuildable.is_empty()
}

/// Whether a new worktree may receive a warm copy.
pub(crate) fn may_be_given(town: &Town, rig: &Rig) -> bool {
    is_wanted(rig) && town.world().disk().list(&rig.layout.warm_copies()).is_ok_and(|names| !names.is_empty())
}

/// Forgets the recorded state of the gates' worktree, because it changes from here on.
pub(crate) fn forget_gates(town: &Town, rig: &Rig) -> Result<()> {
    Ok(town.world().disk().remove(&rig.layout.gate_state())?)
}

/// Returns the rebuildable folders that the set-up of the gates' worktree has just made. Returns `None` if it made anything else
/// or something besides lock files decides the content, and an empty list if there is no set-up.
pub(crate) fn made_by_set_up(town: &Town, rig: &Rig, folder: &Path, tree: &Sha) -> Result<Option<Vec<String>>> {
    let settings = &rig.settings.worktree;
    let Some(set_up) = &settings.setup else { return Ok(Some(Vec::new())) };
    if !is_wanted(rig) || !inputs::installs_by_lock_file(set_up) {
        return Ok(None);
    }
    let found = town.world().repo().untracked(&rig.layout.repo(), folder, tree, &rules(rig))?;
    // At this many entries, the list may be incomplete.
    let is_listed = found.others.len() < DIRTY_LIMIT;
    let is_copied = |path: &String| settings.copy.contains(path) || settings.clone.contains(path);
    Ok((is_listed && found.others.iter().all(is_copied)).then_some(found.kept))
}

fn rules(rig: &Rig) -> Rules {
    let settings = &rig.settings.worktree;
    Rules { keep: settings.rebuildable.clone(), submodules: settings.submodules, conversions: false }
}

/// Records that the gates' worktree holds the build results of a successful run without caches on this tree.
pub(crate) fn note_gates(town: &Town, rig: &Rig, tree: &Sha, set_up: Option<Vec<String>>) -> Result<()> {
    if !is_wanted(rig) {
        return Ok(());
    }
    let state = GateState { tree: tree.clone(), set_up };
    let text = serde_json::to_vec(&state).unwrap_or_default();
    Ok(town.world().disk().write(&rig.layout.gate_state(), &text)?)
}

/// Takes a warm copy of the gates' build results if they belong to this tree, which is the trunk's, and no equivalent copy
/// exists. The caller holds the rig's gates lane. A failure is only recorded as an event, because nothing depends on a warm copy.
pub(crate) fn keep_of_trunk(town: &Town, rig: &Rig, tree: &Sha) -> Result<()> {
    if !is_wanted(rig) {
        return Ok(());
    }
    let (event, facts) = match take(town, rig, tree) {
        Ok(None) => return Ok(()),
        Ok(Some(warm)) => ("warm-copy", json!({ "paths": warm.paths, "bytes": warm.bytes, "tree": warm.tree })),
        Err(error @ Error::Ledger(_)) => return Err(error),
        Err(error) => ("warm-copy-failed", json!(error::chain(&error))),
    };
    let actor = Address::Refinery(rig.name().clone()).to_string();
    town.ledger.write(&actor, "warm copy", |tx| Ok(tx.event(event, rig.name().as_str(), None, None, Some(&facts))?))
}

fn take(town: &Town, rig: &Rig, tree: &Sha) -> Result<Option<Warm>> {
    let disk = town.world().disk();
    let state: Option<GateState> =
        disk.read(&rig.layout.gate_state())?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let Some(state) = state.filter(|state| state.tree == *tree) else { return Ok(None) };
    let from = rig.layout.gate_worktree();
    let inputs = inputs_of(town, rig, &from)?;
    let key = key(town, rig, &inputs);
    let to = rig.layout.warm_copies().join(&key);
    if disk.exists(&to.join(RECORD)) {
        return Ok(None);
    }
    let paths = built(town, rig, &from, tree)?;
    let bytes = paths.iter().map(|path| disk.size(&from.join(path))).sum::<std::result::Result<u64, _>>()?;
    if paths.is_empty() || bytes > limit(rig) || !has_room(town, rig, bytes)? {
        return Ok(None);
    }
    let is_there = |made: Vec<String>| made.iter().all(|path| paths.contains(path));
    let has_set_up = state.set_up.is_some_and(is_there) && !inputs.runs_scripts;
    let taken_at = town.world().clock().now().as_microsecond();
    let warm = Warm { paths, tree: tree.clone(), taken_at, bytes, has_set_up, manifests: inputs.manifests };
    let aside = rig.layout.warm_copies().join(format!("{MAKING_PREFIX}{key}"));
    disk.remove(&aside)?;
    for path in &warm.paths {
        disk.copy_older(&from.join(path), &aside.join(FILES).join(path), i64::MAX)?;
    }
    disk.write(&aside.join(RECORD), &serde_json::to_vec_pretty(&warm).unwrap_or_default())?;
    town.outside.faults.at("warm:taken");
    // A folder without a record is not a warm copy.
    disk.remove(&to)?;
    disk.rename(&aside, &to)?;
    let mut others = all(town, rig)?;
    others.sort_by_key(|(_, warm)| std::cmp::Reverse(warm.taken_at));
    others.iter().skip(KEPT).try_for_each(|(name, _)| remove(town, rig, name))?;
    Ok(Some(warm))
}

fn limit(rig: &Rig) -> u64 {
    rig.settings.worktree.warm_limit_mb.saturating_mul(1024 * 1024)
}

/// Whether the disk has room for so many bytes beyond the space that must stay free.
fn has_room(town: &Town, rig: &Rig, bytes: u64) -> Result<bool> {
    let free = town.world().disk().free_space(&rig.layout.root)?;
    let kept = u64::from(town.settings.retention.archive_min_free_gb) * 1_000_000_000;
    Ok(free >= bytes.saturating_add(kept.max(rig.settings.worktree.min_free_disk_mb.saturating_mul(1024 * 1024))))
}

/// Returns the rebuildable folders of the gates' worktree where no file is tracked and which git ignores, so that no worker
/// commits them.
fn built(town: &Town, rig: &Rig, folder: &Path, tree: &Sha) -> Result<Vec<String>> {
    let (disk, repo) = (town.world().disk(), town.world().repo());
    let found = repo.untracked(&rig.layout.repo(), folder, tree, &rules(rig))?;
    let seen = repo.worktree(&rig.layout.repo(), folder)?.map(|facts| facts.dirty).unwrap_or_default();
    if seen.len() >= DIRTY_LIMIT {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for path in found.kept {
        let at = folder.join(&path);
        let is_seen = seen.iter().any(|seen| Path::new(seen).starts_with(&path));
        let is_folder = disk.kind(&at)? == Some(NodeKind::Folder);
        if is_folder && !is_seen && !disk.exists(&at.join(ENVIRONMENT)) {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// Returns the inputs that decide which packages a rig's worktree takes.
pub(crate) fn inputs_of(town: &Town, rig: &Rig, folder: &Path) -> Result<Inputs> {
    Inputs::of(town.world().disk(), folder, &[&rig.settings.worktree.rebuildable, &rig.settings.keep])
}

/// Returns the key of a warm copy: a hash of lock files, set-up and toolchain.
fn key(town: &Town, rig: &Rig, inputs: &Inputs) -> String {
    let settings = &rig.settings.worktree;
    let said = format!("{:?}\0{:?}\0{:?}", settings.setup, settings.clone, Vec::from(settings.rebuildable.clone()));
    let text = [inputs.locks.clone(), said, inputs::toolchain(town, rig)].join("\u{1}");
    gt_model::id::sha256_hex(&text)[..16].to_owned()
}

/// Copies missing rebuildable folders into a new worktree from the matching warm copy. `label` names the worktree's owner in
/// events. On failure the worktree goes without and builds as usual.
pub(crate) fn give(town: &Town, rig: &Rig, folder: &Path, label: &str) -> Result<Given> {
    let disk = town.world().disk();
    let aside = rig.layout.warm_copies().join(format!("{MAKING_PREFIX}for-{label}"));
    disk.remove(&aside)?;
    if !may_be_given(town, rig) {
        return Ok(Given::default());
    }
    match try_give(town, rig, folder, &aside) {
        Ok(given) => Ok(given),
        Err(error @ Error::Ledger(_)) => Err(error),
        Err(_) => {
            disk.remove(&aside)?;
            Ok(Given::default())
        }
    }
}

fn try_give(town: &Town, rig: &Rig, folder: &Path, aside: &Path) -> Result<Given> {
    let disk = town.world().disk();
    let inputs = inputs_of(town, rig, folder)?;
    let from = rig.layout.warm_copies().join(key(town, rig, &inputs));
    let Some(warm) = read(town, &from)?.filter(|warm| warm.bytes <= limit(rig)) else { return Ok(Given::default()) };
    if !has_room(town, rig, warm.bytes)? {
        return Ok(Given::default());
    }
    let free: Vec<&String> = warm.paths.iter().filter(|path| is_free(town, folder, path)).collect();
    // Make the copies older than every source, so that no build tool takes them for results of this worktree's files.
    let latest = disk.oldest_below(folder)?.map_or(0, |oldest| oldest.saturating_sub(1));
    for path in &free {
        disk.copy_older(&from.join(FILES).join(path), &aside.join(path), latest)?;
    }
    disk.touch(&from.join(RECORD))?;
    town.outside.faults.at("warm:copied");
    // A warm copy is renamed before it is removed. If it is still here, no part of it was missing.
    if read(town, &from)?.as_ref() != Some(&warm) {
        disk.remove(aside)?;
        return Ok(Given::default());
    }
    for path in &free {
        disk.rename(&aside.join(path), &folder.join(path))?;
    }
    disk.remove(aside)?;
    if !reach::in_worktree(town, rig, folder).is_empty() {
        free.iter().try_for_each(|path| disk.remove(&folder.join(path)))?;
        return Ok(Given::default());
    }
    let is_whole = free.len() == warm.paths.len() && warm.manifests == inputs.manifests && !inputs.runs_scripts;
    let paths = free.into_iter().cloned().collect();
    Ok(Given { paths, has_set_up: warm.has_set_up && is_whole, tree: Some(warm.tree) })
}

/// Whether a folder can be placed there: its path is free and its parent is a folder.
fn is_free(town: &Town, folder: &Path, path: &str) -> bool {
    let (disk, at) = (town.world().disk(), folder.join(path));
    let is_folder = |at: &Path| disk.kind(at).is_ok_and(|kind| kind == Some(NodeKind::Folder));
    matches!(disk.kind(&at), Ok(None)) && at.parent().is_some_and(is_folder)
}

fn read(town: &Town, folder: &Path) -> Result<Option<Warm>> {
    let bytes = town.world().disk().read(&folder.join(RECORD))?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Returns the warm copies of a rig with the names of their folders.
pub(crate) fn all(town: &Town, rig: &Rig) -> Result<Vec<(String, Warm)>> {
    let mut found = Vec::new();
    for name in town.world().disk().list(&rig.layout.warm_copies())? {
        let warm = read(town, &rig.layout.warm_copies().join(&name))?.filter(|_| !name.starts_with(MAKING_PREFIX));
        found.extend(warm.map(|warm| (name, warm)));
    }
    Ok(found)
}

/// Returns the file whose modification time says when a warm copy was last used.
pub(crate) fn record(rig: &Rig, name: &str) -> PathBuf {
    rig.layout.warm_copies().join(name).join(RECORD)
}

/// Removes a warm copy. Renames it first, so that no process uses a partial copy.
pub(crate) fn remove(town: &Town, rig: &Rig, name: &str) -> Result<()> {
    let (disk, folder) = (town.world().disk(), rig.layout.warm_copies());
    let going = folder.join(format!("{MAKING_PREFIX}going-{name}"));
    disk.remove(&going)?;
    if disk.exists(&folder.join(name)) {
        disk.rename(&folder.join(name), &going)?;
    }
    Ok(disk.remove(&going)?)
}

/// Removes unfinished copies older than a day, which killed processes left. Removes all copies if the rig no longer makes any.
pub(crate) fn clear_left(town: &Town, rig: &Rig) -> Result<()> {
    let (disk, folder, now) = (town.world().disk(), rig.layout.warm_copies(), town.world().clock().now().as_second());
    for name in disk.list(&folder)?.iter().filter(|name| name.starts_with(MAKING_PREFIX)) {
        let made_at = disk.touched(&folder.join(name))?.unwrap_or(now);
        if now.saturating_sub(made_at) >= LONGEST_MAKING_S {
            disk.remove(&folder.join(name))?;
        }
    }
    if is_wanted(rig) { Ok(()) } else { all(town, rig)?.iter().try_for_each(|(name, _)| remove(town, rig, name)) }
}
