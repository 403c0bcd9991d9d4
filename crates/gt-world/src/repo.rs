//! Repositories: the effects that the town has on them through git, and the questions that it asks.

use gt_model::id::Sha;
use gt_model::keep::Keep;
use gt_model::landing::{Landing, Person};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::{Held, History, WorldError, WorldResult};

/// The hash function for a repository's object ids. Two repositories with different hashes can't exchange objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ObjectFormat {
    /// The format of nearly all repositories.
    #[default]
    Sha1,
    /// `git init --object-format=sha256`.
    Sha256,
}

impl ObjectFormat {
    /// Returns the format of a full object id; `None` where the text is not an object id.
    pub fn of(id: &str) -> Option<Self> {
        let hexadecimal = id.bytes().all(|byte| byte.is_ascii_hexdigit());
        match id.len() {
            40 if hexadecimal => Some(Self::Sha1),
            64 if hexadecimal => Some(Self::Sha256),
            _ => None,
        }
    }

    /// Returns git's word for the format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }
}

/// Branches of a remote, as it lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFacts {
    /// The branch that the remote's HEAD points to, if any.
    pub head_branch: Option<String>,
    /// The remote's branches (short names).
    pub branches: BTreeMap<String, Sha>,
}

/// How a repository on this machine would treat a push.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receiving {
    /// The repository's folder.
    pub folder: PathBuf,
    /// The branches that are checked out in the repository or in its worktrees, each with the checkout's path.
    pub checked_out: Vec<(String, PathBuf)>,
    /// The repository's rule for a push to one of these branches.
    pub on_checked_out: OnCheckedOut,
    /// A path that a push must write and this user may not.
    pub unwritable: Option<PathBuf>,
    /// Hooks of the repository that may refuse a push.
    pub hooks: Vec<String>,
    /// Whether the repository is a shallow clone.
    pub is_shallow: bool,
}

/// A repository's rule for a push to a branch that is checked out there: `receive.denyCurrentBranch`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnCheckedOut {
    /// Refuses the push; git's default.
    #[default]
    Refuses,
    /// Moves the branch and updates the files, as long as these are unchanged.
    Updates,
    /// Moves the branch and leaves the files as they are.
    Ignores,
}

/// A remote of a checkout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedRemote {
    /// The remote's name in the checkout.
    pub name: String,
    /// The remote's address.
    pub url: Option<String>,
    /// The address for pushes, if it is another one.
    pub push_url: Option<String>,
    /// Whether the branch that is checked out follows this remote.
    pub is_tracked: bool,
}

/// The filter of files that are too large for git.
pub const LARGE_FILES: &str = "lfs";

/// How git sees a folder on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderFacts {
    /// No repository.
    NoRepository,
    /// A bare repository.
    Bare,
    /// A repository with a checkout.
    Checkout {
        /// The URL of the remote `origin`, if there is one.
        origin: Option<String>,
        /// The branch that is checked out; `None` where HEAD is detached.
        branch: Option<String>,
        /// Whether HEAD names a commit.
        has_commit: bool,
    },
}

/// State of a worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreeFacts {
    /// The branch that is checked out (short name); `None` where HEAD is detached.
    pub branch: Option<String>,
    /// The commit that is checked out.
    pub head: Sha,
    /// Paths with uncommitted changes, untracked files included and ignored ones excluded; at most [`DIRTY_LIMIT`] of them.
    pub dirty: Vec<String>,
}

/// Limit on the number of changed or untracked paths in a list.
pub const DIRTY_LIMIT: usize = 20;

/// Result of building a commit without a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// The merge succeeded.
    Clean {
        /// The new commit, whose only parent is `onto`.
        commit: Sha,
        /// Its tree.
        tree: Sha,
    },
    /// The merge would change nothing.
    Empty,
    /// The merge has conflicts.
    Conflict {
        /// Files in conflict.
        files: Vec<String>,
    },
    /// An object that the merge needs is missing or damaged: a commit, a folder or a file.
    Broken {
        /// Git's message.
        why: String,
    },
}

/// Result of a push by compare-and-swap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// The remote's branch is now at the new commit.
    Done,
    /// The remote's branch was not where the caller expected it. Nothing changed.
    Moved,
    /// The remote refused, for the reason given (protection, a hook).
    Refused(String),
}

/// Whether git could get everything that a commit only refers to: submodules, large files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Referred {
    /// Everything is there.
    There,
    /// The commit refers to content that does not exist on the remote, or that the remote lets no client fetch. A retry does not
    /// help.
    Missing(String),
}

/// Rules for comparing the files of a gate worktree with a tree, and for clearing the worktree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Untracked files that stay.
    pub keep: Keep,
    /// Whether submodules are checked out. If so, their files count too; if not, their folders must be empty.
    pub submodules: bool,
    /// Whether a difference that git's own conversions (line ends, filters) explain counts as no change. Conversions run programs
    /// that git's configuration names, so this must be off where agents can write that configuration.
    pub conversions: bool,
}

/// Files of a worktree that are not in a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Untracked {
    /// Files and folders that the rules keep. A folder is listed by its own path only.
    pub kept: Vec<String>,
    /// All other files, at most [`DIRTY_LIMIT`] of them.
    pub others: Vec<String>,
}

/// The tracked files of a checkout, as they are on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedOut {
    /// The tree that these files make.
    pub tree: Sha,
    /// Paths that differ from the tree with which they were compared, each with what is there.
    pub changed: BTreeMap<String, String>,
}

impl CheckedOut {
    /// Returns the paths that hold something else now than they did in `before`.
    pub fn since(&self, before: &Self) -> Vec<String> {
        let paths: BTreeSet<&String> = self.changed.keys().chain(before.changed.keys()).collect();
        let differs = |path: &&&String| self.changed.get(**path) != before.changed.get(**path);
        paths.iter().filter(differs).map(|path| (*path).clone()).collect()
    }
}

/// How to make a worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorktreePlan {
    /// The worktree's folder.
    pub path: PathBuf,
    /// The branch to check out (short name); `None` for a detached worktree.
    pub branch: Option<String>,
    /// The branch's first base commit.
    pub start: Sha,
    /// The worker's name and mail address, for its commits.
    pub identity: (String, String),
    /// The address of the remote, if the caller knows it; otherwise git is asked for it.
    pub remote: Option<String>,
}

/// A snapshot that was taken, and what it could not take in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The snapshot's commit. Its parents are the worktree's HEAD and, if there was one, the snapshot before it.
    pub commit: Sha,
    /// Paths that the snapshot could not take in (a nested repository, a file that can't be read).
    pub skipped: Vec<String>,
}

/// Record of a snapshot in the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SnapshotFacts {
    /// The snapshot's commit.
    pub commit: Sha,
    /// The worktree's HEAD when the snapshot was taken.
    pub head: Sha,
    /// The snapshot before it.
    pub before: Option<Sha>,
    /// When the snapshot was taken, in seconds since the epoch.
    pub taken_at: i64,
    /// The commit message, trailers included.
    pub message: String,
}

/// How a path differs between two commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Only the second commit has the path.
    Added,
    /// Only the first commit has the path.
    Removed,
    /// Both commits have the path, with different contents.
    Changed,
}

/// The trailer in a snapshot's message that names a path that could not be taken in.
pub const SKIPPED_TRAILER: &str = "Skipped";

/// Returns the message of a snapshot, with a trailer for each path that could not be taken in.
pub fn snapshot_message(message: &str, skipped: &[String]) -> String {
    let newline = if message.ends_with('\n') || skipped.is_empty() { "" } else { "\n" };
    let line = |path: &String| format!("{SKIPPED_TRAILER}: {}\n", path.replace(char::is_control, " "));
    format!("{message}{newline}{}", skipped.iter().map(line).collect::<String>())
}

/// Differences between a rig's repository and what the town made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepoHealth {
    /// Damage that keeps workers' git from working as it should, or changes what it shows. [`Repo::mend`] repairs it.
    pub damage: Vec<Damage>,
    /// Damage that the town can't repair, each with what a person can do.
    pub lost: Vec<Damage>,
    /// Harmless additions by the project's tools: settings and hooks.
    pub additions: Vec<String>,
}

/// One thing in a repository that is not as the town made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The key of a setting, a ref, or a file.
    pub what: String,
    /// Description of the damage.
    pub found: String,
}

/// Git repositories and their worktrees. `repo` is always a rig's bare repository.
///
/// Methods that change something take the [`Held`] lock under which they run. Their git children inherit the lock: if the runner
/// is killed while its git still writes, the lock stays held.
pub trait Repo: History {
    /// Returns git's version, as git prints it: `2.47.3`.
    fn version(&self) -> WorldResult<String>;
    /// Returns how git sees `folder`.
    fn folder(&self, folder: &Path) -> WorldResult<FolderFacts>;
    /// Asks a remote (URL or path) for its branches.
    fn ask_remote(&self, url: &str) -> WorldResult<RemoteFacts>;
    /// Returns the remotes that the checkout in `folder` names.
    fn remotes(&self, folder: &Path) -> WorldResult<Vec<NamedRemote>> {
        let FolderFacts::Checkout { origin: Some(url), .. } = self.folder(folder)? else { return Ok(Vec::new()) };
        Ok(vec![NamedRemote { name: "origin".to_owned(), url: Some(url), push_url: None, is_tracked: true }])
    }
    /// Returns how the repository at an address would treat a push; `None` where it is not on this machine.
    fn receiving(&self, _url: &str) -> WorldResult<Option<Receiving>> {
        Ok(None)
    }
    /// Whether the rig's remote would accept a push to `branch`, whose commit there is `at`, as far as the remote tells without a
    /// push. Returns the reason if it would not.
    fn try_push(&self, _held: &Held, _repo: &Path, _branch: &str, _at: &Sha) -> WorldResult<Option<String>> {
        Ok(None)
    }
    /// Returns the filters that the attributes of a commit's files name.
    fn filters(&self, _repo: &Path, _commit: &Sha) -> WorldResult<BTreeSet<String>> {
        Ok(BTreeSet::new())
    }
    /// Returns the files of a worktree that git would commit with other contents than it checks out, because their own attributes
    /// say so. Reads all files of the worktree.
    fn against_attributes(&self, _repo: &Path, _path: &Path) -> WorldResult<Vec<String>> {
        Ok(Vec::new())
    }
    /// Returns those of the filters that no program on this machine can serve, each with what is missing.
    fn unserved(&self, _filters: &BTreeSet<String>) -> WorldResult<Vec<Damage>> {
        Ok(Vec::new())
    }
    /// Makes the bare repository of a rig, with `url` as `origin`: refspec, per-worktree configuration, no gc. `format` must be
    /// the remote's object format.
    fn create(&self, held: &Held, repo: &Path, url: &str, format: ObjectFormat) -> WorldResult<()>;
    /// Returns a short text that changes when the files that [`Self::inspect`] reads change, refs excluded. Starts no process.
    fn sign(&self, _repo: &Path) -> String {
        String::new()
    }
    /// Compares the repository of a rig whose remote is `url` with what [`Self::create`] made.
    fn inspect(&self, _repo: &Path, _url: &str) -> WorldResult<RepoHealth> {
        Ok(RepoHealth::default())
    }
    /// Repairs the settings and hooks that [`Self::inspect`] finds damaged. With `all`, also removes what agents or tools put
    /// beside the project's objects and refs (replacements, grafts). Keeps a copy of everything it removes. Returns what it
    /// repaired.
    fn mend(&self, _held: &Held, _repo: &Path, _url: &str, _all: bool) -> WorldResult<Vec<Damage>> {
        Ok(Vec::new())
    }
    /// Makes a bare copy of the repository in `folder` at `bare`, and names it `origin` in `folder`.
    fn make_bare_remote(&self, held: &Held, folder: &Path, bare: &Path) -> WorldResult<()>;
    /// Fetches all branches and tags of `origin`. Returns the branches (short names) as they are now. Tags are then exactly those
    /// of `origin`.
    fn fetch(&self, held: &Held, repo: &Path) -> WorldResult<BTreeMap<String, Sha>>;
    /// Returns the tags (full names) that `origin` had at the last fetch; `None` where that is not known.
    fn upstream_tags(&self, _repo: &Path) -> WorldResult<Option<BTreeMap<String, Sha>>> {
        Ok(None)
    }
    /// Returns all refs of the rig's repository, by full name.
    fn refs(&self, repo: &Path) -> WorldResult<BTreeMap<String, Sha>>;
    /// Sets a ref (full name) if its value is `expected` (`None`: the ref does not exist). Setting it to the value that it
    /// already has is not an error.
    fn set_ref(&self, held: &Held, repo: &Path, name: &str, to: &Sha, expected: Option<&Sha>) -> WorldResult<()>;
    /// Deletes a ref (full name) if it exists.
    fn delete_ref(&self, held: &Held, repo: &Path, name: &str) -> WorldResult<()>;
    /// Whether `ancestor` is `descendant` or in its history. An error where one of them is not a commit of the repository.
    fn contains(&self, repo: &Path, descendant: &Sha, ancestor: &Sha) -> WorldResult<bool>;
    /// Returns the nearest common ancestors of two commits, one of which may be the ancestor itself; empty where they have none.
    fn merge_bases(&self, repo: &Path, one: &Sha, other: &Sha) -> WorldResult<Vec<Sha>>;
    /// Returns how many commits `head` has that `base` lacks.
    fn commits_between(&self, repo: &Path, base: &Sha, head: &Sha) -> WorldResult<u64>;
    /// Whether a commit in the history of one of `tips`, and of none of `known`, is also in the history of one of `heads`.
    /// Ignores ids that are not commits of the repository. Takes two processes, even for thousands of heads. If commit dates
    /// contradict the commit order, it may answer true where false is right, never the reverse.
    fn share_news(&self, repo: &Path, tips: &[Sha], known: &[Sha], heads: &[Sha]) -> WorldResult<bool>;
    /// Returns the tree of a commit.
    fn tree_of(&self, repo: &Path, commit: &Sha) -> WorldResult<Sha>;
    /// Builds one commit with `message` that applies to `onto` what `head` changed since it left `onto`. The author (name, mail,
    /// date) is that of `head`. Git merges the files by the attributes of `onto`, so a branch can't change the rules by which it
    /// is merged. Needs no checkout and moves no ref. The same input gives the same commit.
    fn squash(&self, held: &Held, repo: &Path, onto: &Sha, head: &Sha, message: &str) -> WorldResult<Candidate> {
        self.squash_as(held, repo, onto, head, &Landing { message: message.to_owned(), author: None })
    }
    /// Builds the commit as [`Self::squash`] does, with another author if `landing` names one.
    fn squash_as(&self, held: &Held, repo: &Path, onto: &Sha, head: &Sha, landing: &Landing) -> WorldResult<Candidate>;
    /// Whether the overseer's git signs commits, by the configuration that applies to all of the overseer's repositories.
    fn signs_commits(&self) -> WorldResult<bool> {
        Ok(false)
    }
    /// Returns the file of the key with which the overseer's git signs; `None` where the key is not in a file.
    fn signing_key(&self) -> WorldResult<Option<PathBuf>> {
        Ok(None)
    }
    /// Builds the same commit on `parent`, signed with the overseer's key and with `committer` as its committer. If git can't
    /// sign it, the error has git's message. Asks no person for anything.
    fn signed_commit(
        &self,
        _held: &Held,
        _repo: &Path,
        _commit: &Sha,
        _parent: &Sha,
        _committer: Option<&Person>,
    ) -> WorldResult<Sha> {
        Err(WorldError::Unexpected("this world can't sign".to_owned()))
    }
    /// Returns the overseer's name and mail address, by the configuration that applies to all of the overseer's repositories;
    /// `None` where it has none.
    fn overseer(&self) -> WorldResult<Option<Person>> {
        Ok(None)
    }
    /// Returns the merge drivers that a commit's top `.gitattributes` names and that no configuration defines. Git merges such
    /// files as text.
    fn unknown_merge_drivers(&self, repo: &Path, commit: &Sha) -> WorldResult<BTreeSet<String>>;
    /// Moves the remote's `branch` from `expected` to `new`, by compare-and-swap. `None` as `expected` creates the branch.
    fn push(&self, held: &Held, repo: &Path, branch: &str, new: &Sha, expected: Option<&Sha>) -> WorldResult<Push>;

    /// Returns what is in a worktree; `None` where there is none at `path`.
    fn worktree(&self, repo: &Path, path: &Path) -> WorldResult<Option<WorktreeFacts>>;
    /// Returns the commit to which the worktree's own git last moved the branch that is checked out in it. `None` where that
    /// can't be told: no worktree is there, another branch or none is checked out, or the record is gone.
    fn own_position(&self, repo: &Path, path: &Path, branch: &str) -> WorldResult<Option<Sha>>;
    /// Makes a worktree whose own settings keep its git to its own branch and away from the remote. Keeps a worktree that is
    /// already there on the same branch. Finishes a half-made one, or removes and makes it again.
    fn add_worktree(&self, held: &Held, repo: &Path, plan: &WorktreePlan) -> WorldResult<()>;
    /// Restores the settings and rules of an existing worktree that has lost them (to a power cut, or to a tool that ran in it),
    /// whatever is checked out. Does nothing where there is no worktree.
    fn settle_worktree(&self, held: &Held, repo: &Path, plan: &WorktreePlan) -> WorldResult<()>;
    /// Puts a gate worktree (detached) at `commit`, and makes the worktree if there is none. Untracked files stay:
    /// [`Self::clear_checkout`] removes them.
    fn reset_gate_worktree(&self, held: &Held, repo: &Path, path: &Path, commit: &Sha) -> WorldResult<()>;
    /// Compares the tracked files of a worktree with a tree, by their contents alone. It trusts neither git's index nor file
    /// times, and verifies that the listed files hash to the tree's id. An error where an object of the repository does not match
    /// its id.
    fn compare_checkout(&self, repo: &Path, path: &Path, tree: &Sha, rules: &Rules) -> WorldResult<CheckedOut>;
    /// Returns the files of a worktree that are not in a tree, ignored ones and nested repositories included: those that the
    /// rules keep, and the others. An untracked path beside tracked files is not kept, even under a name that the rules keep;
    /// neither is a link with such a name.
    fn untracked(&self, repo: &Path, path: &Path, tree: &Sha, rules: &Rules) -> WorldResult<Untracked>;
    /// Removes such files from a gate worktree, except those that the rules keep.
    fn clear_checkout(
        &self,
        held: &Held,
        repo: &Path,
        path: &Path,
        tree: &Sha,
        rules: &Rules,
    ) -> WorldResult<Untracked>;
    /// Checks out the submodules of a worktree recursively, before any worker uses it. Also keeps a worker's git in them away
    /// from their remotes. In a gate worktree, removes what gates left in the submodules. An unchanged submodule asks no remote.
    fn check_out_submodules(&self, held: &Held, repo: &Path, path: &Path) -> WorldResult<Referred>;
    /// Replaces the pointers of large files (git-lfs) with their contents, in a worktree that no worker uses yet. Where git-lfs
    /// is missing, the error says what to install.
    fn pull_large_files(&self, held: &Held, repo: &Path, path: &Path) -> WorldResult<Referred>;
    /// Fetches the large files that a commit refers to, so that workers can check the commit out without asking the remote.
    fn fetch_large_files(&self, held: &Held, repo: &Path, commit: &Sha) -> WorldResult<Referred>;
    /// Uploads the large files that `commit` refers to and that the remote lacks. Call it before pushing a branch there, since a
    /// push of ours runs no hooks.
    fn push_large_files(&self, held: &Held, repo: &Path, commit: &Sha) -> WorldResult<Referred>;
    /// Saves the whole state of a worktree (commits, index, uncommitted and untracked files) to the ref `name`, without touching
    /// the worktree or its index. `message` becomes the commit message, completed by [`snapshot_message`].
    fn snapshot(&self, held: &Held, repo: &Path, path: &Path, name: &str, message: &str) -> WorldResult<Snapshot>;
    /// Returns what the repository records about a snapshot. An error where the id is not a commit of the repository, or not a
    /// snapshot.
    fn snapshot_facts(&self, repo: &Path, snapshot: &Sha) -> WorldResult<SnapshotFacts>;
    /// Makes the files of a worktree those of a snapshot. HEAD and the index stay as they are, so what the snapshot has beyond
    /// HEAD is uncommitted. Files that are neither in HEAD nor in the snapshot stay.
    fn restore_snapshot(&self, held: &Held, repo: &Path, path: &Path, snapshot: &Sha) -> WorldResult<()>;
    /// Returns the paths that differ between two commits, sorted.
    fn changed_paths(&self, repo: &Path, from: &Sha, to: &Sha) -> WorldResult<BTreeMap<String, Change>>;
    /// Returns what `to` changed since it left `from`, as text for people: patches, or with `stat` one line per file.
    fn diff_text(&self, repo: &Path, from: &Sha, to: &Sha, stat: bool) -> WorldResult<String>;
    /// Writes the files of a commit into the new folder `to`, which must not exist.
    fn export_tree(&self, held: &Held, repo: &Path, commit: &Sha, to: &Path) -> WorldResult<()>;
    /// Renames a worktree to `to` and makes git forget it. Does nothing if `path` is already gone.
    fn archive_worktree(&self, held: &Held, repo: &Path, path: &Path, to: &Path) -> WorldResult<()>;
    /// Repairs the links between a repository and its worktrees after both were copied or moved. Leaves worktrees of other
    /// repositories alone.
    fn repair_worktrees(&self, held: &Held, repo: &Path, paths: &[PathBuf]) -> WorldResult<()>;
    /// Removes a gate worktree. It holds nothing that can't be made again.
    fn remove_gate_worktree(&self, held: &Held, repo: &Path, path: &Path) -> WorldResult<()>;
}
