//! What commits hold, and where they came from.

use std::collections::BTreeSet;
use std::path::Path;

use gt_model::id::Sha;
use gt_model::landed::BranchCommit;
use gt_town::world::WorldResult;
use gt_town::world::history::{COMMITS_LIMIT, History, TOUCHING_LIMIT, Titled};

use super::merge::{Clash, Merged, merge_trees};
use super::objects::Tree;
use super::{SimWorld, State};

impl State {
    /// The commits of `of` without those of `known`, newest first.
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

    fn merge_changes(&self, base: &Tree, onto: &Tree, theirs: &Tree) -> bool {
        match merge_trees(base, onto, theirs, Clash::Report) {
            Merged::Clean(files) => files != *onto,
            Merged::Conflict(_) => true,
        }
    }
}

impl History for SimWorld {
    fn commits_of(&self, repo: &Path, head: &Sha, known: &[Sha]) -> WorldResult<Vec<BranchCommit>> {
        let state = self.locked();
        state.commit(repo, head)?;
        let commits = state.beyond(head, known);
        Ok(commits.iter().filter_map(|commit| state.branch_commit(commit)).take(COMMITS_LIMIT).collect())
    }

    fn made_in(&self, _repo: &Path, _path: &Path) -> WorldResult<BTreeSet<Sha>> {
        // Worktrees keep no record here; their commits carry the worker's name.
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
}
