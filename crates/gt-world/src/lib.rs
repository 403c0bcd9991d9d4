//! The one door to everything outside the ledger: repositories, sessions, disk and clock, at the level of our own
//! effects and questions.
//!
//! There are two worlds: [`real::RealWorld`], the only module that spawns git and agents, and an in-memory one in
//! `gt-testkit` for simulation. The engine can't tell which one it acts on.
//!
//! Every act is idempotent: done twice, the second time finds it done and changes nothing. Every question answers
//! with facts, and with an error (never with a guess) where the facts can't be had.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_model::id::Sha;
use gt_model::keep::Keep;
use gt_model::landing::{Landing, Person};
use gt_model::question::Key;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

mod descent;
pub mod faults;
pub mod history;
pub mod ledger_repo;
mod names;
pub mod real;

pub use descent::{Above, Descent, Standing};
pub use history::History;
pub use ledger_repo::LedgerRepo;
pub use names::{LIFE, TOKEN_VARIABLE};

/// Everything outside the ledger.
pub trait World: Send + Sync {
    /// Git repositories and their worktrees.
    fn repo(&self) -> &dyn Repo;
    /// The town's own repository.
    fn ledger_repo(&self) -> &dyn LedgerRepo;
    /// Agents' processes, and commands that must not leave anything running.
    fn sessions(&self) -> &dyn Sessions;
    /// Files of the town itself.
    fn disk(&self) -> &dyn Disk;
    /// Time.
    fn clock(&self) -> &dyn Clock;
}

/// What went wrong outside.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// A file operation failed.
    #[error("can't {act} {}", path.display())]
    Io {
        /// What was tried, as a verb: "read", "rename".
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A program that we need could not be started.
    #[error("can't start {program}")]
    Spawn {
        /// Its name.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Git refused or failed.
    #[error("git {verb} failed in {}: {text}", repo.display())]
    Git {
        /// The subcommand.
        verb: String,
        /// In which repository or worktree.
        repo: PathBuf,
        /// The last lines that git said.
        text: String,
    },
    /// The remote could not be asked.
    #[error("the remote {url} can't be reached: {text}")]
    Unreachable {
        /// Which remote.
        url: String,
        /// What git said.
        text: String,
    },
    /// A link on the way to a file of the town's, which an agent or a tool has put there. It was not followed.
    #[error("can't {act} {}: {} is a link, and no link is followed in a town", path.display(), at.display())]
    Led {
        /// What was tried, as a verb.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// The link.
        at: PathBuf,
    },
    /// Something was found in a state that it can't be in; nothing was changed.
    #[error("{0}")]
    Unexpected(String),
}

/// Result of an act or a question.
pub type WorldResult<T> = Result<T, WorldError>;

/// The right to change what a lock guards, from [`Disk::try_lock`] or [`Disk::lock`]. Given up when dropped, unless a
/// git child that inherited it still runs: then the lock stays held until that child ends too.
#[derive(Debug)]
pub struct Held {
    /// The lock's file; absent in the in-memory world.
    pub file: Option<std::fs::File>,
    /// The lock's path, for messages.
    pub path: PathBuf,
    /// What else is to happen when it is given up (the in-memory world frees its lock so).
    pub on_drop: Option<HeldGuard>,
}

/// Runs its closure when dropped.
pub struct HeldGuard(pub Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for HeldGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeldGuard")
    }
}

impl Drop for HeldGuard {
    fn drop(&mut self) {
        (self.0)();
    }
}

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

/// One process, for good: a pid is used again, the three together never.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The kernel's boot id.
    pub boot_id: String,
    /// The pid.
    pub pid: i32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
}

/// What an agent's input and output are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// No terminal: no input, output into the log.
    #[default]
    Headless,
    /// A terminal of the town's own tmux, which people can attach to.
    Tmux,
}

impl Runtime {
    /// The word in settings and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Headless => "headless",
            Self::Tmux => "tmux",
        }
    }
}

/// How a session is to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPlan {
    /// The session's folder (made by the start): its record, its log, its signs of life.
    pub dir: PathBuf,
    /// The town; when its `town.toml` is gone, the session ends itself.
    pub town: PathBuf,
    /// The agent's working folder.
    pub cwd: PathBuf,
    /// The agent's command.
    pub argv: Vec<String>,
    /// The agent's whole environment, identity included. In a terminal, TERM is that terminal's.
    pub env: BTreeMap<String, String>,
    /// What its input and output are.
    pub runtime: Runtime,
    /// Without a terminal: what its standard input begins with. That stays open, and [`Sessions::say`] adds to it.
    /// `None`: it has no input.
    pub input: Option<String>,
}

/// One message of the user's in the stream of JSON lines that clients without a terminal read.
pub fn user_message(text: &str) -> String {
    let content = serde_json::json!([{ "type": "text", "text": text }]);
    let message = serde_json::json!({ "type": "user", "message": { "role": "user", "content": content } });
    format!("{message}\n")
}

/// Bytes that a line to an agent may have: with what goes around it, still written in one piece.
pub const SAY_LIMIT_BYTES: usize = 1000;

/// What became of a line to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is in the terminal, entered, or in the input.
    Sent,
    /// Not now: somebody reads back in the terminal, or the input is full.
    Busy,
    /// There is no way: it has neither a terminal nor an input, or does not run.
    NoWay,
}

/// Why a session ended that somebody asked to end.
pub const ENDED_BY_REQUEST: &str = "ended by request";

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Its exit code, where it exited.
    pub code: Option<i32>,
    /// The signal that ended it, where one did.
    pub signal: Option<i32>,
    /// Why, in words: "exited", [`ENDED_BY_REQUEST`], "could not start: …", "shim gone".
    pub reason: String,
}

impl Exit {
    /// Whether the program never ran.
    pub fn could_not_start(&self) -> bool {
        self.reason.starts_with(COULD_NOT_START)
    }
}

/// Why an agent or command that could not be started has ended, before the colon.
pub(crate) const COULD_NOT_START: &str = "could not start";

/// What is known of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Nothing was ever started in this folder.
    NotStarted,
    /// The agent runs.
    Running {
        /// The shim, which is the agent's parent.
        shim: ProcessId,
        /// The agent itself.
        agent: ProcessId,
    },
    /// The agent and all it started are gone.
    Ended(Exit),
    /// The facts are missing or contradict each other.
    Unknown(String),
}

/// Signs of life, none of which an agent can be asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Clock ticks of CPU time that the session's tree has used.
    pub cpu_ticks: u64,
    /// Size of its log, in bytes.
    pub log_bytes: u64,
    /// When the agent last called `gt`, in seconds since the epoch (the time of a file).
    pub last_call: Option<i64>,
}

/// A file that is there in sandboxes only.
pub const SANDBOX_MARK: &str = "/run/gt-sandbox";

/// A bubblewrap that makes sandboxes here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bwrap {
    /// The program.
    pub program: PathBuf,
    /// Whether it can give a sandbox processes of its own. In many containers nobody may.
    pub own_processes: bool,
}

impl Bwrap {
    /// In words, for people.
    pub fn words(&self) -> String {
        let lacks = if self.own_processes {
            ""
        } else {
            "; an agent in it sees all your processes, since none of its own can be had"
        };
        format!("{}, and it works here{lacks}", self.program.display())
    }
}

/// A command that is run to its end, leaving nothing behind: gates, set-up, acceptance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainedCommand {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Where.
    pub cwd: PathBuf,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// How long it may take.
    pub timeout: Duration,
    /// Where its output goes (both streams), up to [`LOG_LIMIT_BYTES`].
    pub log: PathBuf,
}

/// Size that a log of one session or command may have. What comes after is counted, not kept.
pub const LOG_LIMIT_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes of a log that are read at once.
pub const LOG_CHUNK_BYTES: usize = 256 * 1024;

/// How a contained command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Exit code 0.
    Passed,
    /// Another exit code, or a signal.
    Failed(Exit),
    /// It took longer than it may; its tree was ended.
    TimedOut,
}

/// Result of a contained command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunResult {
    /// How it ended.
    pub end: RunEnd,
    /// How long it took.
    pub took: Duration,
    /// The last lines of its output, at most [`TAIL_LINES`].
    pub tail: Vec<String>,
}

/// Lines of output that a [`RunResult`] quotes.
pub(crate) const TAIL_LINES: usize = 20;

/// Agents' processes.
pub trait Sessions: Send + Sync {
    /// Starts an agent under a shim of its own. Returns when the shim has recorded the agent's process (or that it
    /// could not be started). A session that was started in this folder before is not started again.
    fn start(&self, plan: &SessionPlan) -> WorldResult<()>;
    /// Asks a person something on the terminal of the calling process; answers with the line that is typed, or with why
    /// nobody can be asked there: it has none, or one that is an agent's.
    fn ask_person(&self, _question: &str) -> Result<String, String> {
        Err("there is no terminal".to_owned())
    }
    /// What is known of the session in `dir`.
    fn state(&self, dir: &Path) -> WorldResult<SessionState>;
    /// Ends the session's tree: politely, then by force after `grace`. Returns when it is gone, or with an error.
    /// Signals only a process that the session recorded and that is still that very process. Not running: nothing.
    fn end(&self, dir: &Path, grace: Duration) -> WorldResult<()>;
    /// Signs of life of the sessions in `dirs`, in their order. All are from one look at the machine's processes.
    fn vitals(&self, dirs: &[PathBuf]) -> Vec<WorldResult<Vitals>>;
    /// Size of the log of the session in `dir`, in bytes; 0 where there is none.
    fn log_size(&self, dir: &Path) -> u64;
    /// Runs a command to its end, in a process group of its own under a shim that ends its whole tree when it is over,
    /// takes too long, or the caller is gone.
    fn run(&self, command: &ContainedCommand) -> WorldResult<RunResult>;
    /// Whether this process, and so what it starts, is the system's administrator.
    fn runs_as_root(&self) -> bool {
        false
    }
    /// Bytes of memory that could be had now without anybody's being put out; `None` where nobody can say.
    fn free_memory(&self) -> Option<u64> {
        None
    }
    /// Boots and deacons of a town that was at `town` before, or that was moved from elsewhere to there: they run under
    /// its path without one of its `locks`, or hold one under another path. Only looked at, never ended.
    fn former_daemons(&self, _town: &Path, _locks: &[PathBuf]) -> Vec<i32> {
        Vec::new()
    }
    /// What stands above the calling process, of any town.
    fn descent(&self) -> Descent {
        Descent::default()
    }
    /// Whether any of these processes is among the ancestors of the calling one.
    fn is_descendant_of_any(&self, processes: &[ProcessId]) -> bool;
    /// Whether the calling process is in a sandbox of ours, from where it sees none of its parents outside.
    fn is_in_sandbox(&self) -> bool;
    /// The version of the tmux in this PATH, if it can be used for [`Runtime::Tmux`]; otherwise why not.
    fn tmux(&self, path: &str) -> Result<String, String>;
    /// The bubblewrap in this PATH, if it is there and can make a sandbox; otherwise why not.
    fn bwrap(&self, path: &str) -> Result<Bwrap, String>;
    /// What the session in `dir` was started with; `None` where it was not.
    fn runtime(&self, dir: &Path) -> WorldResult<Option<Runtime>>;
    /// The session's log from byte `from` on, at most [`LOG_CHUNK_BYTES`] of it.
    fn log(&self, dir: &Path, from: u64) -> WorldResult<Vec<u8>>;
    /// What the terminal of a session shows, after at most `scrolled` lines that have scrolled out of it; `None` where
    /// it has none (any more).
    fn screen(&self, dir: &Path, scrolled: u32) -> WorldResult<Option<String>>;
    /// Shows the terminal of a session in the caller's own, until the caller detaches or the session ends; `env` is the
    /// caller's. False where it has none (any more).
    fn attach(&self, dir: &Path, env: &BTreeMap<String, String>) -> WorldResult<bool>;
    /// Says one line to the agent in `dir`: typed into its terminal, whatever was being typed there taken away first, or
    /// as a message into its input. The line is ours and fixed, never the words of others: one with control characters,
    /// or longer than [`SAY_LIMIT_BYTES`], is an error. Whether the agent is at its prompt, the caller knows.
    fn say(&self, dir: &Path, line: &str) -> WorldResult<Said>;
    /// Presses a key in the terminal of the session in `dir`. Whether that is wanted there, the caller knows.
    fn press(&self, _dir: &Path, _key: Key) -> WorldResult<Said> {
        Ok(Said::NoWay)
    }
    /// Ends what provides the terminals of a town's sessions (never a user's own tmux), and waits until it is gone. To
    /// be called when no session is left.
    fn close_terminals(&self, town: &Path) -> WorldResult<()>;
}

/// What is at a path, links not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A file, or something else that is neither.
    File,
}

/// Files of the town.
///
/// In a guarded folder no link is followed, neither on the way nor at the end, but by [`Self::read_own`],
/// [`Self::list_own`] and [`Self::real_path`]: where one is in the way, an act is refused ([`WorldError::Led`]), and what
/// replaces a file replaces the link. What is neither file nor folder is never waited for there. Everywhere else links are
/// a person's own.
pub trait Disk: Send + Sync {
    /// Guards the folder of a town: from now on, this process follows no link within it.
    fn guard(&self, root: &Path);
    /// Reads a file that a person may have linked to a place of their own: settings, directives, formulas, what a caller
    /// names. Never for the town's own use of what lies in folders that agents can write.
    fn read_own(&self, path: &Path) -> WorldResult<Option<Vec<u8>>>;
    /// Names in a folder that a person may have linked likewise, sorted; empty where there is none.
    fn list_own(&self, path: &Path) -> WorldResult<Vec<String>>;
    /// Reads a file whole; `None` where there is none.
    fn read(&self, path: &Path) -> WorldResult<Option<Vec<u8>>>;
    /// Reads at most so many bytes of a file from an offset on. `None` where there is no ordinary file: what leads
    /// elsewhere, or would keep its reader waiting, is not read.
    fn read_part(&self, path: &Path, from: u64, at_most: usize) -> WorldResult<Option<Vec<u8>>>;
    /// Replaces a file atomically (write aside, sync, rename); makes its folder.
    fn write(&self, path: &Path, bytes: &[u8]) -> WorldResult<()>;
    /// Makes a file that is its owner's only, where nothing is yet; makes its folder.
    fn write_private(&self, path: &Path, bytes: &[u8]) -> WorldResult<()>;
    /// Makes a folder and those above it.
    fn create_dir(&self, path: &Path) -> WorldResult<()>;
    /// Renames; the target must not be there.
    fn rename(&self, from: &Path, to: &Path) -> WorldResult<()>;
    /// Removes a file or a whole folder; gone already: nothing.
    fn remove(&self, path: &Path) -> WorldResult<()>;
    /// The path without symbolic links, of something that is there.
    fn real_path(&self, path: &Path) -> WorldResult<PathBuf>;
    /// Whether two paths lead to the very same file or folder. What is not there is the same as nothing.
    fn is_same(&self, one: &Path, other: &Path) -> WorldResult<bool>;
    /// Whether anything is at `path`.
    fn exists(&self, path: &Path) -> bool;
    /// Names in a folder, sorted; empty where there is none.
    fn list(&self, path: &Path) -> WorldResult<Vec<String>>;
    /// Makes a folder, and those above it; it, new or not, is for its owner only, whatever the umask.
    fn create_private_dir(&self, path: &Path) -> WorldResult<()>;
    /// Copies a file or a whole folder to where nothing is, links as links; it is there whole or not at all. Makes the
    /// folders above. Shares the disk's blocks where the file system can. What is neither file nor folder is left out.
    fn copy(&self, from: &Path, to: &Path) -> WorldResult<()>;
    /// As [`Self::copy`], but files keep their times, and none gets one after `latest` (seconds since the epoch). A build tool
    /// takes for fresh what is younger than the sources: products that were copied from another tree must not be.
    fn copy_older(&self, from: &Path, to: &Path, latest: i64) -> WorldResult<()>;
    /// When the file below a folder was written that was written first, in seconds since the epoch; `None` where there is no
    /// file. Links are not followed, and what is called `.git` is left out.
    fn oldest_below(&self, folder: &Path) -> WorldResult<Option<i64>>;
    /// Makes a symbolic link at `at` to `target`; there already: nothing.
    fn link(&self, at: &Path, target: &Path) -> WorldResult<()>;
    /// Marks a file with the time of now (a sign of life), making it, but not its folder: what is gone is not made again.
    fn touch(&self, path: &Path) -> WorldResult<()>;
    /// Replaces a small file that is a sign of life: atomically, but not synced, since it means nothing after a power cut.
    /// Makes the file's folder, but not those above it: what is gone is not made again.
    fn mark(&self, path: &Path, bytes: &[u8]) -> WorldResult<()>;
    /// As [`Self::mark`], but where a file of that very length is there, it is written in place: a reader may then find a
    /// beginning of the new and an end of the old. Costs the disk nothing, where a file that replaces another is waited for.
    fn stamp(&self, path: &Path, bytes: &[u8]) -> WorldResult<()> {
        self.mark(path, bytes)
    }
    /// When a file was last touched or written, in seconds since the epoch; `None` where it is not there.
    fn touched(&self, path: &Path) -> WorldResult<Option<i64>>;
    /// What is at `path`, links not followed; `None` where there is nothing.
    fn kind(&self, path: &Path) -> WorldResult<Option<NodeKind>>;
    /// The size of a file, or of all files below a folder, in bytes; links are not followed, what can't be looked at
    /// counts as nothing.
    fn size(&self, path: &Path) -> WorldResult<u64>;
    /// Bytes that we may still write on the disk on which `path` is.
    fn free_space(&self, path: &Path) -> WorldResult<u64>;
    /// The kind of file system on which `path` is, where that is one of another machine as far as can be told.
    fn network(&self, path: &Path) -> WorldResult<Option<&'static str>>;
    /// Takes the lock at `path` if nobody has it. Its folder must be there.
    fn try_lock(&self, path: &Path) -> WorldResult<Option<Held>>;
    /// Takes the lock at `path`, waiting for it in turn at most `deadline`; `None` when that has passed.
    fn lock(&self, path: &Path, deadline: Duration) -> WorldResult<Option<Held>>;
    /// Wakes whoever waits at the wake-up `path` (the deacon); nobody does: nothing.
    fn wake(&self, path: &Path);
    /// Whether a process waits at the wake-up `path`.
    fn is_awaited(&self, path: &Path) -> bool;
}

/// Time.
pub trait Clock: Send + Sync {
    /// Wall time, for display and stamps only.
    fn now(&self) -> Timestamp;
    /// The time zone in which people live here: days begin by it.
    fn zone(&self) -> TimeZone;
    /// The time zone of a name such as `Europe/Berlin`; `None` where it is not known here.
    fn zone_of(&self, name: &str) -> Option<TimeZone>;
    /// Monotonic time since some fixed point, not counting suspend. What deadlines are reckoned in.
    fn monotonic(&self) -> Duration;
    /// Lets time pass.
    fn pause(&self, how_long: Duration);
}

/// Where the deacon is woken from outside.
pub trait WakeUp {
    /// Waits for a wake-up, at most so long; answers whether there was one.
    fn wait(&mut self, at_most: Duration) -> WorldResult<bool>;
}
