//! The real world: git, processes, files and clocks of this machine.
//!
//! Only here are git and agents spawned, files written and clocks read.

use std::path::PathBuf;

use super::{Clock, Disk, Repo, Sessions, World};

mod clock;
mod disk;
mod git;
mod process;
mod session;
pub mod shim;

pub use clock::RealClock;
pub use disk::RealDisk;
pub use git::Git;
pub use session::RealSessions;

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
        Self { git: Git::default(), sessions: RealSessions::new(gt), disk: RealDisk, clock: RealClock }
    }
}

impl World for RealWorld {
    fn repo(&self) -> &dyn Repo {
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
