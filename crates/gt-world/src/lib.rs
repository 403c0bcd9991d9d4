//! The one door to everything outside the ledger: repositories, sessions, disk and clock, at the level of our own
//! effects and questions.
//!
//! There are two worlds: [`real::RealWorld`], the only module that spawns git and agents, and an in-memory one in
//! `gt-testkit` for simulation. The engine can't tell which one it acts on.
//!
//! Every act is idempotent: done twice, the second time finds it done and changes nothing. Every question answers
//! with facts, and with an error (never with a guess) where the facts can't be had.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

mod descent;
mod disk;
pub mod faults;
pub mod history;
pub mod ledger_repo;
mod names;
pub mod real;
mod repo;
mod sessions;

pub use descent::{Above, Descent, Standing};
pub use disk::{Disk, NodeKind};
pub use history::History;
pub use ledger_repo::LedgerRepo;
pub use names::{LIFE, LOG_VARIABLE, TOKEN_VARIABLE};
pub use repo::{
    Candidate, Change, CheckedOut, DIRTY_LIMIT, Damage, FolderFacts, LARGE_FILES, NamedRemote, ObjectFormat,
    OnCheckedOut, Push, Receiving, Referred, RemoteFacts, Repo, RepoHealth, Rules, SKIPPED_TRAILER, Snapshot,
    SnapshotFacts, Untracked, WorktreeFacts, WorktreePlan, snapshot_message,
};
pub use sessions::{
    Bwrap, ContainedCommand, ENDED_BY_REQUEST, Exit, LOG_CHUNK_BYTES, LOG_LIMIT_BYTES, ProcessId, RunEnd, RunResult,
    Runtime, SANDBOX_MARK, SAY_LIMIT_BYTES, Said, SessionPlan, SessionState, Sessions, Vitals, user_message,
};
pub(crate) use sessions::{COULD_NOT_START, TAIL_LINES};

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
