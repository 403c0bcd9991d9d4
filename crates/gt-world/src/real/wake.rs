//! The FIFO on which the deacon waits. A byte in it means "look again", and nothing else.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use crate::{WakeUp, WorldError, WorldResult};

/// The waiting end of a FIFO.
#[derive(Debug)]
pub struct Fifo {
    file: File,
}

impl Fifo {
    /// Makes the FIFO at `path` if needed, and opens it. Opens it for writing too, so that there is always a writer and never an
    /// end of file.
    pub fn open(path: &Path) -> WorldResult<Self> {
        let failed = |act, e: rustix::io::Errno| WorldError::Io { act, path: path.to_owned(), source: e.into() };
        match mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(failed("make", error)),
        }
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| failed("open", e))?;
        Ok(Self { file: File::from(fd) })
    }
}

impl WakeUp for Fifo {
    fn wait(&mut self, at_most: Duration) -> WorldResult<bool> {
        let timeout = Timespec {
            tv_sec: i64::try_from(at_most.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: at_most.subsec_nanos().into(),
        };
        // An interrupted wait counts as a wake-up.
        let woken = poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&timeout)) != Ok(0);
        let mut bytes = [0; 4096];
        while matches!(self.file.read(&mut bytes), Ok(n) if n > 0) {}
        Ok(woken)
    }
}
