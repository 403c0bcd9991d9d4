//! Sets up the world for tests, and shows them its state: remotes, folders, commits, archives.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gt_model::id::Sha;
use gt_world::{FolderFacts, WorldResult};

use super::merge::{Clash, Merged, merge_trees};
use super::objects::{Blob, CommitFacts, Tree};
use super::repo::{HEADS, Repository};
use super::{Files, SimWorld, State};

impl State {
    /// Returns the files below a folder, as text.
    pub(super) fn texts_below(&self, folder: &Path) -> Files {
        texts(&self.disk.files_below(folder))
    }
}

impl SimWorld {
    /// Adds a repository that can be reached at `url` (or path), with one commit of `files` on `branch`.
    pub fn add_remote(&self, url: &str, branch: &str, files: &[(&str, &str)]) -> Sha {
        let mut state = self.locked();
        let head_branch = Some(branch.to_owned());
        let commit = {
            let author = state.author("Somebody", "somebody@example.org");
            state.objects.add(tree_from(files), Vec::new(), author, "Start")
        };
        let refs = BTreeMap::from([(format!("{HEADS}{branch}"), commit.clone())]);
        let known = BTreeSet::from([commit.clone()]);
        state.repos.insert(url.into(), Repository { origin: None, head_branch, refs, known });
        state.note(format!("add_remote {url}"));
        commit
    }

    /// Commits to a remote, as another person would: changes `files` on `branch` (and makes the branch if needed).
    pub fn commit_to_remote(&self, url: &str, branch: &str, files: &[(&str, &str)], message: &str) -> WorldResult<Sha> {
        let (mut state, url) = (self.locked(), Path::new(url));
        let name = format!("{HEADS}{branch}");
        let parent = state.repository(url)?.refs.get(&name).cloned();
        let mut tree = parent.as_ref().map(|parent| (*state.objects.files_of(parent)).clone()).unwrap_or_default();
        tree.extend(tree_from(files));
        let commit = state.add_commit(url, tree, parent.into_iter().collect(), message)?;
        state.repository_mut(url)?.refs.insert(name, commit.clone());
        state.note(format!("commit_to_remote {branch} {}", commit.short()));
        Ok(commit)
    }

    /// Merges commits of any repository into a branch of a remote, as a person who has them would.
    pub fn merge_on_remote(&self, url: &str, branch: &str, heads: &[&Sha]) -> WorldResult<Sha> {
        let (mut state, url) = (self.locked(), Path::new(url));
        let name = format!("{HEADS}{branch}");
        let mut tip = state.repository(url)?.refs.get(&name).cloned().unwrap_or_else(|| Sha(String::new()));
        for head in heads {
            state.learn(url, head)?;
            let base = state.objects.merge_base(&tip, head).unwrap_or_else(|| Sha(String::new()));
            let [base, ours, theirs] = [&base, &tip, *head].map(|commit| state.objects.files_of(commit));
            let Merged::Clean(files) = merge_trees(&base, &ours, &theirs, Clash::KeepBoth) else { continue };
            tip = state.add_commit(url, files, vec![tip, (*head).clone()], "Merge")?;
        }
        state.repository_mut(url)?.refs.insert(name, tip.clone());
        state.note(format!("merge_on_remote {branch} {}", tip.short()));
        Ok(tip)
    }

    /// Moves a branch of a remote to a commit that the remote has, even if that loses commits.
    pub fn force_remote(&self, url: &str, branch: &str, to: &Sha) -> WorldResult<()> {
        let (mut state, url) = (self.locked(), Path::new(url));
        state.commit(url, to)?;
        state.repository_mut(url)?.refs.insert(format!("{HEADS}{branch}"), to.clone());
        state.note(format!("force_remote {branch} {}", to.short()));
        Ok(())
    }

    /// Returns the commit of a remote's branch.
    pub fn remote_branch(&self, url: &str, branch: &str) -> Option<Sha> {
        self.locked().repos.get(Path::new(url))?.refs.get(&format!("{HEADS}{branch}")).cloned()
    }

    /// Makes a remote refuse all pushes, for `reason`.
    pub fn refuse_pushes(&self, url: &str, reason: &str) {
        self.locked().refusals.insert(url.into(), reason.to_owned());
    }

    /// Undoes [`Self::refuse_pushes`].
    pub fn accept_pushes(&self, url: &str) {
        self.locked().refusals.remove(Path::new(url));
    }

    /// Makes a remote unreachable.
    pub fn set_unreachable(&self, url: &str) {
        self.locked().unreachable.insert(url.into());
    }

    /// Undoes [`Self::set_unreachable`].
    pub fn set_reachable(&self, url: &str) {
        self.locked().unreachable.remove(Path::new(url));
    }

    /// Sets what [`folder`](gt_world::Repo::folder) returns for a folder. If its content matters, [`Self::add_remote`] with the
    /// same path sets it.
    pub fn add_folder(&self, path: &Path, facts: FolderFacts) {
        self.locked().folders.insert(path.to_owned(), facts);
    }

    /// Returns the files of a worktree that [`archive_worktree`](gt_world::Repo::archive_worktree) has moved to `path`.
    pub fn archived(&self, path: &Path) -> Option<Files> {
        let state = self.locked();
        state.archives.contains(path).then(|| state.texts_below(path))
    }

    /// Returns the files of a commit.
    pub fn files_at(&self, commit: &Sha) -> Option<Files> {
        let state = self.locked();
        state.objects.commit(commit).map(|_| texts(&state.objects.files_of(commit)))
    }

    /// Returns the facts of a commit.
    pub fn commit_facts(&self, commit: &Sha) -> Option<CommitFacts> {
        self.locked().objects.facts(commit)
    }

    /// Returns a commit and all its ancestors, oldest first.
    pub fn history(&self, head: &Sha) -> Vec<CommitFacts> {
        let state = self.locked();
        let order = state.objects.since(&Sha(String::new()), head);
        order.iter().filter_map(|id| state.objects.facts(id)).collect()
    }
}

fn texts(tree: &Tree) -> Files {
    let text = |content: &Blob| String::from_utf8_lossy(content).into_owned();
    tree.iter().map(|(path, content)| (path.clone(), text(content))).collect()
}

fn tree_from(files: &[(&str, &str)]) -> Tree {
    files.iter().map(|(path, text)| ((*path).to_owned(), Blob::from(text.as_bytes()))).collect()
}
