//! Operations of a scripted worker's own git and editor in its worktree.

use std::path::{Path, PathBuf};

use gt_model::id::Sha;
use gt_world::WorldResult;

use super::merge::{Clash, Merged, merge_trees};
use super::objects::{Author, Commit, Tree};
use super::repo::{HEADS, git};
use super::worktree::{Head, Worktree};
use super::{SimWorld, State, short_name};
use crate::contract::WorkerHands;

/// The committer's name and mail address.
pub type Identity = (String, String);

/// Result of a rebase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RebaseEnd {
    /// The branch is on the new base.
    Done {
        /// The branch's new head.
        head: Sha,
        /// How many of its commits were in the new base already and were dropped.
        dropped: usize,
    },
    /// The rebase was aborted; everything is as before.
    Conflict {
        /// Files in conflict.
        files: Vec<String>,
    },
}

impl State {
    fn worktree_at(&self, path: &Path) -> WorldResult<Worktree> {
        let there = self.worktrees.get(path).filter(|_| self.disk.is_folder(path));
        there.cloned().ok_or_else(|| git("rev-parse", path, "not a git repository"))
    }

    /// Moves a worktree's HEAD: its branch, or the detached HEAD itself.
    fn move_head(&mut self, path: &Path, worktree: &Worktree, to: &Sha) -> WorldResult<()> {
        self.learn(&worktree.repo, to)?;
        match &worktree.head {
            Head::Branch(branch) => {
                let refs = &mut self.repository_mut(&worktree.repo)?.refs;
                refs.insert(format!("{HEADS}{branch}"), to.clone());
                self.worktrees.insert(path.to_owned(), Worktree { own: to.clone(), ..worktree.clone() });
            }
            Head::Detached(_) => {
                let moved = Worktree { head: Head::Detached(to.clone()), own: to.clone(), ..worktree.clone() };
                self.worktrees.insert(path.to_owned(), moved);
            }
        }
        Ok(())
    }

    fn commit_all(&mut self, path: &Path, message: &str, identity: Option<&Identity>) -> WorldResult<Sha> {
        let worktree = self.worktree_at(path)?;
        let head = self.head_of(&worktree)?;
        let (files, _) = self.working_tree(path, &head);
        if files == *self.objects.files_of(&head) {
            return Err(git("commit", path, "nothing to commit, working tree clean"));
        }
        let (name, mail) = identity.unwrap_or(&worktree.identity);
        let author = self.author(name, mail);
        let commit = self.objects.add(files, vec![head], author, message);
        self.move_head(path, &worktree, &commit)?;
        self.note(format!("commit {} {}", short_name(path), commit.short()));
        Ok(commit)
    }

    fn must_be_clean(&self, verb: &str, path: &Path, head: &Sha) -> WorldResult<()> {
        match self.dirty(path, head).as_slice() {
            [] => Ok(()),
            dirty => Err(git(verb, path, format!("you have changes that are not committed: {}", dirty.join(", ")))),
        }
    }

    fn switch_branch(&mut self, path: &Path, branch: &str) -> WorldResult<()> {
        let worktree = self.worktree_at(path)?;
        let head = self.head_of(&worktree)?;
        if worktree.head.branch() == Some(branch) {
            return Ok(());
        }
        if let Some(holder) = self.holder_of(&worktree.repo, branch) {
            return Err(git("switch", path, format!("'{branch}' is already checked out at {}", holder.display())));
        }
        let refs = &mut self.repository_mut(&worktree.repo)?.refs;
        let to = refs.entry(format!("{HEADS}{branch}")).or_insert_with(|| head.clone()).clone();
        if to != head {
            self.must_be_clean("switch", path, &head)?;
            let (from, files) = (self.objects.files_of(&head), self.objects.files_of(&to));
            self.check_out(path, &from, &files)?;
        }
        let moved = Worktree { head: Head::Branch(branch.to_owned()), own: to, ..worktree };
        self.worktrees.insert(path.to_owned(), moved);
        self.note(format!("switch_branch {} {branch}", short_name(path)));
        Ok(())
    }

    fn rebase(&mut self, path: &Path, onto: &Sha, clash: Clash) -> WorldResult<RebaseEnd> {
        let worktree = self.worktree_at(path)?;
        let head = self.head_of(&worktree)?;
        self.commit(&worktree.repo, onto)?;
        self.must_be_clean("rebase", path, &head)?;
        let end = self.replay(onto, &head, clash);
        if let RebaseEnd::Done { head: new, .. } = &end {
            self.move_head(path, &worktree, new)?;
            let (from, to) = (self.objects.files_of(&head), self.objects.files_of(new));
            self.check_out(path, &from, &to)?;
            self.note(format!("rebase {} {}", short_name(path), new.short()));
        }
        Ok(end)
    }

    /// Merges `other` into the branch that is checked out.
    fn merge(&mut self, path: &Path, other: &Sha, clash: Clash) -> WorldResult<RebaseEnd> {
        let worktree = self.worktree_at(path)?;
        let head = self.head_of(&worktree)?;
        self.commit(&worktree.repo, other)?;
        self.must_be_clean("merge", path, &head)?;
        if self.objects.history(&head).contains(other) {
            return Ok(RebaseEnd::Done { head, dropped: 0 });
        }
        let base = self.objects.merge_base(&head, other).map(|base| self.objects.files_of(&base)).unwrap_or_default();
        let [ours, theirs] = [&head, other].map(|commit| self.objects.files_of(commit));
        let files = match merge_trees(&base, &ours, &theirs, clash) {
            Merged::Conflict(files) => return Ok(RebaseEnd::Conflict { files }),
            Merged::Clean(files) => files,
        };
        let author = self.author(&worktree.identity.0, &worktree.identity.1);
        let merged = self.objects.add(files.clone(), vec![head, other.clone()], author, "Merge");
        self.move_head(path, &worktree, &merged)?;
        self.check_out(path, &ours, &files)?;
        self.note(format!("merge {} {}", short_name(path), merged.short()));
        Ok(RebaseEnd::Done { head: merged, dropped: 0 })
    }

    /// Replays on `onto` the commits that `head` has and `onto` lacks, one by one. Leaves out merges.
    fn replay(&mut self, onto: &Sha, head: &Sha, clash: Clash) -> RebaseEnd {
        let (mut tip, mut dropped) = (onto.clone(), 0);
        for id in self.objects.since(onto, head) {
            let Some(commit) = self.objects.commit(&id).cloned() else { continue };
            if commit.parents.len() > 1 {
                continue;
            }
            match self.replay_one(&tip, &id, &commit, clash) {
                Ok(next) if next == tip => dropped += 1,
                Ok(next) => tip = next,
                Err(files) => return RebaseEnd::Conflict { files },
            }
        }
        RebaseEnd::Done { head: tip, dropped }
    }

    /// Replays one commit on a new parent. Returns the parent itself if nothing is left to commit, or the files in conflict.
    fn replay_one(&mut self, tip: &Sha, id: &Sha, commit: &Commit, clash: Clash) -> Result<Sha, Vec<String>> {
        if commit.parents.first() == Some(tip) {
            return Ok(id.clone());
        }
        let base = commit.parents.first().map(|parent| self.objects.files_of(parent)).unwrap_or_default();
        let [ours, theirs] = [tip, id].map(|commit| self.objects.files_of(commit));
        match merge_trees(&base, &ours, &theirs, clash) {
            Merged::Conflict(files) => Err(files),
            Merged::Clean(files) if files == *ours => Ok(tip.clone()),
            Merged::Clean(files) => Ok(self.recommit(files, tip, commit)),
        }
    }

    fn recommit(&mut self, files: Tree, parent: &Sha, commit: &Commit) -> Sha {
        let author: Author = commit.author.clone();
        self.objects.add(files, vec![parent.clone()], author, &commit.message)
    }
}

/// Operations of a scripted worker. `path` is always its worktree.
impl SimWorld {
    /// Writes a text file.
    pub fn write_file(&self, path: &Path, file: &str, text: &str) -> WorldResult<()> {
        self.locked().disk.write(&path.join(file), text.as_bytes().into())
    }

    /// Reads a text file; `None` if there is none. Needs no worktree at `path`, so it reads archives too.
    pub fn read_file(&self, path: &Path, file: &str) -> Option<String> {
        let content = self.locked().disk.read(&path.join(file)).ok()??;
        Some(String::from_utf8_lossy(&content).into_owned())
    }

    /// Removes a file. Returns whether it was there.
    pub fn remove_file(&self, path: &Path, file: &str) -> bool {
        self.locked().disk.remove(&path.join(file))
    }

    /// Returns all files, sorted.
    pub fn list_files(&self, path: &Path) -> Vec<String> {
        self.locked().disk.files_below(path).into_keys().collect()
    }

    /// Commits all changes, untracked files included. An error if there are none.
    pub fn commit_all(&self, path: &Path, message: &str, identity: &Identity) -> WorldResult<Sha> {
        self.locked().commit_all(path, message, Some(identity))
    }

    /// Returns the branch that is checked out; `None` if HEAD is detached.
    pub fn current_branch(&self, path: &Path) -> WorldResult<Option<String>> {
        Ok(self.locked().worktree_at(path)?.head.branch().map(str::to_owned))
    }

    /// Returns the commit that is checked out.
    pub fn head(&self, path: &Path) -> WorldResult<Sha> {
        let state = self.locked();
        state.head_of(&state.worktree_at(path)?)
    }

    /// Checks out a branch of the rig. Makes it at HEAD if needed.
    pub fn switch_branch(&self, path: &Path, branch: &str) -> WorldResult<()> {
        self.locked().switch_branch(path, branch)
    }

    /// Replays the branch's own commits on `onto`, one by one. Drops those that leave nothing to commit. If both sides changed
    /// the same lines, `union` keeps both, those of `onto` first; without `union` the rebase is aborted.
    pub fn rebase(&self, path: &Path, onto: &Sha, union: bool) -> WorldResult<RebaseEnd> {
        self.locked().rebase(path, onto, if union { Clash::KeepBoth } else { Clash::Report })
    }

    /// Merges `other` into the branch. If both sides changed the same lines, it acts as [`SimWorld::rebase`] does.
    pub fn merge(&self, path: &Path, other: &Sha, union: bool) -> WorldResult<RebaseEnd> {
        self.locked().merge(path, other, if union { Clash::KeepBoth } else { Clash::Report })
    }

    /// Moves any ref (full name) of the rig to any commit of it, or deletes it. Only a misbehaving worker does so.
    pub fn move_ref(&self, path: &Path, name: &str, to: Option<&Sha>) -> WorldResult<()> {
        let mut state = self.locked();
        let repo: PathBuf = state.worktree_at(path)?.repo;
        if let Some(to) = to {
            state.commit(&repo, to)?;
        }
        let refs = &mut state.repository_mut(&repo)?.refs;
        match to {
            Some(to) => drop(refs.insert(name.to_owned(), to.clone())),
            None => drop(refs.remove(name)),
        }
        state.note(format!("move_ref {name} {}", to.map_or("gone", Sha::short)));
        Ok(())
    }

    /// Tries to push, which a worktree's settings make impossible. Always an error.
    pub fn push_as_worker(&self, path: &Path) -> WorldResult<()> {
        self.locked().worktree_at(path)?;
        Err(git("push", path, "unable to find remote helper for 'gt-refused'"))
    }
}

impl WorkerHands for SimWorld {
    fn write_file(&self, worktree: &Path, file: &str, text: &str) {
        SimWorld::write_file(self, worktree, file, text).expect("a worker can write");
    }

    fn read_file(&self, worktree: &Path, file: &str) -> Option<String> {
        SimWorld::read_file(self, worktree, file)
    }

    fn remove_file(&self, worktree: &Path, file: &str) {
        SimWorld::remove_file(self, worktree, file);
    }

    fn commit_all(&self, worktree: &Path, message: &str) -> Sha {
        self.locked().commit_all(worktree, message, None).expect("a worker can commit")
    }
}
