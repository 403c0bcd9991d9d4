//! Worktrees. Their records are here; their files are on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gt_model::id::Sha;
use gt_model::keep::Keep;
use gt_world::{Change, CheckedOut, DIRTY_LIMIT, Rules, Snapshot, SnapshotFacts, Untracked};
use gt_world::{WorktreeFacts, WorktreePlan};
use gt_world::{WorldError, WorldResult, snapshot_message};

use super::objects::{Blob, Commit, Tree, tree_id};
use super::repo::{HEADS, git};
use super::{State, short_name};

/// Name and mail address for the town's own commits.
const TOWN_IDENTITY: (&str, &str) = ("Gas Town", "gt@localhost");

/// Target of a worktree's HEAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Branch(String),
    Detached(Sha),
}

impl Head {
    pub(super) fn branch(&self) -> Option<&str> {
        match self {
            Self::Branch(name) => Some(name),
            Self::Detached(_) => None,
        }
    }
}

/// A worktree's record; its files are on the disk.
#[derive(Clone)]
pub(super) struct Worktree {
    pub(super) repo: PathBuf,
    pub(super) head: Head,
    pub(super) identity: (String, String),
    /// Where the worktree's own git last put HEAD.
    pub(super) own: Sha,
}

impl State {
    /// Returns the worktree at `path`, if both its record and its folder exist.
    fn live_worktree(&self, path: &Path) -> Option<&Worktree> {
        self.worktrees.get(path).filter(|_| self.disk.is_folder(path))
    }

    /// Returns the worktree of this repository at `path`; `None` if there is none.
    fn worktree_of(&self, repo: &Path, path: &Path) -> WorldResult<Option<&Worktree>> {
        match self.live_worktree(path) {
            Some(there) if there.repo != repo => {
                let text = format!("{} is a worktree of {}", path.display(), there.repo.display());
                Err(WorldError::Unexpected(text))
            }
            there => Ok(there),
        }
    }

    /// Returns the commit that a worktree's HEAD names.
    pub(super) fn head_of(&self, worktree: &Worktree) -> WorldResult<Sha> {
        match &worktree.head {
            Head::Detached(commit) => Ok(commit.clone()),
            Head::Branch(branch) => {
                let at = self.repository(&worktree.repo)?.refs.get(&format!("{HEADS}{branch}"));
                at.cloned().ok_or_else(|| git("rev-parse", &worktree.repo, format!("{branch} names no commit")))
            }
        }
    }

    /// Returns all files of a worktree that git can see, without git folders and nested repositories; also returns the paths of
    /// the latter.
    fn visible_files(&self, path: &Path) -> (Tree, Vec<String>) {
        let mut files = self.disk.files_below(path);
        let nested: BTreeSet<String> = files.keys().filter_map(|file| nested_repository(file)).collect();
        let is_nested = |file: &str| nested.iter().any(|folder| is_below(file, folder));
        files.retain(|file, _| file != ".git" && !is_below(file, ".git") && !is_nested(file));
        (files, nested.into_iter().collect())
    }

    /// Returns what `git add --all` would add: all files but those that are ignored and untracked. Also returns what it would
    /// skip.
    pub(super) fn working_tree(&self, path: &Path, head: &Sha) -> (Tree, Vec<String>) {
        let (mut files, skipped) = self.visible_files(path);
        let tracked = self.objects.files_of(head);
        let ignored = Ignored::of(&files);
        files.retain(|file, _| tracked.contains_key(file) || !ignored.matches(file));
        (files, skipped)
    }

    /// Returns the changed paths, sorted.
    pub(super) fn dirty(&self, path: &Path, head: &Sha) -> Vec<String> {
        let tracked = self.objects.files_of(head);
        let (files, nested) = self.working_tree(path, head);
        let paths: BTreeSet<&String> = tracked.keys().chain(files.keys()).collect();
        let changed = paths.into_iter().filter(|path| tracked.get(*path) != files.get(*path)).cloned();
        changed.chain(nested).collect()
    }

    /// Makes the tracked files of a worktree those of `to`. Files that neither commit has stay.
    pub(super) fn check_out(&mut self, path: &Path, from: &Tree, to: &Tree) -> WorldResult<()> {
        for file in from.keys().filter(|file| !to.contains_key(*file)) {
            self.disk.remove_file(&path.join(file), path);
        }
        let there = self.disk.files_below(path);
        for (file, content) in to.iter().filter(|(file, content)| there.get(*file) != Some(*content)) {
            self.disk.write(&path.join(file), content.clone())?;
        }
        Ok(())
    }

    pub(super) fn facts(&self, repo: &Path, path: &Path) -> WorldResult<Option<WorktreeFacts>> {
        let Some(worktree) = self.worktree_of(repo, path)? else { return Ok(None) };
        let head = self.head_of(worktree)?;
        let mut dirty = self.dirty(path, &head);
        dirty.truncate(DIRTY_LIMIT);
        Ok(Some(WorktreeFacts { branch: worktree.head.branch().map(str::to_owned), head, dirty }))
    }

    pub(super) fn own_position(&self, repo: &Path, path: &Path, branch: &str) -> WorldResult<Option<Sha>> {
        let worktree = self.worktree_of(repo, path)?.filter(|worktree| worktree.head.branch() == Some(branch));
        Ok(worktree.map(|worktree| worktree.own.clone()))
    }

    pub(super) fn add_worktree(&mut self, repo: &Path, plan: &WorktreePlan) -> WorldResult<()> {
        self.commit(repo, &plan.start)?;
        if let Some(there) = self.worktree_of(repo, &plan.path)? {
            return match there.head.branch() == plan.branch.as_deref() {
                true => Ok(()),
                false => Err(unexpected(&plan.path, "is a worktree on another branch")),
            };
        }
        if !self.disk.files_below(&plan.path).is_empty() {
            return Err(unexpected(&plan.path, "exists, but is not a worktree"));
        }
        let (head, start) = match &plan.branch {
            Some(branch) => (Head::Branch(branch.clone()), self.open_branch(repo, branch, plan)?),
            None => (Head::Detached(plan.start.clone()), plan.start.clone()),
        };
        let worktree = Worktree { repo: repo.to_owned(), head, identity: plan.identity.clone(), own: start.clone() };
        self.place(&plan.path, worktree, &start)?;
        let on = plan.branch.as_deref().unwrap_or(plan.start.short());
        self.note(format!("add_worktree {} {on}", short_name(&plan.path)));
        Ok(())
    }

    /// Makes the branch of a new worktree, and returns its commit. An existing branch stays where it is, since its commits are
    /// a worker's work.
    fn open_branch(&mut self, repo: &Path, branch: &str, plan: &WorktreePlan) -> WorldResult<Sha> {
        if let Some(path) = self.holder_of(repo, branch) {
            return Err(git("worktree", repo, format!("'{branch}' is already checked out at {}", path.display())));
        }
        let refs = &mut self.repository_mut(repo)?.refs;
        Ok(refs.entry(format!("{HEADS}{branch}")).or_insert_with(|| plan.start.clone()).clone())
    }

    /// Returns the worktree where a branch is checked out.
    pub(super) fn holder_of(&self, repo: &Path, branch: &str) -> Option<&Path> {
        let holders = self.worktrees.iter().filter(|(path, worktree)| {
            worktree.repo == repo && worktree.head.branch() == Some(branch) && self.disk.is_folder(path)
        });
        holders.map(|(path, _)| path.as_path()).next()
    }

    /// Puts a new worktree on the disk.
    fn place(&mut self, path: &Path, worktree: Worktree, commit: &Sha) -> WorldResult<()> {
        self.disk.create_dir(path)?;
        let files = self.objects.files_of(commit);
        self.check_out(path, &Tree::new(), &files)?;
        self.worktrees.insert(path.to_owned(), worktree);
        Ok(())
    }

    pub(super) fn reset_gate_worktree(&mut self, repo: &Path, path: &Path, commit: &Sha) -> WorldResult<()> {
        self.commit(repo, commit)?;
        let there = self.worktree_of(repo, path)?.cloned();
        let before = match there.map(|worktree| worktree.head) {
            Some(Head::Branch(_)) => return Err(unexpected(path, "is a worker's worktree, not a gate's")),
            Some(Head::Detached(before)) => Some(before),
            None => None,
        };
        let from = before.as_ref().map(|before| self.objects.files_of(before)).unwrap_or_default();
        let to = self.objects.files_of(commit);
        if before.as_ref() == Some(commit) && self.dirty_tracked(path, &to).is_empty() {
            return Ok(());
        }
        let head = Head::Detached(commit.clone());
        let identity = (TOWN_IDENTITY.0.to_owned(), TOWN_IDENTITY.1.to_owned());
        self.check_out(path, &from, &to)?;
        self.place(path, Worktree { repo: repo.to_owned(), head, identity, own: commit.clone() }, commit)?;
        self.note(format!("reset_gate_worktree {} {}", short_name(path), commit.short()));
        Ok(())
    }

    /// Returns the tracked files that differ from `tracked`.
    fn dirty_tracked(&self, path: &Path, tracked: &Tree) -> Vec<String> {
        let there = self.disk.files_below(path);
        tracked.iter().filter(|(file, blob)| there.get(*file) != Some(*blob)).map(|(file, _)| file.clone()).collect()
    }

    /// Returns the files of a tree, which must exist, and of the worktree at `path`.
    fn tracked_and_there(&self, repo: &Path, path: &Path, tree: &Sha) -> WorldResult<(Arc<Tree>, Tree)> {
        self.worktree_of(repo, path)?.ok_or_else(|| unexpected(path, "is not a worktree"))?;
        let tracked =
            self.objects.tree(tree).cloned().ok_or_else(|| git("ls-tree", repo, format!("no tree {tree}")))?;
        Ok((tracked, self.disk.files_below(path)))
    }

    pub(super) fn compare_checkout(&self, repo: &Path, path: &Path, tree: &Sha) -> WorldResult<CheckedOut> {
        let (tracked, there) = self.tracked_and_there(repo, path, tree)?;
        let found: Tree = there.into_iter().filter(|(file, _)| tracked.contains_key(file)).collect();
        let differs = |(file, content): &(&String, &Blob)| found.get(*file) != Some(*content);
        let said =
            |file: &String| found.get(file).map_or("-".to_owned(), |blob| format!("{} bytes {blob:?}", blob.len()));
        let changed = tracked.iter().filter(differs).map(|(file, _)| (file.clone(), said(file))).collect();
        Ok(CheckedOut { tree: tree_id(&found), changed })
    }

    pub(super) fn untracked(&self, repo: &Path, path: &Path, tree: &Sha, rules: &Rules) -> WorldResult<Untracked> {
        let (tracked, there) = self.tracked_and_there(repo, path, tree)?;
        let (mut kept, mut others) = (BTreeSet::new(), Vec::new());
        for file in there.into_keys().filter(|file| !tracked.contains_key(file) && file != ".git") {
            match kept_part(&file, &rules.keep).filter(|part| !tracked.keys().any(|file| is_below(file, part))) {
                Some(part) => _ = kept.insert(part.to_owned()),
                None => others.push(file),
            }
        }
        Ok(Untracked { kept: kept.into_iter().collect(), others })
    }

    pub(super) fn clear_checkout(
        &mut self,
        repo: &Path,
        path: &Path,
        tree: &Sha,
        rules: &Rules,
    ) -> WorldResult<Untracked> {
        let mut found = self.untracked(repo, path, tree, rules)?;
        for file in &found.others {
            self.disk.remove_file(&path.join(file), path);
        }
        if !found.others.is_empty() {
            self.note(format!("clear_checkout {}", short_name(path)));
        }
        found.others.truncate(DIRTY_LIMIT);
        Ok(found)
    }

    pub(super) fn snapshot(&mut self, repo: &Path, path: &Path, name: &str, message: &str) -> WorldResult<Snapshot> {
        let worktree = self.worktree_of(repo, path)?.ok_or_else(|| unexpected(path, "is not a worktree"))?;
        let head = self.head_of(worktree)?;
        let (files, skipped) = self.working_tree(path, &head);
        let tree = self.objects.add_tree(files);
        let last = self.repository(repo)?.refs.get(name).cloned();
        if let Some(last) = &last
            && self.same_snapshot(last, &head, &tree)
        {
            return Ok(Snapshot { commit: last.clone(), skipped });
        }
        let parents: Vec<Sha> = [head].into_iter().chain(last).collect();
        let author = self.author(TOWN_IDENTITY.0, TOWN_IDENTITY.1);
        let message = snapshot_message(message, &skipped);
        let commit = self.objects.add_commit(Commit { parents, tree, author, message });
        self.learn(repo, &commit)?;
        self.repository_mut(repo)?.refs.insert(name.to_owned(), commit.clone());
        self.note(format!("snapshot {} {}", short_name(path), commit.short()));
        Ok(Snapshot { commit, skipped })
    }

    /// Whether the previous snapshot holds the same state.
    fn same_snapshot(&self, last: &Sha, head: &Sha, tree: &Sha) -> bool {
        let last = self.objects.commit(last);
        last.is_some_and(|last| last.parents.first() == Some(head) && last.tree == *tree)
    }

    pub(super) fn snapshot_facts(&self, repo: &Path, snapshot: &Sha) -> WorldResult<SnapshotFacts> {
        let commit = self.commit(repo, snapshot)?;
        let mut parents = commit.parents.iter().cloned();
        let no_snapshot = || WorldError::Unexpected(format!("{} is not a snapshot", snapshot.short()));
        let head = parents.next().ok_or_else(no_snapshot)?;
        let (before, message) = (parents.next(), commit.message.clone());
        Ok(SnapshotFacts { commit: snapshot.clone(), head, before, taken_at: commit.author.seconds, message })
    }

    pub(super) fn restore_snapshot(&mut self, repo: &Path, path: &Path, snapshot: &Sha) -> WorldResult<()> {
        self.commit(repo, snapshot)?;
        let worktree = self.worktree_of(repo, path)?.ok_or_else(|| unexpected(path, "is not a worktree"))?;
        let head = self.head_of(worktree)?;
        let (from, to) = (self.objects.files_of(&head), self.objects.files_of(snapshot));
        if from != to {
            self.check_out(path, &from, &to)?;
            self.note(format!("restore_snapshot {} {}", short_name(path), snapshot.short()));
        }
        Ok(())
    }

    pub(super) fn changed_paths(&self, repo: &Path, from: &Sha, to: &Sha) -> WorldResult<BTreeMap<String, Change>> {
        self.commit(repo, from)?;
        self.commit(repo, to)?;
        let (old, new) = (self.objects.files_of(from), self.objects.files_of(to));
        let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let changes = paths.into_iter().filter_map(|path| match (old.get(path), new.get(path)) {
            (Some(old), Some(new)) if old == new => None,
            (Some(_), Some(_)) => Some((path.clone(), Change::Changed)),
            (None, _) => Some((path.clone(), Change::Added)),
            (_, None) => Some((path.clone(), Change::Removed)),
        });
        Ok(changes.collect())
    }

    /// Returns one line per file. The text for people is left to the real git.
    pub(super) fn diff_text(&self, repo: &Path, from: &Sha, to: &Sha) -> WorldResult<String> {
        self.commit(repo, from)?;
        let base = self.objects.merge_base(from, to).ok_or_else(|| git("diff", repo, "no merge base"))?;
        let changes = self.changed_paths(repo, &base, to)?;
        Ok(changes.iter().map(|(path, change)| format!(" {path} | {change:?}\n")).collect())
    }

    pub(super) fn export_tree(&mut self, repo: &Path, commit: &Sha, to: &Path) -> WorldResult<()> {
        self.commit(repo, commit)?;
        if self.disk.exists(to) {
            return Err(unexpected(to, "already exists"));
        }
        self.disk.create_dir(to)?;
        let files = self.objects.files_of(commit);
        self.check_out(to, &Tree::new(), &files)?;
        self.note(format!("export_tree {} {}", commit.short(), short_name(to)));
        Ok(())
    }

    pub(super) fn archive_worktree(&mut self, repo: &Path, path: &Path, to: &Path) -> WorldResult<()> {
        self.worktree_of(repo, path)?;
        if self.disk.exists(path) {
            if self.disk.exists(to) {
                return Err(unexpected(to, "already exists"));
            }
            self.disk.create_dir(to.parent().unwrap_or(Path::new("/")))?;
            self.disk.rename(path, to)?;
            self.archives.insert(to.to_owned());
            self.note(format!("archive_worktree {} {}", short_name(path), short_name(to)));
        }
        self.worktrees.remove(path);
        Ok(())
    }

    pub(super) fn remove_gate_worktree(&mut self, repo: &Path, path: &Path) -> WorldResult<()> {
        if let Some(there) = self.worktree_of(repo, path)?
            && there.head.branch().is_some()
        {
            return Err(unexpected(path, "is a worker's worktree, not a gate's"));
        }
        self.worktrees.remove(path);
        if self.disk.remove(path) {
            self.note(format!("remove_gate_worktree {}", short_name(path)));
        }
        Ok(())
    }
}

fn unexpected(path: &Path, what: &str) -> WorldError {
    WorldError::Unexpected(format!("{} {what}", path.display()))
}

/// Returns the folder with which a file is kept, or the file itself.
fn kept_part<'f>(file: &'f str, keep: &Keep) -> Option<&'f str> {
    let ends = file.match_indices('/').map(|(at, _)| at).chain([file.len()]);
    ends.map(|end| &file[..end]).find(|part| keep.matches(part.as_bytes()))
}

fn is_below(file: &str, folder: &str) -> bool {
    file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Returns the nested repository whose git folder holds a file.
fn nested_repository(file: &str) -> Option<String> {
    file.find("/.git/").or_else(|| file.strip_suffix("/.git").map(str::len)).map(|at| file[..at].to_owned())
}

/// The rules of the top `.gitignore`: plain names, and folders as `name/`. A leading slash means the top folder only.
struct Ignored {
    rules: Vec<String>,
}

impl Ignored {
    fn of(files: &Tree) -> Self {
        let text = files.get(".gitignore").map(|content| String::from_utf8_lossy(content).into_owned());
        let rules = text.unwrap_or_default();
        let rules = rules.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self { rules: rules.map(str::to_owned).collect() }
    }

    fn matches(&self, file: &str) -> bool {
        self.rules.iter().any(|rule| rule_matches(rule, file))
    }
}

fn rule_matches(rule: &str, file: &str) -> bool {
    let (rule, top_only) = rule.strip_prefix('/').map_or((rule, false), |rule| (rule, true));
    let (name, folder_only) = rule.strip_suffix('/').map_or((rule, false), |name| (name, true));
    let parts = file.split('/').count();
    let mut places = file.split('/').enumerate().take(if top_only { 1 } else { parts });
    places.any(|(at, part)| part == name && !(folder_only && at + 1 == parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignore_rules() {
        let cases = [
            ("build/", "build/out", true),
            ("build/", "deep/build/out", true),
            ("build/", "build", false),
            ("/build/", "deep/build/out", false),
            ("note", "note", true),
            ("note", "deep/note", true),
            ("note", "note/below", true),
            ("/note", "deep/note", false),
            ("note", "notes", false),
        ];
        for (rule, file, expected) in cases {
            assert_eq!(rule_matches(rule, file), expected, "{rule} {file}");
        }
    }
}
