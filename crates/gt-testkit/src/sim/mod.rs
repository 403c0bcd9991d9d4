//! The in-memory [`World`]: repositories, sessions, disk and clock as plain maps behind one mutex.
//!
//! It touches nothing outside, and nothing in it happens by itself. So the same calls in the same order give the same journal and
//! the same ids. Tests inject the agents, the commands, and what happens while a verb waits. Injected code always runs without
//! the mutex, so that it can call the world.
//!
//! There is one disk: the files of a worktree are the files below its path.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gt_world::{Clock, Disk, FolderFacts, LedgerRepo, Repo, Sessions, World, WorldError, WorldResult};
use jiff::SignedDuration;

mod clock;
mod disk;
mod history;
mod ledger;
mod merge;
mod objects;
mod repo;
mod sessions;
mod stage;
mod worker;
mod worktree;

pub use clock::START;
pub use objects::{Author, CommitFacts};
pub use sessions::{AgentFactory, CommandRunner, SimAgent, Turn};
pub use worker::{Identity, RebaseEnd};

/// Text files by their path in a worktree.
pub type Files = BTreeMap<String, String>;

/// Callback that runs while a verb waits.
type Meanwhile = Box<dyn FnMut(&SimWorld) + Send>;

/// The in-memory world. Its clones share one state.
#[derive(Clone, Default)]
pub struct SimWorld {
    shared: Arc<Mutex<State>>,
}

/// The whole state.
#[derive(Default)]
struct State {
    objects: objects::Objects,
    repos: BTreeMap<PathBuf, repo::Repository>,
    worktrees: BTreeMap<PathBuf, worktree::Worktree>,
    folders: BTreeMap<PathBuf, FolderFacts>,
    unreachable: BTreeSet<PathBuf>,
    refusals: BTreeMap<PathBuf, String>,
    archives: BTreeSet<PathBuf>,
    disk: disk::Nodes,
    locks: BTreeSet<PathBuf>,
    wakes: BTreeMap<PathBuf, u64>,
    free_space: Option<u64>,
    network: Option<&'static str>,
    sessions: sessions::Table,
    factory: Option<Arc<dyn AgentFactory>>,
    runner: Option<Arc<CommandRunner>>,
    meanwhile: Option<Meanwhile>,
    monotonic: Duration,
    /// How far the wall clock was set forwards or backwards.
    turned: SignedDuration,
    failures: BTreeMap<String, VecDeque<String>>,
    journal: Vec<String>,
}

/// The methods that [`SimWorld::fail_next`] can make fail: those that change something or ask a remote.
const FALLIBLE: &[&str] = &[
    "ask_remote",
    "create",
    "make_bare_remote",
    "make",
    "commit_files",
    "fetch_ledger",
    "push_ledger",
    "fetch",
    "set_ref",
    "delete_ref",
    "squash",
    "push",
    "add_worktree",
    "reset_gate_worktree",
    "clear_checkout",
    "snapshot",
    "restore_snapshot",
    "export_tree",
    "archive_worktree",
    "remove_gate_worktree",
    "start",
    "end",
    "say",
    "run",
    "write",
    "create_dir",
    "rename",
    "remove",
    "link",
    "touch",
    "try_lock",
    "lock",
];

impl State {
    /// Adds a line to the journal.
    fn note(&mut self, line: String) {
        self.journal.push(line);
    }

    /// Fails if [`SimWorld::fail_next`] asked for it.
    fn check_failure(&mut self, op: &str) -> WorldResult<()> {
        match self.failures.get_mut(op).and_then(VecDeque::pop_front) {
            Some(text) => Err(WorldError::Unexpected(text)),
            None => Ok(()),
        }
    }
}

impl SimWorld {
    /// Makes an empty world, at [`START`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next call of the trait method `op` fail with [`WorldError::Unexpected`], before it does anything. Each call of
    /// this method makes one more call fail.
    ///
    /// # Panics
    ///
    /// If `op` is not a method that can be made to fail: a test with such a typing error would test nothing.
    pub fn fail_next(&self, op: &str, error_text: &str) {
        assert!(FALLIBLE.contains(&op), "`{op}` is no act of the world that can be made to fail");
        self.locked().failures.entry(op.to_owned()).or_default().push_back(error_text.to_owned());
    }

    /// Returns one line for each call that changed something, in order.
    pub fn journal(&self) -> Vec<String> {
        self.locked().journal.clone()
    }

    /// Drops everything that was injected, and all agents. They usually hold this world themselves, so without this call a world
    /// is never freed.
    pub fn shut_down(&self) {
        let mut state = self.locked();
        let agents = state.sessions.take_agents();
        let injected = (state.factory.take(), state.runner.take(), state.meanwhile.take());
        // Dropping these values may call the world.
        drop(state);
        drop((agents, injected));
    }

    /// Locks the state for one operation. The lock is never held while injected code runs.
    fn locked(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the state for the operation `op`.
    fn acting(&self, op: &str) -> WorldResult<MutexGuard<'_, State>> {
        let mut state = self.locked();
        state.check_failure(op)?;
        Ok(state)
    }
}

impl World for SimWorld {
    fn repo(&self) -> &dyn Repo {
        self
    }

    fn ledger_repo(&self) -> &dyn LedgerRepo {
        self
    }

    fn sessions(&self) -> &dyn Sessions {
        self
    }

    fn disk(&self) -> &dyn Disk {
        self
    }

    fn clock(&self) -> &dyn Clock {
        self
    }
}

impl std::fmt::Debug for SimWorld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SimWorld")
    }
}

/// Returns the last part of a path, for the journal.
fn short_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use gt_world::{Runtime, SessionPlan};

    use super::*;

    /// An agent that holds its own world, as scripted ones do.
    struct Holder(#[expect(dead_code, reason = "it only holds")] SimWorld);

    impl SimAgent for Holder {
        fn turn(&mut self) -> Turn {
            Turn::Wait
        }
    }

    struct Holders(SimWorld);

    impl AgentFactory for Holders {
        fn start(&self, _plan: &SessionPlan) -> Result<Box<dyn SimAgent>, String> {
            Ok(Box::new(Holder(self.0.clone())))
        }
    }

    #[test]
    fn a_world_that_is_shut_down_is_freed() {
        let world = SimWorld::new();
        world.set_agents(Holders(world.clone()));
        let top = PathBuf::from("/");
        let (argv, env) = (Vec::new(), BTreeMap::new());
        world
            .start(&SessionPlan {
                dir: "/s".into(),
                town: top.clone(),
                cwd: top,
                argv,
                env,
                runtime: Runtime::Headless,
                input: None,
            })
            .unwrap();
        assert_eq!(world.live_sessions(), [PathBuf::from("/s")]);
        assert_eq!(Arc::strong_count(&world.shared), 3);
        world.shut_down();
        assert_eq!(Arc::strong_count(&world.shared), 1);
    }

    #[test]
    #[should_panic(expected = "no act of the world")]
    fn only_acts_can_be_made_to_fail() {
        SimWorld::new().fail_next("wirte", "misspelt");
    }
}
