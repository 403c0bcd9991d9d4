//! The shim of an agent.
#![expect(clippy::disallowed_methods, reason = "the shim starts its agent, and reckons its deadlines on its own")]

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::io::Errno;
use rustix::process::{Pid, getpid};
use rustix::termios::tcsetpgrp;

use super::output::Output;
use super::record::{self, COULD_NOT_START, COULD_NOT_START_CODE, Plan, Started};
use super::tree::{self, Bell, Order, Outcome, Overseer, Why, watch};
use super::{SELF, mark, stand_apart};
use crate::real::disk::RealDisk;
use crate::real::process;
use crate::{Above, Disk as _, ENDED_BY_REQUEST, Exit, Runtime};

/// How long an agent may take to end when asked to, if the request says nothing else.
const DEFAULT_GRACE: Duration = Duration::from_secs(5);
/// Limit on the file that holds the grace, in bytes.
const GRACE_BYTES: usize = 64;
/// How long processes that an agent leaves behind may take to end.
pub(crate) const LEFTOVER_GRACE: Duration = Duration::from_secs(2);
/// How often the shim checks that the town is still there.
const TOWN_CHECK: Duration = Duration::from_secs(2);
/// How many times, and with which pause, the shim retries a lock that another process may hold just to check it.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(2);

/// The shim's one-line answer to the process that started it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ack {
    /// The shim has recorded the agent, as started or as one that could not be started.
    Started,
    /// Another shim of this session is running.
    Busy,
    /// The shim started and recorded nothing.
    Failed(String),
}

impl Ack {
    /// Returns the answer as a line.
    fn line(&self) -> String {
        match self {
            Self::Started => "started\n".into(),
            Self::Busy => "busy\n".into(),
            Self::Failed(why) => format!("failed: {}\n", why.replace('\n', " ")),
        }
    }

    /// Parses a line; `None` if it is not an answer.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        match line.strip_suffix('\n')? {
            "started" => Some(Self::Started),
            "busy" => Some(Self::Busy),
            other => Some(Self::Failed(other.strip_prefix("failed: ")?.to_owned())),
        }
    }

    fn send(&self) {
        // The process that started this shim may be gone; the records exist all the same.
        let _ = io::stdout().write_all(self.line().as_bytes()).and_then(|()| io::stdout().flush());
    }
}

/// Starts the shim of `dir` detached from the caller, and ends.
pub(super) fn detach(dir: &Path) -> ExitCode {
    match Command::new(SELF).arg0("gt").args(["session", "host"]).arg(dir).spawn() {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            Ack::Failed(format!("can't start the shim: {error}")).send();
            ExitCode::FAILURE
        }
    }
}

/// Why a shim does not start its agent.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("another shim of this session is there")]
    Busy,
    #[error("this session was started before")]
    StartedBefore,
    #[error("the session's folder has no plan")]
    NoPlan,
    #[error(transparent)]
    Record(#[from] record::RecordError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<&Refusal> for Ack {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Busy => Self::Busy,
            Refusal::StartedBefore => Self::Started,
            other => Self::Failed(other.to_string()),
        }
    }
}

/// Runs the agent of the session in `dir` to its end, unless it has already run.
pub(super) fn host(dir: &Path, runtime: Runtime) -> ExitCode {
    match host_once(dir, runtime) {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            // The shim's log gets the reason too: the starter may have read the answer long ago.
            let _ = writeln!(io::stderr(), "{refusal}");
            Ack::from(&refusal).send();
            ExitCode::FAILURE
        }
    }
}

fn host_once(dir: &Path, runtime: Runtime) -> Result<(), Refusal> {
    let _lock = only_shim(dir)?;
    let own = Anchor::of(dir);
    if record::is_recorded(dir) {
        return Err(Refusal::StartedBefore);
    }
    let plan = record::plan(dir)?.ok_or(Refusal::NoPlan)?;
    RealDisk.guard(&plan.town);
    stand_apart(runtime, Above::Session)?;
    let bell = Bell::install()?;
    // Held until the end, so that the agent's input never ends before.
    let _input = plan.input.as_ref().map(|first| open_input(dir, first)).transpose()?;
    let (mut output, gate) = Gate::close(dir, runtime)?;
    let root = gate.root;
    record::write(dir, record::STARTED, &gate.started()?)?;
    match gate.open() {
        Ok(()) => {
            Ack::Started.send();
            let mut overseer = Host { dir: dir.to_owned(), bell: &bell, town: Marker::of(&plan.town, dir), runtime };
            let outcome = watch(root, &bell, &mut output, &mut overseer);
            output.finish();
            // A hangup reaches the agent too, and the agent may have ended first.
            let hung_up = outcome.why == Why::Over && overseer.is_hung_up();
            let outcome = if hung_up { Outcome { why: Why::HungUp, ..outcome } } else { outcome };
            conclude(dir, own.as_ref(), &plan, &exit_of(outcome))
        }
        Err(why) => {
            let reason = format!("{COULD_NOT_START}: {why}");
            conclude(dir, own.as_ref(), &plan, &Exit { code: Some(COULD_NOT_START_CODE), signal: None, reason })?;
            Ack::Started.send();
            Ok(())
        }
    }
}

/// Makes the FIFO that is the agent's input, and writes its first text into it.
fn open_input(dir: &Path, first: &str) -> io::Result<File> {
    let path = dir.join(record::INPUT);
    match mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
        // An earlier shim was killed before it had started anything.
        Err(Errno::EXIST) => {
            fs::remove_file(&path)?;
            mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        }
        made => made?,
    }
    // Opened for reading and writing, so that neither this nor the agent's own opening waits for another end.
    let mut input = record::open_pipe(dir, record::INPUT, OFlags::RDWR)?;
    input.write_all(first.as_bytes())?;
    Ok(input)
}

/// Records the end and wakes the deacon. If the town is gone, there is no place to record the end and no deacon to wake. If
/// another folder is at its path, that one is another town's session.
fn conclude(dir: &Path, own: Option<&Anchor>, plan: &Plan, exit: &Exit) -> Result<(), Refusal> {
    if own.is_some_and(Anchor::is_lost) {
        return Ok(());
    }
    if dir.exists() {
        record::write(dir, record::EXIT, exit)?;
    }
    wake_deacon(&plan.town);
    Ok(())
}

/// Takes the lock that only one shim of the session can hold. A process that checks the lock holds it for an instant.
fn only_shim(dir: &Path) -> Result<File, Refusal> {
    for _ in 0..LOCK_TRIES {
        if let Some(lock) = record::try_lock(dir, record::LOCK)? {
            return Ok(lock);
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    Err(Refusal::Busy)
}

/// The process that will become the agent and still waits.
#[derive(Debug)]
struct Gate {
    root: Pid,
    socket: UnixStream,
    runtime: Runtime,
}

impl Gate {
    /// Starts the process. If this shim ends before it opens the gate, the process ends too, without ever having been the agent.
    fn close(dir: &Path, runtime: Runtime) -> io::Result<(Output, Self)> {
        match runtime {
            Runtime::Headless => {
                let (reader, writer) = io::pipe()?;
                let log = record::append(dir, record::OUTPUT_LOG)?;
                Ok((Output::new(reader, log), Self::spawn(dir, runtime, writer.into())?))
            }
            Runtime::Tmux => {
                let terminal = io::stdin().as_fd().try_clone_to_owned()?;
                let gate = Self::spawn(dir, runtime, terminal)?;
                // Otherwise the agent's first read from the terminal would stop it or fail.
                tcsetpgrp(io::stdin(), gate.root)?;
                Ok((Output::elsewhere(), gate))
            }
        }
    }

    fn spawn(dir: &Path, runtime: Runtime, output: OwnedFd) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        let mut gate = Command::new(SELF);
        gate.arg0("gt").args(["session", "exec"]);
        if runtime == Runtime::Tmux {
            gate.arg("--pane");
        }
        gate.arg(dir).stdin(OwnedFd::from(theirs)).stdout(output.try_clone()?).stderr(output).process_group(0);
        // `tree::watch` reaps this process along with all others, so its own handle is dropped.
        Ok(Self { root: Pid::from_child(&gate.spawn()?), socket, runtime })
    }

    /// Returns the record of the started agent.
    fn started(&self) -> io::Result<Started> {
        let known = |pid: Pid| process::identify(pid.as_raw_pid()).ok_or(io::ErrorKind::NotFound);
        let mark = mark(&fs::read("/proc/self/environ")?);
        let (shim, agent) = (known(getpid())?, known(self.root)?);
        Ok(Started { protocol: record::PROTOCOL, shim, agent, mark, runtime: self.runtime })
    }

    /// Lets the process become the agent. The error says in words why it can't.
    fn open(mut self) -> Result<(), String> {
        let mut answer = String::new();
        let asked = self.socket.write_all(&[1]).and_then(|()| self.socket.read_to_string(&mut answer));
        match asked {
            Ok(_) if answer.is_empty() => Ok(()),
            Ok(_) => Err(answer),
            // The process was killed while it waited. The watch finds out how.
            Err(_) => Ok(()),
        }
    }
}

/// Becomes the agent as soon as the shim, at the other end of stdin, allows it.
pub(super) fn exec(dir: &Path, runtime: Runtime) -> ExitCode {
    let Ok(socket) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::FAILURE };
    let mut socket = UnixStream::from(socket);
    let mut released = [0];
    if !matches!(socket.read(&mut released), Ok(1)) {
        return ExitCode::FAILURE;
    }
    let why = match record::plan(dir) {
        Ok(Some(plan)) => become_agent(dir, &plan, runtime),
        Ok(None) => "the session's folder has no plan".to_owned(),
        Err(error) => error.to_string(),
    };
    // The shim reads this, or is gone.
    let _ = socket.write_all(why.as_bytes());
    ExitCode::FAILURE
}

/// Becomes the agent. Returns only if that fails, with the reason.
fn become_agent(dir: &Path, plan: &Plan, runtime: Runtime) -> String {
    let Some((program, args)) = plan.argv.split_first() else { return "the command is empty".to_owned() };
    let input = match runtime {
        // The shim has the FIFO open for writing.
        Runtime::Headless if plan.input.is_some() => match File::open(dir.join(record::INPUT)) {
            Ok(input) => input.into(),
            Err(error) => return format!("no input: {error}"),
        },
        Runtime::Headless => Stdio::null(),
        // Output goes to the terminal, which is the input as well.
        Runtime::Tmux => match io::stdout().as_fd().try_clone_to_owned() {
            Ok(terminal) => terminal.into(),
            Err(error) => return format!("no terminal: {error}"),
        },
    };
    let error = Command::new(program).args(args).current_dir(&plan.cwd).stdin(input).exec();
    if plan.cwd.is_dir() { format!("{program}: {error}") } else { format!("no folder {}", plan.cwd.display()) }
}

/// Decides when an agent's tree must end.
struct Host<'a> {
    dir: PathBuf,
    bell: &'a Bell,
    town: Marker,
    runtime: Runtime,
}

impl Host<'_> {
    /// Whether the session's terminal is gone.
    fn is_hung_up(&self) -> bool {
        self.runtime == Runtime::Tmux && self.bell.is_hung_up()
    }
}

/// Evidence that the town is still there: its marker file exists, and the town's folder and the session's are still those in
/// which this session was started. A new town at the same path, or one that was restored from a
/// copy, knows nothing of this process.
#[derive(Debug)]
struct Marker {
    settings: PathBuf,
    folders: Vec<Anchor>,
    missed_at: Option<Instant>,
}

impl Marker {
    fn of(town: &Path, session: &Path) -> Self {
        let folders = [town, session].into_iter().filter_map(Anchor::of).collect();
        Self { settings: town.join("town.toml"), folders, missed_at: None }
    }

    /// Whether the town is gone: two checks, a [`TOWN_CHECK`] apart, both missed it. Some editors remove a file for a moment when
    /// they save it. A town that can't be checked is not gone.
    fn is_gone(&mut self, now: Instant) -> bool {
        let missed = matches!(self.settings.try_exists(), Ok(false)) || self.folders.iter().any(Anchor::is_lost);
        if !missed {
            self.missed_at = None;
            return false;
        }
        now - *self.missed_at.get_or_insert(now) >= TOWN_CHECK
    }
}

/// A folder that is held open. While it is compared with the folder at its path, no other folder can get its inode.
#[derive(Debug)]
struct Anchor {
    path: PathBuf,
    folder: OwnedFd,
}

impl Anchor {
    /// Opens the folder. `None` if that fails; then only the marker file counts.
    fn of(path: &Path) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty()).ok()?;
        Some(Self { path: path.to_owned(), folder })
    }

    /// Whether nothing or another folder is at the path.
    fn is_lost(&self) -> bool {
        match (rustix::fs::stat(&self.path), rustix::fs::fstat(&self.folder)) {
            (Ok(there), Ok(ours)) => (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino),
            (Err(Errno::NOENT | Errno::NOTDIR), _) => true,
            _ => false,
        }
    }
}

impl Overseer for Host<'_> {
    fn order(&mut self, now: Instant) -> Option<Order> {
        if self.bell.take_end_request() {
            return Some(Order { why: Why::Requested, grace: requested_grace(&self.dir) });
        }
        if self.is_hung_up() {
            return Some(Order { why: Why::HungUp, grace: LEFTOVER_GRACE });
        }
        self.town.is_gone(now).then_some(Order { why: Why::TownGone, grace: LEFTOVER_GRACE })
    }

    fn look_again(&self, _now: Instant) -> Duration {
        TOWN_CHECK
    }

    fn listens_to(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn leftover_grace(&self) -> Duration {
        LEFTOVER_GRACE
    }
}

/// Returns how long the agent may take to end, as written by the process that asked for the end.
fn requested_grace(dir: &Path) -> Duration {
    let written = RealDisk.read_part(&dir.join(record::GRACE), 0, GRACE_BYTES).ok().flatten();
    let millis = written.and_then(|bytes| String::from_utf8(bytes).ok());
    millis.and_then(|millis| millis.trim().parse().ok()).map_or(DEFAULT_GRACE, Duration::from_millis)
}

fn exit_of(outcome: Outcome) -> Exit {
    let ended_by_itself = match outcome.status {
        Some(status) if status.signaled() => "ended by a signal",
        _ => "exited",
    };
    let reason = match outcome.why {
        Why::Over => ended_by_itself,
        Why::Requested | Why::CallerGone => ENDED_BY_REQUEST,
        Why::TownGone => "town gone",
        Why::HungUp => "terminal gone",
        Why::TimedOut => "timed out",
    };
    tree::exit(outcome.status, reason)
}

/// Wakes the deacon, if there is one.
fn wake_deacon(town: &Path) {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let pipe = File::options().write(true).custom_flags(flags).open(town.join("deacon/wake"));
    // No deacon listens, or the pipe is full of wake-ups. Both are fine.
    let _ = pipe.and_then(|mut pipe| pipe.write_all(&[1]));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a town with a session, and the marker that its shim checks.
    fn town() -> (tempfile::TempDir, PathBuf, Marker) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let town = folder.path().join("town");
        make_town(&town);
        let marker = Marker::of(&town, &town.join("session"));
        (folder, town, marker)
    }

    fn make_town(town: &Path) {
        fs::create_dir_all(town.join("session")).expect("a folder");
        File::create(town.join("town.toml")).expect("a marker");
    }

    #[test]
    fn a_town_is_gone_when_its_marker_is_missed_twice() {
        let (_folder, town, mut marker) = town();
        let path = town.join("town.toml");
        let begun = Instant::now();
        for (there, at, gone) in
            [(true, 0, false), (false, 1, false), (true, 2, false), (false, 3, false), (false, 4, true)]
        {
            let _ = if there { File::create(&path).map(drop) } else { fs::remove_file(&path) };
            assert_eq!(marker.is_gone(begun + at * TOWN_CHECK), gone, "{at}");
        }
    }

    #[test]
    fn another_town_at_the_same_path_is_not_the_one_that_a_session_belongs_to() {
        type Change = fn(&Path);
        let check = |name: &str, change: Change, gone: bool| {
            let (_folder, town, mut marker) = town();
            change(&town);
            let begun = Instant::now();
            assert!(!marker.is_gone(begun), "{name}: once may be an editor's moment");
            assert_eq!(marker.is_gone(begun + TOWN_CHECK), gone, "{name}");
        };
        check("made anew", |town| (fs::remove_dir_all(town).unwrap(), make_town(town)).1, true);
        check(
            "put back from a copy",
            |town| {
                let copy = town.with_file_name("copy");
                make_town(&copy);
                fs::remove_dir_all(town).unwrap();
                fs::rename(&copy, town).unwrap();
            },
            true,
        );
        check(
            "content replaced in its folder",
            |town| {
                fs::remove_dir_all(town.join("session")).unwrap();
                make_town(town);
            },
            true,
        );
        check("moved", |town| fs::rename(town, town.with_file_name("elsewhere")).unwrap(), true);
        check(
            "moved, with a link in its place",
            |town| {
                let elsewhere = town.with_file_name("elsewhere");
                fs::rename(town, &elsewhere).unwrap();
                std::os::unix::fs::symlink(&elsewhere, town).unwrap();
            },
            false,
        );
        check(
            "settings saved by an editor",
            |town| {
                File::create(town.join("town.toml~")).unwrap();
                fs::rename(town.join("town.toml~"), town.join("town.toml")).unwrap();
            },
            false,
        );
    }

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        for ack in [Ack::Started, Ack::Busy, Ack::Failed("no: such thing".into()), Ack::Failed(String::new())] {
            assert_eq!(Ack::parse(&ack.line()), Some(ack));
        }
        assert_eq!(Ack::Failed("two\nlines".into()).line(), "failed: two lines\n");
        assert_eq!((Ack::parse("started"), Ack::parse("what\n")), (None, None));
    }
}
