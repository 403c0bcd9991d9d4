//! The processes of boot and the deacon, detached from the terminal and from the processes that start them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{WorldError, WorldResult};

/// A daemon of the town (boot or deacon), with its command line and its logging.
#[derive(Clone, Copy, Debug)]
pub struct Daemon<'a> {
    /// The `gt` to run.
    pub gt: &'a Path,
    /// The town.
    pub town: &'a Path,
    /// `boot` or `deacon`.
    pub role: &'a str,
    /// Its log level, in the form of `GT_LOG`; `None`: as the caller's environment says.
    pub log_level: Option<&'a str>,
}

impl Daemon<'_> {
    /// Starts the daemon through an intermediate process that ends at once (`--detach`), so that the daemon is not the caller's
    /// child.
    pub fn start_apart(&self) -> WorldResult<()> {
        let mut child = self.command().arg("--detach").spawn().map_err(|source| self.failed(source))?;
        let status = child.wait().map_err(|source| self.failed(source))?;
        if status.success() {
            return Ok(());
        }
        Err(WorldError::Unexpected(format!("the {} could not be started ({status}): see gt log --deacon", self.role)))
    }

    /// Starts the daemon and leaves it running. The intermediate process calls this.
    pub fn leave_running(&self) -> WorldResult<()> {
        self.command().spawn().map(|_| ()).map_err(|source| self.failed(source))
    }

    /// Starts the daemon as a child that the caller watches.
    pub fn start_watched(&self, flags: &[&str]) -> WorldResult<Watched> {
        let child = self.command().args(flags).spawn().map_err(|source| self.failed(source))?;
        Ok(Watched::new(child))
    }

    fn failed(&self, source: std::io::Error) -> WorldError {
        WorldError::Spawn { program: self.gt.display().to_string(), source }
    }

    #[expect(clippy::disallowed_methods, reason = "this module is the one that spawns boot and the deacon")]
    fn command(&self) -> Command {
        let mut command = Command::new(self.gt);
        command.args([OsStr::new(self.role), OsStr::new("run"), OsStr::new("--town"), self.town.as_os_str()]);
        command
            .current_dir(self.town)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        command.envs(self.log_level.map(|level| (crate::LOG_VARIABLE, level)));
        // A daemon belongs to no agent, even if an agent's process starts it.
        command.env_remove(crate::TOKEN_VARIABLE).env_remove("GT_TOWN");
        command
    }
}

/// A child process. A thread waits for its end, so callers need not poll.
#[derive(Debug)]
pub struct Watched {
    pid: u32,
    end: Receiver<Option<ExitStatus>>,
}

impl Watched {
    fn new(mut child: Child) -> Self {
        let (send, end) = channel();
        let pid = child.id();
        std::thread::spawn(move || {
            // The caller may have dropped the other end. Then the result is not needed.
            let _ = send.send(child.wait().ok());
        });
        Self { pid, end }
    }

    /// Waits for the child's end, for at most `at_most`; `None` while it runs. The exit code is absent if a signal ended the
    /// child.
    pub fn wait(&self, at_most: Duration) -> Option<Option<i32>> {
        match self.end.recv_timeout(at_most) {
            Ok(status) => Some(status.and_then(|status| status.code())),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(None),
        }
    }

    /// Ends the child by force. The child is our own and not reaped yet, so its pid can't belong to another process.
    pub fn kill(&self) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            // The child may just have ended by itself, which is fine.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Leaves the caller's session and terminal.
pub fn stand_apart() {
    // This fails only if the process already leads a session, which is what we want.
    let _ = rustix::process::setsid();
}

/// Returns the boot and deacon processes that serve another town than the one that is now at `town`: see
/// [`Sessions::former_daemons`].
///
/// [`Sessions::former_daemons`]: crate::Sessions::former_daemons
pub(super) fn former(town: &Path, locks: &[PathBuf]) -> Vec<i32> {
    let locks: Vec<(u64, u64)> = locks.iter().filter_map(|lock| inode(lock)).collect();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_former = |pid: &i32| daemon_town(*pid).is_some_and(|path| is_same(&path, town) != has_open(*pid, &locks));
    let mut former: Vec<i32> = pids.filter(is_former).collect();
    former.sort_unstable();
    former
}

/// Returns the town on the command line of a boot or deacon; `None` where the process is neither.
fn daemon_town(pid: i32) -> Option<PathBuf> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    match line.split(|byte| *byte == 0).collect::<Vec<_>>()[..] {
        [_, b"boot" | b"deacon", b"run", b"--town", town, ..] => Some(PathBuf::from(OsStr::from_bytes(town))),
        _ => None,
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other || inode(one).is_some_and(|one| inode(other) == Some(one))
}

fn inode(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|facts| (facts.dev(), facts.ino()))
}

/// Whether a process has one of these files open. False for other users' processes, which can't be inspected.
fn has_open(pid: i32, files: &[(u64, u64)]) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.into_iter().any(|entry| inode(&entry.path()).is_some_and(|file| files.contains(&file)))
}
