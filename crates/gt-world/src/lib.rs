//! The only way to everything outside the ledger: repositories, sessions, disk and clock. Each is a trait whose methods are
//! effects and questions of our own.
//!
//! There are two worlds: [`real::RealWorld`], the only module that spawns git and agents, and an in-memory one in `gt-testkit`
//! for simulation. The engine can't tell which one it uses.
//!
//! Every effect is idempotent: a second call finds the work done and changes nothing. Every question returns facts. Where it
//! can't get the facts, it returns an error and never a guess.

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
    /// Processes of agents, and commands that must not leave any process running.
    fn sessions(&self) -> &dyn Sessions;
    /// Files of the town itself.
    fn disk(&self) -> &dyn Disk;
    /// Time.
    fn clock(&self) -> &dyn Clock;
}

/// Error of an effect or a question outside the ledger.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// A file operation failed.
    #[error("can't {act} {}", path.display())]
    Io {
        /// The operation, as a verb: "read", "rename".
        act: &'static str,
        /// The path that the operation worked on.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// A program that the town needs could not be started.
    #[error("can't start {program}")]
    Spawn {
        /// The program's name.
        program: String,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// Git refused or failed.
    #[error("git {verb} failed in {}: {text}", repo.display())]
    Git {
        /// The git subcommand.
        verb: String,
        /// The repository or worktree where git ran.
        repo: PathBuf,
        /// The last lines of git's output.
        text: String,
    },
    /// The remote did not answer.
    #[error("the remote {url} can't be reached: {text}")]
    Unreachable {
        /// The remote's address.
        url: String,
        /// Git's message.
        text: String,
    },
    /// An agent or a tool has put a symbolic link on the way to a file of the town. The town did not follow the link.
    #[error("can't {act} {}: {} is a link, and gt follows no link in a town", path.display(), at.display())]
    Led {
        /// The operation, as a verb.
        act: &'static str,
        /// The path that the operation worked on.
        path: PathBuf,
        /// The path of the link.
        at: PathBuf,
    },
    /// The world is in a state that should be impossible. Nothing was changed.
    #[error("{0}")]
    Unexpected(String),
}

/// Result of an effect or a question.
pub type WorldResult<T> = Result<T, WorldError>;

/// Proof that the caller holds a lock, from [`Disk::try_lock`] or [`Disk::lock`]. Code that changes what the lock guards requires
/// it. Dropping it releases the lock. If a git child that inherited the lock still runs, the lock stays held until that child
/// ends too.
#[derive(Debug)]
pub struct Held {
    /// The lock's file; `None` in the in-memory world.
    pub file: Option<std::fs::File>,
    /// The lock's path, for messages.
    pub path: PathBuf,
    /// Runs when the lock is released; the in-memory world releases its lock here.
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

/// Clocks and time zones.
pub trait Clock: Send + Sync {
    /// Returns the wall time, for display and stamps only.
    fn now(&self) -> Timestamp;
    /// Returns the time zone of the town's people. Their days begin by it.
    fn zone(&self) -> TimeZone;
    /// Returns the time zone of a name such as `Europe/Berlin`; `None` where this machine does not know it.
    fn zone_of(&self, name: &str) -> Option<TimeZone>;
    /// Returns the monotonic time since some fixed point, suspended time excluded. Deadlines use this clock.
    fn monotonic(&self) -> Duration;
    /// Sleeps for `how_long`; in a simulation, advances the clock.
    fn pause(&self, how_long: Duration);
}

/// Wake-up on which the deacon waits and which other processes trigger.
pub trait WakeUp {
    /// Waits for a wake-up for at most `at_most`. Returns whether there was one.
    fn wait(&mut self, at_most: Duration) -> WorldResult<bool>;
}
