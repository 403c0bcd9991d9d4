//! Answers questions about the contents and the origin of commits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gt_model::id::Sha;
use gt_model::kept::{Entry, FileChange, Hunk};
use gt_model::landed::BranchCommit;
use gt_world::WorldResult;
use gt_world::history::{COMMITS_LIMIT, CaughtUp, History, TOUCHING_LIMIT, Titled, Way};

use super::merge::{Clash, Merged, merge_trees};
use super::objects::{Blob, Tree};
use super::repo::git;
use super::worker::RebaseEnd;
use super::{SimWorld, State};

impl State {
    /// Returns the commits of `of` without those of `known`, newest first.
    fn beyond(&self, of: &Sha, known: &[Sha]) -> Vec<Sha> {
        let known: BTreeSet<Sha> = known.iter().flat_map(|known| self.objects.history(known)).collect();
        let mut commits = self.objects.since(&Sha(String::new()), of);
        commits.retain(|commit| !known.contains(commit));
        commits.reverse();
        commits
    }

    fn branch_commit(&self, commit: &Sha) -> Option<BranchCommit> {
        let facts = self.objects.facts(commit)?;
        Some(BranchCommit {
            commit: facts.id,
            committer: facts.author.name,
            parents: facts.parents.len(),
            authored_at: facts.author.seconds,
        })
    }

    fn entry(&mut self, content: &Blob) -> Entry {
        Entry { mode: "100644".to_owned(), id: self.objects.add_blob(content) }
    }

    fn changes(&mut self, from: &Sha, to: &Sha) -> Vec<FileChange> {
        let (before, after) = (self.objects.files_of(from), self.objects.files_of(to));
        let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let changed = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
        changed.map(|path| self.change(path, before.get(path), after.get(path))).collect()
    }

    fn change(&mut self, path: &str, old: Option<&Blob>, new: Option<&Blob>) -> FileChange {
        let [before, after] = [old, new].map(|content| content.map(|content| lines(content)).unwrap_or_default());
        FileChange {
            path: path.to_owned(),
            from: path.to_owned(),
            old: old.map(|content| self.entry(content)),
            new: new.map(|content| self.entry(content)),
            hunks: Some(hunk(&before, &after).into_iter().collect()),
        }
    }

    fn merge_changes(&self, base: &Tree, onto: &Tree, theirs: &Tree) -> bool {
        match merge_trees(base, onto, theirs, Clash::Report) {
            Merged::Clean(files) => files != *onto,
            Merged::Conflict(_) => true,
        }
    }
}

/// Returns the lines between the common beginning and the common end.
fn hunk(before: &[String], after: &[String]) -> Option<Hunk> {
    let head = before.iter().zip(after).take_while(|(one, other)| one == other).count();
    let (before, after) = (&before[head..], &after[head..]);
    let tail = before.iter().rev().zip(after.iter().rev()).take_while(|(one, other)| one == other).count();
    let (removed, added) = (before[..before.len() - tail].to_vec(), after[..after.len() - tail].to_vec());
    let line = u32::try_from(head + 1).unwrap_or(u32::MAX);
    (!removed.is_empty() || !added.is_empty()).then_some(Hunk { line, added, removed })
}

impl History for SimWorld {
    fn commits_of(&self, repo: &Path, head: &Sha, known: &[Sha]) -> WorldResult<Vec<BranchCommit>> {
        let state = self.locked();
        state.commit(repo, head)?;
        let commits = state.beyond(head, known);
        Ok(commits.iter().filter_map(|commit| state.branch_commit(commit)).take(COMMITS_LIMIT).collect())
    }

    fn made_in(&self, _repo: &Path, _path: &Path) -> WorldResult<BTreeSet<Sha>> {
        // The simulation's worktrees keep no record; their commits carry the worker's name.
        Ok(BTreeSet::new())
    }

    fn brings(&self, repo: &Path, onto: &Sha, head: &Sha) -> WorldResult<bool> {
        let state = self.locked();
        state.commit(repo, onto)?;
        state.commit(repo, head)?;
        let base = state.objects.merge_base(onto, head).map(|base| state.objects.files_of(&base)).unwrap_or_default();
        Ok(state.merge_changes(&base, &state.objects.files_of(onto), &state.objects.files_of(head)))
    }

    fn still_has(&self, repo: &Path, tip: &Sha, commit: &Sha) -> WorldResult<bool> {
        let state = self.locked();
        let facts = state.commit(repo, commit)?;
        let [parent] = facts.parents.as_slice() else { return Ok(false) };
        let [parent, tip, commit] = [parent, tip, commit].map(|commit| state.objects.files_of(commit));
        Ok(!state.merge_changes(&parent, &tip, &commit))
    }

    fn find_commit(&self, repo: &Path, id: &str) -> WorldResult<Option<Sha>> {
        let state = self.locked();
        let mut found = state.repository(repo)?.known.iter().filter(|commit| commit.as_str().starts_with(id));
        Ok(found.next().cloned().filter(|_| found.next().is_none() && id.len() >= 7))
    }

    fn touching(&self, repo: &Path, from: &Sha, to: &Sha, paths: &[String]) -> WorldResult<Vec<Titled>> {
        let state = self.locked();
        state.commit(repo, from)?;
        state.commit(repo, to)?;
        let touches = |commit: &&Sha| {
            let parent = state.objects.facts(commit).and_then(|facts| facts.parents.first().cloned());
            let before = parent.map(|parent| state.objects.files_of(&parent)).unwrap_or_default();
            let after = state.objects.files_of(commit);
            paths.iter().any(|path| before.get(path) != after.get(path))
        };
        let commits = state.beyond(to, std::slice::from_ref(from));
        let touching = commits.iter().filter(touches).filter_map(|commit| state.objects.facts(commit));
        let title = |message: &str| message.lines().next().unwrap_or_default().to_owned();
        Ok(touching.take(TOUCHING_LIMIT).map(|f| Titled { title: title(&f.message), commit: f.id }).collect())
    }

    fn missing_from(&self, repo: &Path, tip: &Sha, commits: &[Sha]) -> WorldResult<BTreeSet<Sha>> {
        let state = self.locked();
        let known = &state.repository(repo)?.known;
        let there = state.objects.history(tip);
        Ok(commits.iter().filter(|commit| known.contains(*commit) && !there.contains(*commit)).cloned().collect())
    }

    fn changes(&self, repo: &Path, from: &Sha, to: &Sha) -> WorldResult<Vec<FileChange>> {
        let mut state = self.locked();
        state.commit(repo, from)?;
        state.commit(repo, to)?;
        Ok(state.changes(from, to))
    }

    fn changes_of(&self, repo: &Path, commit: &Sha) -> WorldResult<Vec<FileChange>> {
        let mut state = self.locked();
        let parent = state.commit(repo, commit)?.parents.first().cloned();
        Ok(state.changes(&parent.unwrap_or_else(|| Sha(String::new())), commit))
    }

    fn renames(&self, _repo: &Path, _from: &Sha, _to: &Sha) -> WorldResult<BTreeMap<String, String>> {
        // The simulation detects no renames.
        Ok(BTreeMap::new())
    }

    fn entries(&self, repo: &Path, commit: &Sha, paths: &[String]) -> WorldResult<BTreeMap<String, Entry>> {
        let mut state = self.locked();
        state.commit(repo, commit)?;
        let files = state.objects.files_of(commit);
        let found = paths.iter().filter_map(|path| Some((path, files.get(path)?)));
        Ok(found.map(|(path, content)| (path.clone(), state.entry(content))).collect())
    }

    fn lines(&self, repo: &Path, blob: &Sha) -> WorldResult<Vec<String>> {
        let content = self.locked().objects.blob(blob);
        content.map(|content| lines(&content)).ok_or_else(|| git("cat-file", repo, format!("bad object {blob}")))
    }

    fn under_way(&self, _repo: &Path, _path: &Path) -> WorldResult<Option<&'static str>> {
        // The simulation aborts a conflicting operation at once, so none is ever in progress.
        Ok(None)
    }

    fn catch_up(&self, _repo: &Path, path: &Path, onto: &Sha, way: Way) -> WorldResult<CaughtUp> {
        let end = match way {
            Way::Rebase => self.rebase(path, onto, false)?,
            Way::Merge => self.merge(path, onto, false)?,
        };
        Ok(match end {
            RebaseEnd::Done { .. } => CaughtUp::Done,
            RebaseEnd::Conflict { files } => CaughtUp::Conflict { files },
        })
    }

    fn update_submodules(&self, _path: &Path) -> WorldResult<Option<String>> {
        // The simulation has no submodules.
        Ok(None)
    }
}

fn lines(content: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(content).lines().map(str::to_owned).collect()
}
