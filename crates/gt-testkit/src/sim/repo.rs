//! Repositories, remotes and worktrees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gt_model::id::Sha;
use gt_town::world::{
    Candidate, DIRTY_LIMIT, FolderFacts, Held, Push, RemoteFacts, Repo, Snapshot, WorktreeFacts, WorktreePlan,
};
use gt_town::world::{WorldError, WorldResult};

use super::merge::{Clash, Merged, merge_trees};
use super::objects::{Author, Blob, Commit, CommitFacts, Tree};
use super::{Files, SimWorld, State, short_name};

/// Where branches are.
pub(super) const HEADS: &str = "refs/heads/";
/// Where the remote's branches are, as they were at the last fetch.
const TRACKED: &str = "refs/remotes/origin/";

/// A repository: a rig's, or a remote.
#[derive(Clone, Default)]
pub(super) struct Repository {
    origin: Option<String>,
    head_branch: Option<String>,
    pub(super) refs: BTreeMap<String, Sha>,
    /// The commits that it has.
    known: BTreeSet<Sha>,
}

impl Repository {
    fn branches(&self) -> BTreeMap<String, Sha> {
        let heads = self.refs.iter().filter_map(|(name, at)| Some((name.strip_prefix(HEADS)?, at)));
        heads.map(|(name, at)| (name.to_owned(), at.clone())).collect()
    }
}

/// What a worktree's HEAD is.
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
}

/// The error of a git verb that failed.
pub(super) fn git(verb: &str, repo: &Path, text: impl Into<String>) -> WorldError {
    WorldError::Git { verb: verb.to_owned(), repo: repo.to_owned(), text: text.into() }
}

fn unreachable_remote(url: &Path, text: &str) -> WorldError {
    WorldError::Unreachable { url: url.display().to_string(), text: text.to_owned() }
}

/// Repositories.
impl State {
    fn repository(&self, path: &Path) -> WorldResult<&Repository> {
        self.repos.get(path).ok_or_else(|| git("rev-parse", path, "not a git repository"))
    }

    pub(super) fn repository_mut(&mut self, path: &Path) -> WorldResult<&mut Repository> {
        self.repos.get_mut(path).ok_or_else(|| git("rev-parse", path, "not a git repository"))
    }

    fn remote(&self, url: &Path) -> WorldResult<&Repository> {
        if self.unreachable.contains(url) {
            return Err(unreachable_remote(url, "connection timed out"));
        }
        self.repos.get(url).ok_or_else(|| unreachable_remote(url, "does not appear to be a git repository"))
    }

    /// The URL of a rig's remote.
    fn origin(&self, repo: &Path) -> WorldResult<PathBuf> {
        let origin = self.repository(repo)?.origin.as_ref();
        origin.map(PathBuf::from).ok_or_else(|| git("remote", repo, "no such remote 'origin'"))
    }

    /// A commit that the repository has.
    pub(super) fn commit(&self, repo: &Path, id: &Sha) -> WorldResult<Arc<Commit>> {
        let known = self.repository(repo)?.known.contains(id);
        let commit = self.objects.commit(id).filter(|_| known);
        commit.cloned().ok_or_else(|| git("cat-file", repo, format!("bad object {id}")))
    }

    /// Makes a repository have a commit and all before it.
    pub(super) fn learn(&mut self, repo: &Path, head: &Sha) -> WorldResult<()> {
        let history = self.objects.history(head);
        self.repository_mut(repo)?.known.extend(history);
        Ok(())
    }

    /// Adds a commit of `tree` to a repository, by someone who is no worker.
    fn add_commit(&mut self, repo: &Path, tree: Tree, parents: Vec<Sha>, message: &str) -> WorldResult<Sha> {
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
            return Err(git("clone", folder, "not a repository with a checkout"));
        };
        let url = bare.display().to_string();
        match origin {
            Some(origin) if origin == url && self.repos.contains_key(bare) => return Ok(()),
            Some(origin) if origin != url => return Err(git("remote", folder, "remote origin already exists")),
            _ => {}
        }
        self.disk.create_dir(bare)?;
        let copy = Repository { origin: None, ..self.source_of(folder, branch.as_deref(), has_commit)? };
        self.repos.insert(bare.to_owned(), copy);
        self.folders.insert(folder.to_owned(), FolderFacts::Checkout { origin: Some(url), branch, has_commit });
        self.note(format!("make_bare_remote {} {}", short_name(folder), short_name(bare)));
        Ok(())
    }

    /// The repository in a folder. One that was only told of by facts gets an empty commit where it has one.
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
            let place = |at: Option<&Sha>| at.map_or_else(|| "nowhere".to_owned(), Sha::to_string);
            let (is, should) = (place(current.as_ref()), place(expected));
            return Err(git("update-ref", repo, format!("{name} is at {is} but expected {should}")));
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

    fn squash(&mut self, repo: &Path, onto: &Sha, head: &Sha, message: &str) -> WorldResult<Candidate> {
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
        let (author, message) = (theirs.author.clone(), message.to_owned());
        let commit =
            self.objects.add_commit(Commit { parents: vec![onto.clone()], tree: tree.clone(), author, message });
        if self.repository_mut(repo)?.known.insert(commit.clone()) {
            self.note(format!("squash {} on {}: {}", head.short(), onto.short(), commit.short()));
        }
        Ok(Candidate::Clean { commit, tree })
    }

    fn push(&mut self, repo: &Path, branch: &str, new: &Sha, expected: Option<&Sha>) -> WorldResult<Push> {
        self.commit(repo, new)?;
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

    /// Why a remote takes no push to `branch`: a hook, or the branch being checked out there.
    fn refusal(&self, url: &Path, branch: &str) -> Option<String> {
        let hook = self.refusals.get(url).cloned();
        hook.or_else(|| match self.folders.get(url) {
            Some(FolderFacts::Checkout { branch: Some(out), .. }) if out == branch => {
                Some("branch is currently checked out".to_owned())
            }
            _ => None,
        })
    }
}

/// Worktrees.
impl State {
    /// The worktree at `path`, if it is there: both its record and its folder.
    fn live_worktree(&self, path: &Path) -> Option<&Worktree> {
        self.worktrees.get(path).filter(|_| self.disk.is_folder(path))
    }

    /// The worktree at `path` of this repository; `None` where there is none.
    fn worktree_of(&self, repo: &Path, path: &Path) -> WorldResult<Option<&Worktree>> {
        match self.live_worktree(path) {
            Some(there) if there.repo != repo => {
                let text = format!("{} is a worktree of {}", path.display(), there.repo.display());
                Err(WorldError::Unexpected(text))
            }
            there => Ok(there),
        }
    }

    /// The commit that a worktree's HEAD names.
    pub(super) fn head_of(&self, worktree: &Worktree) -> WorldResult<Sha> {
        match &worktree.head {
            Head::Detached(commit) => Ok(commit.clone()),
            Head::Branch(branch) => {
                let at = self.repository(&worktree.repo)?.refs.get(&format!("{HEADS}{branch}"));
                at.cloned().ok_or_else(|| git("rev-parse", &worktree.repo, format!("{branch} names no commit")))
            }
        }
    }

    /// All files of a worktree that git can see: no git folders, no nested repositories. With the latters' paths.
    fn visible_files(&self, path: &Path) -> (Tree, Vec<String>) {
        let mut files = self.disk.files_below(path);
        let nested: BTreeSet<String> = files.keys().filter_map(|file| nested_repository(file)).collect();
        let is_nested = |file: &str| nested.iter().any(|folder| is_below(file, folder));
        files.retain(|file, _| file != ".git" && !is_below(file, ".git") && !is_nested(file));
        (files, nested.into_iter().collect())
    }

    /// What `git add --all` would take in: all but what is ignored and not tracked. With what it would skip.
    pub(super) fn working_tree(&self, path: &Path, head: &Sha) -> (Tree, Vec<String>) {
        let (mut files, skipped) = self.visible_files(path);
        let tracked = self.objects.files_of(head);
        let ignored = Ignored::of(&files);
        files.retain(|file, _| tracked.contains_key(file) || !ignored.matches(file));
        (files, skipped)
    }

    /// Changed paths, sorted.
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

    fn facts(&self, repo: &Path, path: &Path) -> WorldResult<Option<WorktreeFacts>> {
        let Some(worktree) = self.worktree_of(repo, path)? else { return Ok(None) };
        let head = self.head_of(worktree)?;
        let mut dirty = self.dirty(path, &head);
        dirty.truncate(DIRTY_LIMIT);
        Ok(Some(WorktreeFacts { branch: worktree.head.branch().map(str::to_owned), head, dirty }))
    }

    fn add_worktree(&mut self, repo: &Path, plan: &WorktreePlan) -> WorldResult<()> {
        self.commit(repo, &plan.start)?;
        if let Some(there) = self.worktree_of(repo, &plan.path)? {
            return match there.head.branch() == plan.branch.as_deref() {
                true => Ok(()),
                false => Err(unexpected(&plan.path, "is a worktree on another branch")),
            };
        }
        if !self.disk.files_below(&plan.path).is_empty() {
            return Err(unexpected(&plan.path, "is there, but is no worktree"));
        }
        let (head, start) = match &plan.branch {
            Some(branch) => (Head::Branch(branch.clone()), self.open_branch(repo, branch, plan)?),
            None => (Head::Detached(plan.start.clone()), plan.start.clone()),
        };
        let worktree = Worktree { repo: repo.to_owned(), head, identity: plan.identity.clone() };
        self.place(&plan.path, worktree, &start)?;
        let on = plan.branch.as_deref().unwrap_or(plan.start.short());
        self.note(format!("add_worktree {} {on}", short_name(&plan.path)));
        Ok(())
    }

    /// Makes the branch of a new worktree; answers with where it is. One that is there already stays where it is, since
    /// its commits are somebody's work.
    fn open_branch(&mut self, repo: &Path, branch: &str, plan: &WorktreePlan) -> WorldResult<Sha> {
        if let Some(path) = self.holder_of(repo, branch) {
            return Err(git("worktree", repo, format!("'{branch}' is already checked out at {}", path.display())));
        }
        let name = format!("{HEADS}{branch}");
        let Some(at) = self.repository(repo)?.refs.get(&name).cloned() else {
            self.repository_mut(repo)?.refs.insert(name, plan.start.clone());
            return Ok(plan.start.clone());
        };
        match self.objects.history(&at).contains(&plan.start) {
            true => Ok(at),
            false => Err(WorldError::Unexpected(format!("the branch {branch} is there, but not from {}", plan.start))),
        }
    }

    /// The worktree in which a branch is checked out.
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

    fn reset_gate_worktree(&mut self, repo: &Path, path: &Path, commit: &Sha) -> WorldResult<()> {
        self.commit(repo, commit)?;
        let there = self.worktree_of(repo, path)?.cloned();
        let before = match there.map(|worktree| worktree.head) {
            Some(Head::Branch(_)) => return Err(unexpected(path, "is a worker's worktree, not a gate's")),
            Some(Head::Detached(before)) => Some(before),
            None => None,
        };
        if before.as_ref() == Some(commit) && self.dirty(path, commit).is_empty() {
            return Ok(());
        }
        let head = Head::Detached(commit.clone());
        let identity = ("gt".to_owned(), "gt@localhost".to_owned());
        self.clean(path, commit, before.as_ref());
        self.place(path, Worktree { repo: repo.to_owned(), head, identity }, commit)?;
        self.note(format!("reset_gate_worktree {} {}", short_name(path), commit.short()));
        Ok(())
    }

    /// Removes what a commit does not have, save what its own rules ignore and the commit before it did not have.
    fn clean(&mut self, path: &Path, commit: &Sha, before: Option<&Sha>) {
        let tracked = self.objects.files_of(commit);
        let before = before.map(|before| self.objects.files_of(before)).unwrap_or_default();
        let ignored = Ignored::of(&tracked);
        for file in self.disk.files_below(path).keys() {
            let is_cache = ignored.matches(file) && !before.contains_key(file);
            if !tracked.contains_key(file) && !is_cache {
                self.disk.remove_file(&path.join(file), path);
            }
        }
    }

    fn snapshot(&mut self, repo: &Path, path: &Path, name: &str, message: &str) -> WorldResult<Snapshot> {
        let worktree = self.worktree_of(repo, path)?.ok_or_else(|| unexpected(path, "is no worktree"))?;
        let (head, (user, mail)) = (self.head_of(worktree)?, worktree.identity.clone());
        let (files, skipped) = self.working_tree(path, &head);
        let tree = self.objects.add_tree(files);
        let last = self.repository(repo)?.refs.get(name).cloned();
        if let Some(last) = &last
            && self.same_snapshot(last, &head, &tree, message)
        {
            return Ok(Snapshot { commit: last.clone(), skipped });
        }
        let parents: Vec<Sha> = [head].into_iter().chain(last).collect();
        let (author, message) = (self.author(&user, &mail), message.to_owned());
        let commit = self.objects.add_commit(Commit { parents, tree, author, message });
        self.learn(repo, &commit)?;
        self.repository_mut(repo)?.refs.insert(name.to_owned(), commit.clone());
        self.note(format!("snapshot {} {}", short_name(path), commit.short()));
        Ok(Snapshot { commit, skipped })
    }

    /// Whether the snapshot before has it all.
    fn same_snapshot(&self, last: &Sha, head: &Sha, tree: &Sha, message: &str) -> bool {
        self.objects
            .commit(last)
            .is_some_and(|last| last.parents.first() == Some(head) && last.tree == *tree && last.message == message)
    }

    fn archive_worktree(&mut self, repo: &Path, path: &Path, to: &Path) -> WorldResult<()> {
        self.worktree_of(repo, path)?;
        if self.disk.exists(path) {
            if self.disk.exists(to) {
                return Err(unexpected(to, "is there already"));
            }
            self.disk.create_dir(to.parent().unwrap_or(Path::new("/")))?;
            self.disk.rename(path, to)?;
            self.archives.insert(to.to_owned());
            self.note(format!("archive_worktree {} {}", short_name(path), short_name(to)));
        }
        self.worktrees.remove(path);
        Ok(())
    }

    fn remove_gate_worktree(&mut self, repo: &Path, path: &Path) -> WorldResult<()> {
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

    /// The files below a folder, as text.
    pub(super) fn texts_below(&self, folder: &Path) -> Files {
        texts(&self.disk.files_below(folder))
    }
}

fn unexpected(path: &Path, what: &str) -> WorldError {
    WorldError::Unexpected(format!("{} {what}", path.display()))
}

fn texts(tree: &Tree) -> Files {
    let text = |content: &Blob| String::from_utf8_lossy(content).into_owned();
    tree.iter().map(|(path, content)| (path.clone(), text(content))).collect()
}

fn tree_from(files: &[(&str, &str)]) -> Tree {
    files.iter().map(|(path, text)| ((*path).to_owned(), Blob::from(text.as_bytes()))).collect()
}

fn is_below(file: &str, folder: &str) -> bool {
    file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// The folder of the repository inside the worktree that a file belongs to the git folder of.
fn nested_repository(file: &str) -> Option<String> {
    file.find("/.git/").or_else(|| file.strip_suffix("/.git").map(str::len)).map(|at| file[..at].to_owned())
}

/// The rules of the `.gitignore` at the top: plain names, and folders as `name/`; a leading slash means the top only.
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

/// What tests set up and look at.
impl SimWorld {
    /// Adds a repository that can be reached by `url` (or path), with one commit of `files` on `branch`.
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

    /// Commits to a remote, as somebody else would: changes `files` on `branch` (made where it is not there).
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

    /// Where a remote's branch is.
    pub fn remote_branch(&self, url: &str, branch: &str) -> Option<Sha> {
        self.locked().repos.get(Path::new(url))?.refs.get(&format!("{HEADS}{branch}")).cloned()
    }

    /// Makes a remote refuse all pushes, for `reason`.
    pub fn refuse_pushes(&self, url: &str, reason: &str) {
        self.locked().refusals.insert(url.into(), reason.to_owned());
    }

    /// Takes [`Self::refuse_pushes`] back.
    pub fn accept_pushes(&self, url: &str) {
        self.locked().refusals.remove(Path::new(url));
    }

    /// Cuts the line to a remote.
    pub fn set_unreachable(&self, url: &str) {
        self.locked().unreachable.insert(url.into());
    }

    /// Takes [`Self::set_unreachable`] back.
    pub fn set_reachable(&self, url: &str) {
        self.locked().unreachable.remove(Path::new(url));
    }

    /// Says what [`Repo::folder`] answers for a folder. Its content, if it matters, comes from [`Self::add_remote`] with
    /// the same path.
    pub fn add_folder(&self, path: &Path, facts: FolderFacts) {
        self.locked().folders.insert(path.to_owned(), facts);
    }

    /// The files of a worktree that [`Repo::archive_worktree`] has moved to `path`.
    pub fn archived(&self, path: &Path) -> Option<Files> {
        let state = self.locked();
        state.archives.contains(path).then(|| state.texts_below(path))
    }

    /// The files of a commit.
    pub fn files_at(&self, commit: &Sha) -> Option<Files> {
        let state = self.locked();
        state.objects.commit(commit).map(|_| texts(&state.objects.files_of(commit)))
    }

    /// A commit.
    pub fn commit_facts(&self, commit: &Sha) -> Option<CommitFacts> {
        self.locked().objects.facts(commit)
    }

    /// A commit and all before it, oldest first.
    pub fn history(&self, head: &Sha) -> Vec<CommitFacts> {
        let state = self.locked();
        let order = state.objects.since(&Sha(String::new()), head);
        order.iter().filter_map(|id| state.objects.facts(id)).collect()
    }
}

impl Repo for SimWorld {
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

    fn create(&self, _held: &Held, repo: &Path, url: &str) -> WorldResult<()> {
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

    fn tree_of(&self, repo: &Path, commit: &Sha) -> WorldResult<Sha> {
        Ok(self.locked().commit(repo, commit)?.tree.clone())
    }

    fn squash(&self, _held: &Held, repo: &Path, onto: &Sha, head: &Sha, message: &str) -> WorldResult<Candidate> {
        self.acting("squash")?.squash(repo, onto, head, message)
    }

    fn push(&self, _held: &Held, repo: &Path, branch: &str, new: &Sha, expected: Option<&Sha>) -> WorldResult<Push> {
        self.acting("push")?.push(repo, branch, new, expected)
    }

    fn worktree(&self, repo: &Path, path: &Path) -> WorldResult<Option<WorktreeFacts>> {
        self.locked().facts(repo, path)
    }

    fn add_worktree(&self, _held: &Held, repo: &Path, plan: &WorktreePlan) -> WorldResult<()> {
        self.acting("add_worktree")?.add_worktree(repo, plan)
    }

    fn reset_gate_worktree(&self, _held: &Held, repo: &Path, path: &Path, commit: &Sha) -> WorldResult<()> {
        self.acting("reset_gate_worktree")?.reset_gate_worktree(repo, path, commit)
    }

    fn snapshot(&self, _held: &Held, repo: &Path, path: &Path, name: &str, message: &str) -> WorldResult<Snapshot> {
        self.acting("snapshot")?.snapshot(repo, path, name, message)
    }

    fn archive_worktree(&self, _held: &Held, repo: &Path, path: &Path, to: &Path) -> WorldResult<()> {
        self.acting("archive_worktree")?.archive_worktree(repo, path, to)
    }

    fn remove_gate_worktree(&self, _held: &Held, repo: &Path, path: &Path) -> WorldResult<()> {
        self.acting("remove_gate_worktree")?.remove_gate_worktree(repo, path)
    }
}

#[cfg(test)]
#[path = "repo_tests.rs"]
mod tests;
