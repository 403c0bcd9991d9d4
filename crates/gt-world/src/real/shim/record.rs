//! The files in a session's folder. They are a frozen protocol between a `gt`, the shims of older versions, and itself.
//!
//! | file | written by | meaning |
//! |---|---|---|
//! | `plan.json` | the starter | what to run; without the environment, which holds a secret and is only inherited |
//! | `start.lock` | the starter | one start at a time |
//! | `lock` | the shim | held (flock) while the session's one shim lives |
//! | `started.json` | the shim | the agent's process; written before the agent's first instruction |
//! | `grace` | the process that ends the session | milliseconds between the polite and the forced end |
//! | `exit.json` | the shim | how the agent ended; no process of the session runs any more |
//! | `output.log`, `shim.log` | the shim | output of the agent and of the shim |
//! | `env.*`, `ack.*` | the starter, in a terminal | FIFOs: the environment in, the shim's answer out; removed after use |
//! | `input` | the shim, if the plan asks for it | FIFO: the agent's standard input, to which others add lines |
//! | `life` | the agent's own `gt` calls | its time is the last sign of life |
//! | `moments/`, `logs/`, `tmp/` | the agent and its `gt` calls | marks, output of commands, its client's temporary files |
//!
//! In a sandbox, an agent can write the last two rows. Of the others it sees only its client's settings.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(crate) use crate::COULD_NOT_START;
pub(crate) use crate::LIFE;
use crate::real::disk::{PRIVATE_FILE, RealDisk};
use crate::real::door::{self, Spot};
use crate::real::tmux::Terminal;
use crate::{Disk as _, Exit, ProcessId, Runtime, SessionPlan};

/// Version of the files in a session's folder.
pub(crate) const PROTOCOL: u32 = 1;

/// Limit on the size of a record, in bytes. A plan holds the agent's arguments, which are far smaller.
const RECORD_BYTES: usize = 8 * 1024 * 1024;

pub(crate) const PLAN: &str = "plan.json";
pub(crate) const START_LOCK: &str = "start.lock";
pub(crate) const LOCK: &str = "lock";
pub(crate) const STARTED: &str = "started.json";
pub(crate) const GRACE: &str = "grace";
pub(crate) const EXIT: &str = "exit.json";
pub(crate) const OUTPUT_LOG: &str = "output.log";
pub(crate) const SHIM_LOG: &str = "shim.log";
pub(crate) const INPUT: &str = "input";

/// The exit code with which shells report a program that they can't start.
pub(crate) const COULD_NOT_START_CODE: i32 = 127;

/// `plan.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub protocol: u32,
    pub argv: Vec<String>,
    pub cwd: PathBuf,
    pub town: PathBuf,
    /// The terminal that the session is started in, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<Terminal>,
    /// The first text of its input, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
}

impl Plan {
    /// Returns the part of a session's plan that may be on disk.
    pub(crate) fn of(plan: &SessionPlan, terminal: Option<Terminal>) -> Self {
        let (argv, cwd, town) = (plan.argv.clone(), plan.cwd.clone(), plan.town.clone());
        let input = plan.input.clone().filter(|_| terminal.is_none());
        Self { protocol: PROTOCOL, argv, cwd, town, terminal, input }
    }
}

/// `started.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Started {
    pub protocol: u32,
    pub shim: ProcessId,
    pub agent: ProcessId,
    /// The [`super::mark`] of the agent's incarnation. It tells processes that outlive the shim and the agent from strangers'
    /// processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// How the agent gets its input and where its output goes.
    #[serde(default)]
    pub runtime: Runtime,
}

/// Why a record can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("can't read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} is damaged: {source}", path.display())]
    Damaged { path: PathBuf, source: serde_json::Error },
    #[error("{} has protocol version {protocol}, which this gt does not know", path.display())]
    Foreign { path: PathBuf, protocol: u32 },
}

/// Reads a record of the folder; `None` if there is none.
fn read<T: DeserializeOwned>(path: PathBuf) -> Result<Option<T>, RecordError> {
    if !RealDisk.exists(&path) {
        return Ok(None);
    }
    match RealDisk.read_part(&path, 0, RECORD_BYTES) {
        // Anything but a plain file, or a file that is far too large, counts as an unreadable record, like one that is cut off.
        Ok(bytes) => {
            let parsed = serde_json::from_slice(&bytes.unwrap_or_default());
            parsed.map(Some).map_err(|source| RecordError::Damaged { path, source })
        }
        Err(error) => Err(RecordError::Unreadable { path, source: io::Error::other(error) }),
    }
}

fn only_ours<T>(record: Option<T>, path: PathBuf, protocol: impl Fn(&T) -> u32) -> Result<Option<T>, RecordError> {
    match record.as_ref().map(protocol) {
        Some(protocol) if protocol != PROTOCOL => Err(RecordError::Foreign { path, protocol }),
        _ => Ok(record),
    }
}

pub(crate) fn plan(dir: &Path) -> Result<Option<Plan>, RecordError> {
    only_ours(read(dir.join(PLAN))?, dir.join(PLAN), |plan: &Plan| plan.protocol)
}

pub(crate) fn started(dir: &Path) -> Result<Option<Started>, RecordError> {
    only_ours(read(dir.join(STARTED))?, dir.join(STARTED), |started: &Started| started.protocol)
}

pub(crate) fn exit(dir: &Path) -> Result<Option<Exit>, RecordError> {
    read(dir.join(EXIT))
}

/// Whether a session was ever started in the folder, even if its records can't be read.
pub(crate) fn is_recorded(dir: &Path) -> bool {
    dir.join(EXIT).exists() || dir.join(STARTED).exists()
}

/// Writes a record atomically: if any process dies meanwhile, the whole record is there or nothing. Makes no folder. A power cut
/// may leave a damaged record; then no process of the session runs either, and that decides.
pub(crate) fn write<T: Serialize>(dir: &Path, name: &str, record: &T) -> io::Result<()> {
    put(dir, name, &serde_json::to_vec(record)?)
}

/// Puts a file into the folder and replaces whatever is there.
pub(crate) fn put(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let spot = spot(dir, name)?;
    let aside = spot.beside(format!("{name}.{}.new", std::process::id()))?;
    // A killed process with the same pid may have left one; otherwise there is none.
    let _ = aside.unlink();
    aside.create_new(PRIVATE_FILE)?.write_all(bytes)?;
    aside.replace(&spot)
}

/// Returns a place in the folder. Without a sandbox the agent can write the folder, so nothing that it has put there is followed.
fn spot(dir: &Path, name: impl AsRef<std::ffi::OsStr>) -> io::Result<Spot> {
    Ok(Spot::right_in(door::folder(dir)?, name.as_ref()))
}

/// Opens a log of the folder for appending. Moves anything out of the way that is not an ordinary file or that has another name
/// elsewhere (a hard link).
pub(crate) fn append(dir: &Path, name: impl AsRef<std::ffi::OsStr>) -> io::Result<File> {
    let spot = spot(dir, name)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NONBLOCK;
    match spot.open(flags, PRIVATE_FILE) {
        Ok(file) if file.metadata().is_ok_and(|facts| facts.is_file() && facts.nlink() == 1) => return Ok(file),
        // A folder, a pipe without a reader, or a link.
        Err(error) if !is_in_the_way(&error) => return Err(error),
        _ => {}
    }
    spot.remove_whole()?;
    spot.create_new(PRIVATE_FILE)
}

fn is_in_the_way(error: &io::Error) -> bool {
    [Errno::ISDIR, Errno::NXIO, Errno::LOOP].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Opens the FIFO `name` of the folder, without waiting for its other end.
pub(crate) fn open_pipe(dir: &Path, name: &str, flags: OFlags) -> io::Result<File> {
    let file = spot(dir, name)?.open(flags | OFlags::NONBLOCK, 0)?;
    if file.metadata()?.file_type().is_fifo() {
        Ok(file)
    } else {
        Err(io::Error::other(format!("{name} is not a FIFO")))
    }
}

/// Takes the lock at `dir/name` if it is free. The lock is held until the file is closed.
pub(crate) fn try_lock(dir: &Path, name: &str) -> io::Result<Option<File>> {
    let file = open_lock(dir, name)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Takes the lock at `dir/name`, waiting for it.
pub(crate) fn lock(dir: &Path, name: &str) -> io::Result<File> {
    let file = open_lock(dir, name)?;
    rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
    Ok(file)
}

fn open_lock(dir: &Path, name: &str) -> io::Result<File> {
    // The open neither waits for the other end of a FIFO nor follows a link that an agent has put there.
    spot(dir, name)?.open(OFlags::WRONLY | OFlags::CREATE | OFlags::NONBLOCK, 0o666)
}
