//! The real world: git, processes, files and clocks of this machine.
//!
//! Only this module starts git and agents, writes files and reads clocks.

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
    /// Makes the world for the `gt` program at `gt`, which also runs as the shim.
    pub fn new(gt: PathBuf) -> Self {
        Self::with_git(gt, Git::default())
    }

    /// Makes the world with another git, such as one that sees no user's configuration.
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

/// Returns random bytes from the system, for secrets.
pub fn entropy() -> [u8; 16] {
    let mut bytes = [0; 16];
    // A machine without randomness can't make secrets. To go on with a predictable one would be worse than to stop.
    getrandom::fill(&mut bytes).expect("the system gives randomness");
    bytes
}
