//! Git repositories and their worktrees, through the git command.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use gt_model::id::Sha;
use gt_model::landing::{Landing, Person};

use crate::{
    Candidate, Change, CheckedOut, Damage, FolderFacts, Held, NamedRemote, ObjectFormat, Push, Receiving, Referred,
    RemoteFacts, Repo, RepoHealth, Snapshot, SnapshotFacts,
};
use crate::{Rules, Untracked, WorktreeFacts, WorktreePlan, WorldResult};

mod admin;
mod broken_refs;
mod candidate;
mod checkout;
mod command;
mod config;
mod control;
mod diff;
mod drivers;
mod filters;
mod health;
mod history;
mod hooks;
mod large_files;
mod ledger;
mod listing;
mod receiving;
mod refs;
mod remote;
mod repository;
mod restore;
mod scratch;
mod signing;
mod snapshot;
mod stores;
mod submodules;
mod traps;
mod upstream_tags;
mod worktree;

#[cfg(test)]
mod tests;

/// Name and mail address for the town's own commits.
const TOWN_IDENTITY: (&str, &str) = ("Gas Town", "gt@localhost");

/// How long a git lock file must stay unchanged before it counts as left by a killed git. Git holds each lock for milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// The git of this machine.
pub struct Git {
    /// The variables of our environment that git gets.
    environment: Vec<(OsString, OsString)>,
    /// The running `gt` program. It merges files of beads.
    gt: Option<PathBuf>,
    /// The programs that the overseer has configured, by repository.
    drivers: Mutex<drivers::Known>,
    lock_patience: Duration,
    remote_patience: Duration,
    /// After this time, a running call is suspected to be blocked by a file.
    suspicion: Duration,
}

/// How long a call runs before the town searches for a file that blocks it. Nearly all calls take milliseconds.
const SUSPICION: Duration = Duration::from_secs(5);

/// Limit for a call that asks no other machine. The checkout of a very large project is done long before, and no call holds its
/// lock forever.
const LOCAL_PATIENCE: Duration = Duration::from_hours(1);

/// Limit for a remote's whole answer. It is long enough for a large first fetch, and no call to a remote waits forever.
const REMOTE_PATIENCE: Duration = Duration::from_mins(15);

impl Default for Git {
    fn default() -> Self {
        Self::with_environment(command::passed_environment())
    }
}

impl Git {
    /// Makes a git that gets exactly this environment.
    pub fn with_environment(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let environment = environment.into_iter().collect();
        let (gt, drivers) = (None, Mutex::default());
        let (lock_patience, remote_patience) = (LOCK_PATIENCE, REMOTE_PATIENCE);
        Self { environment, gt, drivers, lock_patience, remote_patience, suspicion: SUSPICION }
    }

    /// Sets the `gt` program that merges files of beads.
    pub(super) fn by(self, gt: PathBuf) -> Self {
        Self { gt: Some(gt), ..self }
    }
}

impl fmt::Debug for Git {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment may hold a proxy's password.
        f.debug_struct("Git").field("lock_patience", &self.lock_patience).finish_non_exhaustive()
    }
}

impl Repo for Git {
    fn version(&self) -> WorldResult<String> {
        let answer = self.question(&command::Place::Nowhere, "version").ok()?;
        Ok(answer.line().trim_start_matches("git version ").to_owned())
    }

    fn folder(&self, folder: &Path) -> WorldResult<FolderFacts> {
        repository::folder(self, folder)
    }

    fn ask_remote(&self, url: &str) -> WorldResult<RemoteFacts> {
        remote::ask(self, url)
    }

    fn remotes(&self, folder: &Path) -> WorldResult<Vec<NamedRemote>> {
        receiving::remotes(self, folder)
    }

    fn receiving(&self, url: &str) -> WorldResult<Option<Receiving>> {
        receiving::facts(self, url)
    }

    fn try_push(&self, held: &Held, repo: &Path, branch: &str, at: &Sha) -> WorldResult<Option<String>> {
        receiving::try_push(self, held, repo, branch, at)
    }

    fn filters(&self, repo: &Path, commit: &Sha) -> WorldResult<BTreeSet<String>> {
        filters::of(self, repo, commit)
    }

    fn against_attributes(&self, repo: &Path, path: &Path) -> WorldResult<Vec<String>> {
        checkout::against_attributes(self, repo, path)
    }

    fn unserved(&self, filters: &BTreeSet<String>) -> WorldResult<Vec<Damage>> {
        filters::unserved(self, filters)
    }

    fn create(&self, held: &Held, repo: &Path, url: &str, format: ObjectFormat) -> WorldResult<()> {
        repository::create(self, held, repo, url, format)
    }

    fn sign(&self, repo: &Path) -> String {
        health::sign(repo)
    }

    fn inspect(&self, repo: &Path, url: &str) -> WorldResult<RepoHealth> {
        health::inspect(self, repo, url)
    }

    fn mend(&self, held: &Held, repo: &Path, url: &str, all: bool) -> WorldResult<Vec<Damage>> {
        health::mend(self, held, repo, url, all)
    }

    fn make_bare_remote(&self, held: &Held, folder: &Path, bare: &Path) -> WorldResult<()> {
        repository::make_bare_remote(self, held, folder, bare)
    }

    fn fetch(&self, held: &Held, repo: &Path) -> WorldResult<BTreeMap<String, Sha>> {
        remote::fetch(self, held, repo)
    }

    fn upstream_tags(&self, repo: &Path) -> WorldResult<Option<BTreeMap<String, Sha>>> {
        upstream_tags::read(repo)
    }

    fn refs(&self, repo: &Path) -> WorldResult<BTreeMap<String, Sha>> {
        refs::all(self, repo)
    }

    fn set_ref(&self, held: &Held, repo: &Path, name: &str, to: &Sha, expected: Option<&Sha>) -> WorldResult<()> {
        refs::set(self, held, repo, name, to, expected)
    }

    fn delete_ref(&self, held: &Held, repo: &Path, name: &str) -> WorldResult<()> {
        refs::delete(self, held, repo, name)
    }

    fn contains(&self, repo: &Path, descendant: &Sha, ancestor: &Sha) -> WorldResult<bool> {
        refs::contains(self, repo, descendant, ancestor)
    }

    fn merge_bases(&self, repo: &Path, one: &Sha, other: &Sha) -> WorldResult<Vec<Sha>> {
        refs::merge_bases(self, repo, one, other)
    }

    fn commits_between(&self, repo: &Path, base: &Sha, head: &Sha) -> WorldResult<u64> {
        refs::commits_between(self, repo, base, head)
    }

    fn share_news(&self, repo: &Path, tips: &[Sha], known: &[Sha], heads: &[Sha]) -> WorldResult<bool> {
        refs::share_news(self, repo, tips, known, heads)
    }

    fn tree_of(&self, repo: &Path, commit: &Sha) -> WorldResult<Sha> {
        refs::tree_of(self, repo, commit)
    }

    fn squash_as(&self, held: &Held, repo: &Path, onto: &Sha, head: &Sha, landing: &Landing) -> WorldResult<Candidate> {
        candidate::squash(self, held, repo, onto, head, landing)
    }

    fn signs_commits(&self) -> WorldResult<bool> {
        Ok(config::personal(self, "commit.gpgSign", Some("bool"))?.as_deref() == Some("true"))
    }

    fn signing_key(&self) -> WorldResult<Option<PathBuf>> {
        signing::key(self)
    }

    fn signed_commit(
        &self,
        held: &Held,
        repo: &Path,
        commit: &Sha,
        parent: &Sha,
        committer: Option<&Person>,
    ) -> WorldResult<Sha> {
        signing::signed(self, held, repo, commit, parent, committer)
    }

    fn overseer(&self) -> WorldResult<Option<Person>> {
        let get = |name: &str| config::personal(self, name, None);
        let (name, mail) = (get("user.name")?, get("user.email")?);
        Ok(name.zip(mail).and_then(|(name, mail)| Person::new(&name, &mail)))
    }

    fn unknown_merge_drivers(&self, repo: &Path, commit: &Sha) -> WorldResult<BTreeSet<String>> {
        drivers::unknown_merges(self, repo, commit)
    }

    fn push(&self, held: &Held, repo: &Path, branch: &str, new: &Sha, expected: Option<&Sha>) -> WorldResult<Push> {
        remote::push(self, held, repo, branch, new, expected)
    }

    fn worktree(&self, repo: &Path, path: &Path) -> WorldResult<Option<WorktreeFacts>> {
        worktree::facts(self, repo, path)
    }

    fn own_position(&self, repo: &Path, path: &Path, branch: &str) -> WorldResult<Option<Sha>> {
        worktree::own_position(repo, path, branch)
    }

    fn add_worktree(&self, held: &Held, repo: &Path, plan: &WorktreePlan) -> WorldResult<()> {
        worktree::add(self, held, repo, plan)
    }

    fn settle_worktree(&self, _held: &Held, repo: &Path, plan: &WorktreePlan) -> WorldResult<()> {
        worktree::settle_again(self, repo, plan)
    }

    fn reset_gate_worktree(&self, held: &Held, repo: &Path, path: &Path, commit: &Sha) -> WorldResult<()> {
        worktree::reset_gate(self, held, repo, path, commit)
    }

    fn compare_checkout(&self, repo: &Path, path: &Path, tree: &Sha, rules: &Rules) -> WorldResult<CheckedOut> {
        checkout::compare(self, repo, path, tree, rules)
    }

    fn clear_checkout(
        &self,
        _held: &Held,
        repo: &Path,
        path: &Path,
        tree: &Sha,
        rules: &Rules,
    ) -> WorldResult<Untracked> {
        checkout::clear(self, repo, path, tree, rules)
    }

    fn untracked(&self, repo: &Path, path: &Path, tree: &Sha, rules: &Rules) -> WorldResult<Untracked> {
        checkout::untracked(self, repo, path, tree, rules)
    }

    fn check_out_submodules(&self, held: &Held, repo: &Path, path: &Path) -> WorldResult<Referred> {
        submodules::check_out(self, held, repo, path)
    }

    fn pull_large_files(&self, held: &Held, repo: &Path, path: &Path) -> WorldResult<Referred> {
        large_files::pull(self, held, repo, path)
    }

    fn fetch_large_files(&self, held: &Held, repo: &Path, commit: &Sha) -> WorldResult<Referred> {
        large_files::fetch(self, held, repo, commit)
    }

    fn push_large_files(&self, held: &Held, repo: &Path, commit: &Sha) -> WorldResult<Referred> {
        large_files::push(self, held, repo, commit)
    }

    fn snapshot(&self, held: &Held, repo: &Path, path: &Path, name: &str, message: &str) -> WorldResult<Snapshot> {
        snapshot::take(self, held, repo, path, name, message)
    }

    fn snapshot_facts(&self, repo: &Path, snapshot: &Sha) -> WorldResult<SnapshotFacts> {
        restore::facts(self, repo, snapshot)
    }

    fn restore_snapshot(&self, held: &Held, repo: &Path, path: &Path, snapshot: &Sha) -> WorldResult<()> {
        restore::into_worktree(self, held, repo, path, snapshot)
    }

    fn changed_paths(&self, repo: &Path, from: &Sha, to: &Sha) -> WorldResult<BTreeMap<String, Change>> {
        restore::changed_paths(self, repo, from, to)
    }

    fn diff_text(&self, repo: &Path, from: &Sha, to: &Sha, stat: bool) -> WorldResult<String> {
        restore::diff_text(self, repo, from, to, stat)
    }

    fn export_tree(&self, held: &Held, repo: &Path, commit: &Sha, to: &Path) -> WorldResult<()> {
        restore::export(self, held, repo, commit, to)
    }

    fn archive_worktree(&self, held: &Held, repo: &Path, path: &Path, to: &Path) -> WorldResult<()> {
        worktree::archive(self, held, repo, path, to)
    }

    fn repair_worktrees(&self, held: &Held, repo: &Path, paths: &[PathBuf]) -> WorldResult<()> {
        worktree::repair(self, held, repo, paths)
    }

    fn remove_gate_worktree(&self, _held: &Held, repo: &Path, path: &Path) -> WorldResult<()> {
        worktree::remove_gate(repo, path)
    }
}
