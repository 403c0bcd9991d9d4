//! The real world: git, processes, files and clocks of this machine.
//!
//! Only here are git and agents spawned, files written and clocks read.

use std::path::PathBuf;

use super::{Clock, Disk, LedgerRepo, Repo, Sessions, World};

mod bwrap;
mod clock;
pub mod daemon;
mod descent;
mod disk;
mod door;
mod git;
mod network;
mod person;
mod process;
mod session;
pub mod shim;
mod tmux;
mod wake;

pub use clock::RealClock;
pub use disk::RealDisk;
pub use git::Git;
pub use session::RealSessions;
pub use wake::Fifo;

/// This machine.
#[derive(Debug)]
pub struct RealWorld {
    git: Git,
    sessions: RealSessions,
    disk: RealDisk,
    clock: RealClock,
}

impl RealWorld {
    /// The world as a `gt` at `gt` sees it: that binary is what runs as the shim.
    pub fn new(gt: PathBuf) -> Self {
        Self::with_git(gt, Git::default())
    }

    /// The same with another git, such as one that sees nobody's configuration.
    pub fn with_git(gt: PathBuf, git: Git) -> Self {
        Self { git: git.by(gt.clone()), sessions: RealSessions::new(gt), disk: RealDisk, clock: RealClock }
    }
}

impl World for RealWorld {
    fn repo(&self) -> &dyn Repo {
        &self.git
    }

    fn ledger_repo(&self) -> &dyn LedgerRepo {
        &self.git
    }

    fn sessions(&self) -> &dyn Sessions {
        &self.sessions
    }

    fn disk(&self) -> &dyn Disk {
        &self.disk
    }

    fn clock(&self) -> &dyn Clock {
        &self.clock
    }
}

/// Randomness of the system, for secrets.
pub fn entropy() -> [u8; 16] {
    let mut bytes = [0; 16];
    // A machine without randomness can't make secrets; going on with a known one would be worse than stopping.
    getrandom::fill(&mut bytes).expect("the system gives randomness");
    bytes
}
