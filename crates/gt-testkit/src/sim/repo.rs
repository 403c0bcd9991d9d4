//! Repositories and remotes, and the trait methods of everything that git does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gt_model::id::Sha;
use gt_model::landing::Landing;
use gt_world::{
    Candidate, Change, CheckedOut, FolderFacts, Held, Push, Referred, RemoteFacts, Repo, Rules, Snapshot, SnapshotFacts,
};
use gt_world::{ObjectFormat, Untracked, WorktreeFacts, WorktreePlan, WorldError, WorldResult};

use super::merge::{Clash, Merged, merge_trees};
use super::objects::{Author, Commit, Tree};
use super::{SimWorld, State, short_name};

/// Prefix of branches.
pub(super) const HEADS: &str = "refs/heads/";
/// Prefix of the remote's branches, as of the last fetch.
const TRACKED: &str = "refs/remotes/origin/";

/// A repository: a rig's, or a remote.
#[derive(Clone, Default)]
pub(super) struct Repository {
    pub(super) origin: Option<String>,
    pub(super) head_branch: Option<String>,
    pub(super) refs: BTreeMap<String, Sha>,
    /// The commits in this repository.
    pub(super) known: BTreeSet<Sha>,
}

impl Repository {
    fn branches(&self) -> BTreeMap<String, Sha> {
        let heads = self.refs.iter().filter_map(|(name, at)| Some((name.strip_prefix(HEADS)?, at)));
        heads.map(|(name, at)| (name.to_owned(), at.clone())).collect()
    }
}

/// Returns the error of a git verb that failed.
pub(super) fn git(verb: &str, repo: &Path, text: impl Into<String>) -> WorldError {
    WorldError::Git { verb: verb.to_owned(), repo: repo.to_owned(), text: text.into() }
}

fn unreachable_remote(url: &Path, text: &str) -> WorldError {
    WorldError::Unreachable { url: url.display().to_string(), text: text.to_owned() }
}

impl State {
    pub(super) fn repository(&self, path: &Path) -> WorldResult<&Repository> {
        self.repos.get(path).ok_or_else(|| git("rev-parse", path, "not a git repository"))
    }

    pub(super) fn repository_mut(&mut self, path: &Path) -> WorldResult<&mut Repository> {
        self.repos.get_mut(path).ok_or_else(|| git("rev-parse", path, "not a git repository"))
    }

    pub(super) fn remote(&self, url: &Path) -> WorldResult<&Repository> {
        if self.unreachable.contains(url) {
            return Err(unreachable_remote(url, "connection timed out"));
        }
        self.repos.get(url).ok_or_else(|| unreachable_remote(url, "does not appear to be a git repository"))
    }

    /// Returns the URL of a rig's remote.
    fn origin(&self, repo: &Path) -> WorldResult<PathBuf> {
        let origin = self.repository(repo)?.origin.as_ref();
        origin.map(PathBuf::from).ok_or_else(|| git("remote", repo, "no such remote 'origin'"))
    }

    /// Returns a commit that the repository has.
    pub(super) fn commit(&self, repo: &Path, id: &Sha) -> WorldResult<Arc<Commit>> {
        let known = self.repository(repo)?.known.contains(id);
        let commit = self.objects.commit(id).filter(|_| known);
        commit.cloned().ok_or_else(|| git("cat-file", repo, format!("bad object {id}")))
    }

    /// Adds a commit and all its ancestors to a repository.
    pub(super) fn learn(&mut self, repo: &Path, head: &Sha) -> WorldResult<()> {
        let history = self.objects.history(head);
        self.repository_mut(repo)?.known.extend(history);
        Ok(())
    }

    /// Adds a commit of `tree` to a repository, by an author who is not a worker.
    pub(super) fn add_commit(&mut self, repo: &Path, tree: Tree, parents: Vec<Sha>, message: &str) -> WorldResult<Sha> {
        let author = self.author("Somebody", "somebody@example.org");
        let commit = self.objects.add(tree, parents, author, message);
        self.learn(repo, &commit)?;
        Ok(commit)
    }

    pub(super) fn author(&self, name: &str, mail: &str) -> Author {
        Author { name: name.to_owned(), mail: mail.to_owned(), seconds: self.now().as_second() }
    }

    fn create(&mut self, repo: &Path, url: &str) -> WorldResult<()> {
        if let Some(there) = self.repos.get(repo)
            && there.origin.as_deref() == Some(url)
        {
            return Ok(());
        }
        self.disk.create_dir(repo)?;
        self.repos.entry(repo.to_owned()).or_default().origin = Some(url.to_owned());
        self.note(format!("create {} {url}", short_name(repo)));
        Ok(())
    }

    fn make_bare_remote(&mut self, folder: &Path, bare: &Path) -> WorldResult<()> {
        let Some(FolderFacts::Checkout { origin, branch, has_commit }) = self.folders.get(folder).cloned() else {
            return Err(WorldError::Unexpected(format!("{} is not a repository with a checkout", folder.display())));
        };
        let url = bare.display().to_string();
        match origin {
            Some(origin) if origin == url && self.repos.contains_key(bare) => return Ok(()),
            Some(origin) if origin != url => {
                let text = format!("{} has a remote origin already: {origin}", folder.display());
                return Err(WorldError::Unexpected(text));
            }
            _ => {}
        }
        self.disk.create_dir(bare)?;
        let copy = Repository { origin: None, ..self.source_of(folder, branch.as_deref(), has_commit)? };
        self.repos.insert(bare.to_owned(), copy);
        self.folders.insert(folder.to_owned(), FolderFacts::Checkout { origin: Some(url), branch, has_commit });
        self.note(format!("make_bare_remote {} {}", short_name(folder), short_name(bare)));
        Ok(())
    }

    /// Returns the repository in a folder. If only facts about the folder were set, it gets an empty commit when they say that it
    /// has one.
    fn source_of(&mut self, folder: &Path, branch: Option<&str>, has_commit: bool) -> WorldResult<Repository> {
        if !self.repos.contains_key(folder) {
            let head_branch = branch.map(str::to_owned);
            self.repos.insert(folder.to_owned(), Repository { head_branch, ..Repository::default() });
            if let (Some(branch), true) = (branch, has_commit) {
                let commit = self.add_commit(folder, Tree::new(), Vec::new(), "Start")?;
                self.repository_mut(folder)?.refs.insert(format!("{HEADS}{branch}"), commit);
            }
        }
        self.repository(folder).cloned()
    }

    fn fetch(&mut self, repo: &Path) -> WorldResult<BTreeMap<String, Sha>> {
        let remote = self.remote(&self.origin(repo)?)?.branches();
        for head in remote.values() {
            self.learn(repo, head)?;
        }
        let rig = self.repository_mut(repo)?;
        let mut refs: BTreeMap<String, Sha> = rig.refs.clone();
        refs.retain(|name, _| !name.starts_with(TRACKED));
        refs.extend(remote.iter().map(|(name, head)| (format!("{TRACKED}{name}"), head.clone())));
        if refs != rig.refs {
            rig.refs = refs;
            self.note(format!("fetch {}", short_name(repo)));
        }
        Ok(remote)
    }

    fn set_ref(&mut self, repo: &Path, name: &str, to: &Sha, expected: Option<&Sha>) -> WorldResult<()> {
        self.commit(repo, to)?;
        let current = self.repository(repo)?.refs.get(name).cloned();
        if current.as_ref() == Some(to) {
            return Ok(());
        }
        if current.as_ref() != expected {
            let place = |at: Option<&Sha>| at.map_or("not there".to_owned(), |at| format!("at {}", at.short()));
            let (is, should) = (place(current.as_ref()), place(expected));
            return Err(WorldError::Unexpected(format!("the ref {name} is {is}; it should be {should}")));
        }
        self.repository_mut(repo)?.refs.insert(name.to_owned(), to.clone());
        self.note(format!("set_ref {name} {}", to.short()));
        Ok(())
    }

    fn delete_ref(&mut self, repo: &Path, name: &str) -> WorldResult<()> {
        if self.repository_mut(repo)?.refs.remove(name).is_some() {
            self.note(format!("delete_ref {name}"));
        }
        Ok(())
    }

    fn squash(&mut self, repo: &Path, onto: &Sha, head: &Sha, landing: &Landing) -> WorldResult<Candidate> {
        let (there, theirs) = (self.commit(repo, onto)?, self.commit(repo, head)?);
        let base = self.objects.merge_base(onto, head);
        let base = base.ok_or_else(|| git("merge-tree", repo, "refusing to merge unrelated histories"))?;
        let [base, ours, new] = [&base, onto, head].map(|commit| self.objects.files_of(commit));
        let files = match merge_trees(&base, &ours, &new, Clash::Report) {
            Merged::Conflict(files) => return Ok(Candidate::Conflict { files }),
            Merged::Clean(files) => files,
        };
        let tree = self.objects.add_tree(files);
        if tree == there.tree {
            return Ok(Candidate::Empty);
        }
        let (mut author, message) = (theirs.author.clone(), landing.message.clone());
        if let Some(named) = &landing.author {
            (author.name, author.mail) = (named.name.clone(), named.mail.clone());
        }
        let commit =
            self.objects.add_commit(Commit { parents: vec![onto.clone()], tree: tree.clone(), author, message });
        if self.repository_mut(repo)?.known.insert(commit.clone()) {
            self.note(format!("squash {} on {}: {}", head.short(), onto.short(), commit.short()));
        }
        Ok(Candidate::Clean { commit, tree })
    }

    fn push(&mut self, repo: &Path, branch: &str, new: &Sha, expected: Option<&Sha>) -> WorldResult<Push> {
        self.commit(repo, new)?;
        self.must_contain(repo, new, expected, branch)?;
        let url = self.origin(repo)?;
        let name = format!("{HEADS}{branch}");
        let current = self.remote(&url)?.refs.get(&name);
        if current == Some(new) {
            return Ok(Push::Done);
        }
        if current != expected {
            return Ok(Push::Moved);
        }
        if let Some(reason) = self.refusal(&url, branch) {
            return Ok(Push::Refused(reason));
        }
        self.learn(&url, new)?;
        self.repository_mut(&url)?.refs.insert(name, new.clone());
        self.repository_mut(repo)?.refs.insert(format!("{TRACKED}{branch}"), new.clone());
        self.note(format!("push {branch} {}", new.short()));
        Ok(Push::Done)
    }

    /// In the simulation, a commit has only files: no submodule, no pointer to a large file.
    fn nothing_referred(&self, repo: &Path, path: &Path) -> WorldResult<Referred> {
        let no_worktree = || git("submodule", path, "not a worktree");
        self.facts(repo, path)?.ok_or_else(no_worktree).map(|_| Referred::There)
    }

    /// If the remote can be reached, it has everything that a commit refers to.
    fn at_the_remote(&self, repo: &Path, commit: &Sha) -> WorldResult<Referred> {
        self.commit(repo, commit)?;
        self.remote(&self.origin(repo)?).map(|_| Referred::There)
    }

    /// Checks that a push removes no commits from a branch.
    pub(super) fn must_contain(&self, repo: &Path, new: &Sha, expected: Option<&Sha>, branch: &str) -> WorldResult<()> {
        let Some(expected) = expected else { return Ok(()) };
        self.commit(repo, expected)?;
        if self.objects.history(new).contains(expected) {
            return Ok(());
        }
        let (new, expected) = (new.short(), expected.short());
        Err(WorldError::Unexpected(format!("{new} does not contain {expected}: {branch} would lose commits")))
    }

    /// Returns why a remote refuses a push to `branch`: a hook, or because the branch is checked out there.
    pub(super) fn refusal(&self, url: &Path, branch: &str) -> Option<String> {
        let hook = self.refusals.get(url).cloned();
        hook.or_else(|| match self.folders.get(url) {
            Some(FolderFacts::Checkout { branch: Some(out), .. }) if out == branch => {
                Some("branch is currently checked out".to_owned())
            }
            _ => None,
        })
    }
}

impl Repo for SimWorld {
    fn version(&self) -> WorldResult<String> {
        Ok("2.47.0".to_owned())
    }

    fn folder(&self, folder: &Path) -> WorldResult<FolderFacts> {
        let state = self.locked();
        let told = state.folders.get(folder).cloned();
        let bare = state.repos.contains_key(folder);
        Ok(told.unwrap_or(if bare { FolderFacts::Bare } else { FolderFacts::NoRepository }))
    }

    fn ask_remote(&self, url: &str) -> WorldResult<RemoteFacts> {
        let state = self.acting("ask_remote")?;
        let remote = state.remote(Path::new(url))?;
        let branches = remote.branches();
        let head_branch = remote.head_branch.clone().filter(|branch| branches.contains_key(branch));
        Ok(RemoteFacts { head_branch, branches })
    }

    fn create(&self, _held: &Held, repo: &Path, url: &str, _format: ObjectFormat) -> WorldResult<()> {
        self.acting("create")?.create(repo, url)
    }

    fn make_bare_remote(&self, _held: &Held, folder: &Path, bare: &Path) -> WorldResult<()> {
        self.acting("make_bare_remote")?.make_bare_remote(folder, bare)
    }

    fn fetch(&self, _held: &Held, repo: &Path) -> WorldResult<BTreeMap<String, Sha>> {
        self.acting("fetch")?.fetch(repo)
    }

    fn refs(&self, repo: &Path) -> WorldResult<BTreeMap<String, Sha>> {
        Ok(self.locked().repository(repo)?.refs.clone())
    }

    fn set_ref(&self, _held: &Held, repo: &Path, name: &str, to: &Sha, expected: Option<&Sha>) -> WorldResult<()> {
        self.acting("set_ref")?.set_ref(repo, name, to, expected)
    }

    fn delete_ref(&self, _held: &Held, repo: &Path, name: &str) -> WorldResult<()> {
        self.acting("delete_ref")?.delete_ref(repo, name)
    }

    fn merge_bases(&self, repo: &Path, one: &Sha, other: &Sha) -> WorldResult<Vec<Sha>> {
        let state = self.locked();
        state.commit(repo, one)?;
        state.commit(repo, other)?;
        Ok(state.objects.merge_base(one, other).into_iter().collect())
    }

    fn contains(&self, repo: &Path, descendant: &Sha, ancestor: &Sha) -> WorldResult<bool> {
        let state = self.locked();
        state.commit(repo, descendant)?;
        state.commit(repo, ancestor)?;
        Ok(state.objects.history(descendant).contains(ancestor))
    }

    fn commits_between(&self, repo: &Path, base: &Sha, head: &Sha) -> WorldResult<u64> {
        let state = self.locked();
        state.commit(repo, base)?;
        state.commit(repo, head)?;
        Ok(state.objects.since(base, head).len() as u64)
    }

    fn share_news(&self, repo: &Path, tips: &[Sha], known: &[Sha], heads: &[Sha]) -> WorldResult<bool> {
        let state = self.locked();
        state.repository(repo)?;
        let histories =
            |of: &[Sha]| of.iter().flat_map(|commit| state.objects.history(commit)).collect::<BTreeSet<Sha>>();
        let (known, heads) = (histories(known), histories(heads));
        Ok(histories(tips).iter().any(|commit| !known.contains(commit) && heads.contains(commit)))
    }

    fn tree_of(&self, repo: &Path, commit: &Sha) -> WorldResult<Sha> {
        Ok(self.locked().commit(repo, commit)?.tree.clone())
    }

    fn squash_as(
        &self,
        _held: &Held,
        repo: &Path,
        onto: &Sha,
        head: &Sha,
        landing: &Landing,
    ) -> WorldResult<Candidate> {
        self.acting("squash")?.squash(repo, onto, head, landing)
    }

    fn unknown_merge_drivers(&self, repo: &Path, commit: &Sha) -> WorldResult<BTreeSet<String>> {
        self.locked().commit(repo, commit).map(|_| BTreeSet::new())
    }

    fn push(&self, _held: &Held, repo: &Path, branch: &str, new: &Sha, expected: Option<&Sha>) -> WorldResult<Push> {
        self.acting("push")?.push(repo, branch, new, expected)
    }

    fn worktree(&self, repo: &Path, path: &Path) -> WorldResult<Option<WorktreeFacts>> {
        self.locked().facts(repo, path)
    }

    fn own_position(&self, repo: &Path, path: &Path, branch: &str) -> WorldResult<Option<Sha>> {
        self.locked().own_position(repo, path, branch)
    }

    fn fetch_large_files(&self, _held: &Held, repo: &Path, commit: &Sha) -> WorldResult<Referred> {
        self.acting("fetch_large_files")?.at_the_remote(repo, commit)
    }

    fn add_worktree(&self, _held: &Held, repo: &Path, plan: &WorktreePlan) -> WorldResult<()> {
        self.acting("add_worktree")?.add_worktree(repo, plan)
    }

    fn settle_worktree(&self, _held: &Held, _repo: &Path, _plan: &WorktreePlan) -> WorldResult<()> {
        // The simulation's worktrees have no settings.
        Ok(())
    }

    fn reset_gate_worktree(&self, _held: &Held, repo: &Path, path: &Path, commit: &Sha) -> WorldResult<()> {
        self.acting("reset_gate_worktree")?.reset_gate_worktree(repo, path, commit)
    }

    fn compare_checkout(&self, repo: &Path, path: &Path, tree: &Sha, _rules: &Rules) -> WorldResult<CheckedOut> {
        self.locked().compare_checkout(repo, path, tree)
    }

    fn clear_checkout(
        &self,
        _held: &Held,
        repo: &Path,
        path: &Path,
        tree: &Sha,
        rules: &Rules,
    ) -> WorldResult<Untracked> {
        self.acting("clear_checkout")?.clear_checkout(repo, path, tree, rules)
    }

    fn untracked(&self, repo: &Path, path: &Path, tree: &Sha, rules: &Rules) -> WorldResult<Untracked> {
        self.locked().untracked(repo, path, tree, rules)
    }

    fn check_out_submodules(&self, _held: &Held, repo: &Path, path: &Path) -> WorldResult<Referred> {
        self.acting("check_out_submodules")?.nothing_referred(repo, path)
    }

    fn pull_large_files(&self, _held: &Held, repo: &Path, path: &Path) -> WorldResult<Referred> {
        self.acting("pull_large_files")?.nothing_referred(repo, path)
    }

    fn push_large_files(&self, _held: &Held, repo: &Path, commit: &Sha) -> WorldResult<Referred> {
        self.acting("push_large_files")?.at_the_remote(repo, commit)
    }

    fn snapshot(&self, _held: &Held, repo: &Path, path: &Path, name: &str, message: &str) -> WorldResult<Snapshot> {
        self.acting("snapshot")?.snapshot(repo, path, name, message)
    }

    fn snapshot_facts(&self, repo: &Path, snapshot: &Sha) -> WorldResult<SnapshotFacts> {
        self.locked().snapshot_facts(repo, snapshot)
    }

    fn restore_snapshot(&self, _held: &Held, repo: &Path, path: &Path, snapshot: &Sha) -> WorldResult<()> {
        self.acting("restore_snapshot")?.restore_snapshot(repo, path, snapshot)
    }

    fn changed_paths(&self, repo: &Path, from: &Sha, to: &Sha) -> WorldResult<BTreeMap<String, Change>> {
        self.locked().changed_paths(repo, from, to)
    }

    fn diff_text(&self, repo: &Path, from: &Sha, to: &Sha, _stat: bool) -> WorldResult<String> {
        self.locked().diff_text(repo, from, to)
    }

    fn export_tree(&self, _held: &Held, repo: &Path, commit: &Sha, to: &Path) -> WorldResult<()> {
        self.acting("export_tree")?.export_tree(repo, commit, to)
    }

    fn archive_worktree(&self, _held: &Held, repo: &Path, path: &Path, to: &Path) -> WorldResult<()> {
        self.acting("archive_worktree")?.archive_worktree(repo, path, to)
    }

    fn repair_worktrees(&self, _held: &Held, _repo: &Path, _paths: &[PathBuf]) -> WorldResult<()> {
        // The simulation copies or moves no repository as a whole.
        Ok(())
    }

    fn remove_gate_worktree(&self, _held: &Held, repo: &Path, path: &Path) -> WorldResult<()> {
        self.acting("remove_gate_worktree")?.remove_gate_worktree(repo, path)
    }
}

#[cfg(test)]
#[path = "repo_tests.rs"]
mod tests;
