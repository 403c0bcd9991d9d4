//! Repositories: what the town does with git, and what it asks of it.

use gt_model::id::Sha;
use gt_model::keep::Keep;
use gt_model::landing::{Landing, Person};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::{Held, History, WorldError, WorldResult};

/// By which hash a repository names its objects. Two repositories that differ in it can't exchange any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ObjectFormat {
    /// Nearly all.
    #[default]
    Sha1,
    /// `git init --object-format=sha256`.
    Sha256,
}

impl ObjectFormat {
    /// The format of a full object id; `None` where the text is none.
    pub fn of(id: &str) -> Option<Self> {
        let hexadecimal = id.bytes().all(|byte| byte.is_ascii_hexdigit());
        match id.len() {
            40 if hexadecimal => Some(Self::Sha1),
            64 if hexadecimal => Some(Self::Sha256),
            _ => None,
        }
    }

    /// Git's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }
}

/// What a remote says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFacts {
    /// The branch that its HEAD points to, where it has one.
    pub head_branch: Option<String>,
    /// Its branches (short names).
    pub branches: BTreeMap<String, Sha>,
}

/// What a repository on this machine would do with a push.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receiving {
    /// Where it is.
    pub folder: PathBuf,
    /// The branches that are checked out in it or in worktrees of it, and where.
    pub checked_out: Vec<(String, PathBuf)>,
    /// What it does with a push to one of these.
    pub on_checked_out: OnCheckedOut,
    /// What would have to be written and may not be.
    pub unwritable: Option<PathBuf>,
    /// Hooks of its that may refuse a push.
    pub hooks: Vec<String>,
    /// Whether its history is cut off.
    pub is_shallow: bool,
}

/// What a repository does with a push to a branch that is checked out there: `receive.denyCurrentBranch`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnCheckedOut {
    /// As git does unless it is told otherwise.
    #[default]
    Refuses,
    /// The branch moves with the files, as long as these are unchanged.
    Updates,
    /// The branch moves, the files stay behind.
    Ignores,
}

/// A remote of a checkout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedRemote {
    /// Its name there.
    pub name: String,
    /// Its address.
    pub url: Option<String>,
    /// The address for pushes, where that is another.
    pub push_url: Option<String>,
    /// Whether the branch follows it that is checked out.
    pub is_tracked: bool,
}

/// The filter that files go through which are too large for git.
pub const LARGE_FILES: &str = "lfs";

/// What a folder on this machine is to git.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderFacts {
    /// No repository.
    NoRepository,
    /// A bare repository.
    Bare,
    /// A repository with a checkout.
    Checkout {
        /// The URL of its remote `origin`, where it has one.
        origin: Option<String>,
        /// The branch that is checked out; `None` where HEAD is detached.
        branch: Option<String>,
        /// Whether HEAD names a commit.
        has_commit: bool,
    },
}

/// What is in a worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreeFacts {
    /// The branch that is checked out (short name); `None` where HEAD is detached.
    pub branch: Option<String>,
    /// The commit that is checked out.
    pub head: Sha,
    /// Paths with changes that are not committed, untracked ones included, ignored ones not; at most
    /// [`DIRTY_LIMIT`] of them.
    pub dirty: Vec<String>,
}

/// How many changed or untracked paths are listed.
pub const DIRTY_LIMIT: usize = 20;

/// A commit built without a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// It merges.
    Clean {
        /// The new commit, whose only parent is `onto`.
        commit: Sha,
        /// Its tree.
        tree: Sha,
    },
    /// It merges to what is there already.
    Empty,
    /// It does not merge.
    Conflict {
        /// Files in conflict.
        files: Vec<String>,
    },
    /// What it refers to is not there in whole: a commit, a folder or a file is missing or damaged.
    Broken {
        /// Git's words.
        why: String,
    },
}

/// How a push by compare-and-swap ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// The remote's branch is now at the new commit.
    Done,
    /// The remote's branch was elsewhere than expected: nothing changed.
    Moved,
    /// The remote refused, for the reason given (protection, a hook).
    Refused(String),
}

/// Whether all that a commit merely refers to could be had: submodules, large files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Referred {
    /// All of it is there.
    There,
    /// The commit refers to what is not there, or not as anybody may fetch it: trying again does not help.
    Missing(String),
}

/// How the files of a gate worktree are compared with a tree, and cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What stays, though git does not track it.
    pub keep: Keep,
    /// Whether submodules are checked out, so that their files count too. Otherwise their folders are to be empty.
    pub submodules: bool,
    /// Whether git's own conversions (line ends, filters) count as no change. They run programs that git's configuration
    /// names, so not where agents can write that.
    pub conversions: bool,
}

/// What is in a worktree beside the files of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Untracked {
    /// What is kept; of a folder, its path only.
    pub kept: Vec<String>,
    /// Other files, at most [`DIRTY_LIMIT`] of them.
    pub others: Vec<String>,
}

/// The tracked files of a checkout, as they are on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedOut {
    /// The tree that they make.
    pub tree: Sha,
    /// Paths that are not as the tree says with which they were compared, each with what is there.
    pub changed: BTreeMap<String, String>,
}

impl CheckedOut {
    /// Paths of which there is something else than there was `before`.
    pub fn since(&self, before: &Self) -> Vec<String> {
        let paths: BTreeSet<&String> = self.changed.keys().chain(before.changed.keys()).collect();
        let differs = |path: &&&String| self.changed.get(**path) != before.changed.get(**path);
        paths.iter().filter(differs).map(|path| (*path).clone()).collect()
    }
}

/// How a worktree is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreePlan {
    /// Where.
    pub path: PathBuf,
    /// On which branch (short name); `None` for a detached one.
    pub branch: Option<String>,
    /// At which commit the branch starts.
    pub start: Sha,
    /// The worker's name and mail address, for its commits.
    pub identity: (String, String),
    /// The address of the remote, where the caller knows it; else git is asked.
    pub remote: Option<String>,
}

/// What one snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The snapshot's commit; its parent is the worktree's HEAD and, where there was one, the snapshot before it.
    pub commit: Sha,
    /// Paths that could not be taken in (a nested repository, a file that can't be read).
    pub skipped: Vec<String>,
}

/// One snapshot, as the repository has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SnapshotFacts {
    /// Its commit.
    pub commit: Sha,
    /// The worktree's HEAD when it was taken.
    pub head: Sha,
    /// The snapshot before it.
    pub before: Option<Sha>,
    /// When it was taken, in seconds since the epoch.
    pub taken_at: i64,
    /// Its message, trailers included.
    pub message: String,
}

/// How a path differs between two commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is new.
    Added,
    /// It is no longer there.
    Removed,
    /// It is not the same.
    Changed,
}

/// How a snapshot's message names a path that could not be taken in.
pub const SKIPPED_TRAILER: &str = "Skipped";

/// The message of a snapshot, with a trailer for each path that could not be taken in.
pub fn snapshot_message(message: &str, skipped: &[String]) -> String {
    let newline = if message.ends_with('\n') || skipped.is_empty() { "" } else { "\n" };
    let line = |path: &String| format!("{SKIPPED_TRAILER}: {}\n", path.replace(char::is_control, " "));
    format!("{message}{newline}{}", skipped.iter().map(line).collect::<String>())
}

/// How a rig's repository differs from what the town made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepoHealth {
    /// What keeps workers' git from working as it should, or changes what they see. [`Repo::mend`] mends it.
    pub damage: Vec<Damage>,
    /// What can't be mended, with what a person can do.
    pub lost: Vec<Damage>,
    /// Harmless additions of the project's tools: settings and hooks.
    pub additions: Vec<String>,
}

/// One thing in a repository that is not as the town made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// A key of the settings, a ref, or a file.
    pub what: String,
    /// What is wrong with it, in words.
    pub found: String,
}

/// Git repositories and their worktrees. `repo` is always a rig's bare repository.
///
/// Acts take the [`Held`] lock under which they run; their git children inherit it, so that a killed runner whose git
/// still writes still holds it.
pub trait Repo: History {
    /// The version of git, as it says it: `2.47.3`.
    fn version(&self) -> WorldResult<String>;
    /// What `folder` is to git.
    fn folder(&self, folder: &Path) -> WorldResult<FolderFacts>;
    /// Asks a remote (URL or path) for its branches.
    fn ask_remote(&self, url: &str) -> WorldResult<RemoteFacts>;
    /// The remotes that the checkout in `folder` names.
    fn remotes(&self, folder: &Path) -> WorldResult<Vec<NamedRemote>> {
        let FolderFacts::Checkout { origin: Some(url), .. } = self.folder(folder)? else { return Ok(Vec::new()) };
        Ok(vec![NamedRemote { name: "origin".to_owned(), url: Some(url), push_url: None, is_tracked: true }])
    }
    /// What the repository at an address would do with a push; `None` where it is not on this machine.
    fn receiving(&self, _url: &str) -> WorldResult<Option<Receiving>> {
        Ok(None)
    }
    /// Whether the rig's remote would let us push to `branch`, which is at `at` there, as far as it says without a push.
    /// Answers with why not.
    fn try_push(&self, _held: &Held, _repo: &Path, _branch: &str, _at: &Sha) -> WorldResult<Option<String>> {
        Ok(None)
    }
    /// The filters that the attributes of a commit's files name.
    fn filters(&self, _repo: &Path, _commit: &Sha) -> WorldResult<BTreeSet<String>> {
        Ok(BTreeSet::new())
    }
    /// Files of a worktree's commit that git would commit otherwise than it checks them out: their own attributes say so. All
    /// files of the worktree are read.
    fn against_attributes(&self, _repo: &Path, _path: &Path) -> WorldResult<Vec<String>> {
        Ok(Vec::new())
    }
    /// Which of these filters nothing here can serve, each with what is missing.
    fn unserved(&self, _filters: &BTreeSet<String>) -> WorldResult<Vec<Damage>> {
        Ok(Vec::new())
    }
    /// Makes the bare repository of a rig, with `url` as `origin`: refspec, per-worktree configuration, no gc. Its objects are
    /// named as the remote's are.
    fn create(&self, held: &Held, repo: &Path, url: &str, format: ObjectFormat) -> WorldResult<()>;
    /// A short text that changes when the files change that [`Self::inspect`] looks at, but refs. Costs no process.
    fn sign(&self, _repo: &Path) -> String {
        String::new()
    }
    /// How the repository of a rig whose remote is `url` differs from what [`Self::create`] made.
    fn inspect(&self, _repo: &Path, _url: &str) -> WorldResult<RepoHealth> {
        Ok(RepoHealth::default())
    }
    /// Makes good what [`Self::inspect`] finds damaged in settings and hooks, and with `all` also what agents or tools put
    /// beside the project's objects and refs (replacements, grafts). Keeps what it takes away. Answers with what it mended.
    fn mend(&self, _held: &Held, _repo: &Path, _url: &str, _all: bool) -> WorldResult<Vec<Damage>> {
        Ok(Vec::new())
    }
    /// Makes a bare copy of the repository in `folder` at `bare`, and names it `origin` in `folder`.
    fn make_bare_remote(&self, held: &Held, folder: &Path, bare: &Path) -> WorldResult<()>;
    /// Fetches all branches and tags of `origin`; answers with the branches (short names), as they now are. Tags are then
    /// exactly those of `origin`.
    fn fetch(&self, held: &Held, repo: &Path) -> WorldResult<BTreeMap<String, Sha>>;
    /// The tags (full names) that `origin` had at the last fetch; `None` where that is not known.
    fn upstream_tags(&self, _repo: &Path) -> WorldResult<Option<BTreeMap<String, Sha>>> {
        Ok(None)
    }
    /// All refs of the rig's repository, by full name.
    fn refs(&self, repo: &Path) -> WorldResult<BTreeMap<String, Sha>>;
    /// Sets a ref (full name) if it is now as `expected` says (`None`: not there). Setting it to what it already is,
    /// is no error.
    fn set_ref(&self, held: &Held, repo: &Path, name: &str, to: &Sha, expected: Option<&Sha>) -> WorldResult<()>;
    /// Deletes a ref (full name) if it is there.
    fn delete_ref(&self, held: &Held, repo: &Path, name: &str) -> WorldResult<()>;
    /// Whether `ancestor` is `descendant` or in its history. An error where one of them is no commit of the repository.
    fn contains(&self, repo: &Path, descendant: &Sha, ancestor: &Sha) -> WorldResult<bool>;
    /// The nearest commits that are in the history of both, or one of them itself; none where they have none in common.
    fn merge_bases(&self, repo: &Path, one: &Sha, other: &Sha) -> WorldResult<Vec<Sha>>;
    /// How many commits `head` has that `base` has not.
    fn commits_between(&self, repo: &Path, base: &Sha, head: &Sha) -> WorldResult<u64>;
    /// Whether a commit in the history of one of `tips`, and of none of `known`, is in the history of one of `heads`.
    /// What is no commit of the repository counts as nothing. It costs two processes, for thousands of heads too. May say
    /// so where it is not, when commits' dates contradict their order; never the other way round.
    fn share_news(&self, repo: &Path, tips: &[Sha], known: &[Sha], heads: &[Sha]) -> WorldResult<bool>;
    /// The tree of a commit.
    fn tree_of(&self, repo: &Path, commit: &Sha) -> WorldResult<Sha>;
    /// Builds the commit that puts what `head` changed since it left `onto` onto `onto`, as one commit with `message`.
    /// Author (name, mail, date) is that of `head`. Files are merged by the attributes of `onto`: a branch does not
    /// change those that it is merged by. Needs no checkout and moves no ref; the same input gives the same
    /// commit.
    fn squash(&self, held: &Held, repo: &Path, onto: &Sha, head: &Sha, message: &str) -> WorldResult<Candidate> {
        self.squash_as(held, repo, onto, head, &Landing { message: message.to_owned(), author: None })
    }
    /// The same, by another author where `landing` names one.
    fn squash_as(&self, held: &Held, repo: &Path, onto: &Sha, head: &Sha, landing: &Landing) -> WorldResult<Candidate>;
    /// Whether the overseer's git signs commits, by the configuration that holds for all of the overseer's repositories.
    fn signs_commits(&self) -> WorldResult<bool> {
        Ok(false)
    }
    /// The file of the key with which the overseer's git signs, where it is a file.
    fn signing_key(&self) -> WorldResult<Option<PathBuf>> {
        Ok(None)
    }
    /// The same commit upon `parent`, signed with the overseer's key, with `committer` as its committer. An error in git's
    /// words where it can't be signed; nothing is asked of a person.
    fn signed_commit(
        &self,
        _held: &Held,
        _repo: &Path,
        _commit: &Sha,
        _parent: &Sha,
        _committer: Option<&Person>,
    ) -> WorldResult<Sha> {
        Err(WorldError::Unexpected("this world signs nothing".to_owned()))
    }
    /// Who the overseer is, by the configuration that holds for all of the overseer's repositories; `None` where that does
    /// not say it.
    fn overseer(&self) -> WorldResult<Option<Person>> {
        Ok(None)
    }
    /// Merge drivers that a commit's top `.gitattributes` names and that are configured nowhere: git merges such files
    /// as text.
    fn unknown_merge_drivers(&self, repo: &Path, commit: &Sha) -> WorldResult<BTreeSet<String>>;
    /// Moves the remote's `branch` from `expected` to `new`, by compare-and-swap. `expected` `None` creates it.
    fn push(&self, held: &Held, repo: &Path, branch: &str, new: &Sha, expected: Option<&Sha>) -> WorldResult<Push>;

    /// What is in a worktree; `None` where there is none at `path`.
    fn worktree(&self, repo: &Path, path: &Path) -> WorldResult<Option<WorktreeFacts>>;
    /// Where the worktree's own git last put the branch that is checked out in it. `None` where that can't be told:
    /// no worktree is there, another branch or none is checked out, or the record is gone.
    fn own_position(&self, repo: &Path, path: &Path, branch: &str) -> WorldResult<Option<Sha>>;
    /// Makes a worktree, with settings of its own that keep its git to its own branch and away from the remote.
    /// One that is already there on the same branch is kept as it is; a half-made one is finished or made anew.
    fn add_worktree(&self, held: &Held, repo: &Path, plan: &WorktreePlan) -> WorldResult<()>;
    /// Gives a worktree that is there its settings and rules again where it has lost them (to a power cut, or to a tool
    /// that ran in it), whatever is checked out. None there: nothing.
    fn settle_worktree(&self, held: &Held, repo: &Path, plan: &WorktreePlan) -> WorldResult<()>;
    /// Puts a gate worktree (detached) at `commit`. What git does not track stays: [`Self::clear_checkout`] removes it. Makes
    /// the worktree where it is not there.
    fn reset_gate_worktree(&self, held: &Held, repo: &Path, path: &Path, commit: &Sha) -> WorldResult<()>;
    /// Compares the tracked files of a worktree with a tree, by their contents alone: neither git's index nor the times of
    /// files are believed, and the tree's files are those that give its id. An error where the repository's objects are
    /// not what their ids say.
    fn compare_checkout(&self, repo: &Path, path: &Path, tree: &Sha, rules: &Rules) -> WorldResult<CheckedOut>;
    /// Files of a worktree that are not in a tree, ignored ones and nested repositories too: those that the rules keep, and
    /// the others. What lies beside tracked files under a name that is kept, is not kept, nor is a link of that name.
    fn untracked(&self, repo: &Path, path: &Path, tree: &Sha, rules: &Rules) -> WorldResult<Untracked>;
    /// Removes such files from a gate worktree, but for what the rules keep.
    fn clear_checkout(
        &self,
        held: &Held,
        repo: &Path,
        path: &Path,
        tree: &Sha,
        rules: &Rules,
    ) -> WorldResult<Untracked>;
    /// Checks out the submodules of a worktree in which nobody works yet, recursively, and keeps a worker's git in them
    /// away from their remotes too. In a gate worktree, what gates left in them goes; unchanged ones ask no remote.
    fn check_out_submodules(&self, held: &Held, repo: &Path, path: &Path) -> WorldResult<Referred>;
    /// Puts the contents of large files (git-lfs) in the place of their pointers, in a worktree in which nobody works
    /// yet. An error that says what to install where there is no git-lfs.
    fn pull_large_files(&self, held: &Held, repo: &Path, path: &Path) -> WorldResult<Referred>;
    /// Fetches the large files that a commit refers to, so that workers can check it out without asking the remote.
    fn fetch_large_files(&self, held: &Held, repo: &Path, commit: &Sha) -> WorldResult<Referred>;
    /// Gives the remote the large files that `commit` refers to and that it has not got: before a branch is pushed
    /// there, since a push runs no hooks.
    fn push_large_files(&self, held: &Held, repo: &Path, commit: &Sha) -> WorldResult<Referred>;
    /// Takes the whole state of a worktree (commits, index, uncommitted and untracked files) into the ref `name`,
    /// without touching the worktree or its index. `message` goes into the snapshot's commit, made whole by
    /// [`snapshot_message`].
    fn snapshot(&self, held: &Held, repo: &Path, path: &Path, name: &str, message: &str) -> WorldResult<Snapshot>;
    /// What a snapshot's commit says of itself. An error where it is no commit of the repository, or no snapshot.
    fn snapshot_facts(&self, repo: &Path, snapshot: &Sha) -> WorldResult<SnapshotFacts>;
    /// Makes the files of a worktree those of a snapshot; its HEAD and its index stay, so that what the snapshot has
    /// beyond HEAD is not committed there either. Files that are neither in HEAD nor in the snapshot stay.
    fn restore_snapshot(&self, held: &Held, repo: &Path, path: &Path, snapshot: &Sha) -> WorldResult<()>;
    /// The paths that differ between two commits, sorted.
    fn changed_paths(&self, repo: &Path, from: &Sha, to: &Sha) -> WorldResult<BTreeMap<String, Change>>;
    /// What `to` changed since it left `from`, as text for people: patches, or with `stat` a line for each file.
    fn diff_text(&self, repo: &Path, from: &Sha, to: &Sha, stat: bool) -> WorldResult<String>;
    /// Writes the files of a commit into the new folder `to`, which must not be there.
    fn export_tree(&self, held: &Held, repo: &Path, commit: &Sha, to: &Path) -> WorldResult<()>;
    /// Renames a worktree to `to` and makes git forget it. Done already (`path` gone): nothing.
    fn archive_worktree(&self, held: &Held, repo: &Path, path: &Path, to: &Path) -> WorldResult<()>;
    /// Makes a repository and worktrees of it that were copied or moved together know each other at their new places.
    /// Ones that are not of this repository are left alone.
    fn repair_worktrees(&self, held: &Held, repo: &Path, paths: &[PathBuf]) -> WorldResult<()>;
    /// Removes a gate worktree, which holds nothing that can't be made again.
    fn remove_gate_worktree(&self, held: &Held, repo: &Path, path: &Path) -> WorldResult<()>;
}
