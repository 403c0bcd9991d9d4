//! Sessions as their callers see them: the shim's records, checked against the running processes.
#![expect(clippy::disallowed_methods, reason = "starts the shims, and reckons deadlines of real processes")]

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _};
use std::path::{Path, PathBuf, absolute};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use gt_model::question::Key;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::Signal;

use super::bwrap;
use super::descent;
use super::disk::{PRIVATE_FILE, RealDisk, create_private_dir, found, io_error};
use super::door::Spot;
use super::person;
use super::process::{self, Census, Stat};
use super::shim::pane::Letters;
use super::shim::record::{self, Plan, RecordError, Started};
use super::shim::{Ack, CommandEnd, INCARNATION, LEFTOVER_GRACE, Report, mark, timespec};
use super::tmux::{self, Terminal};
use crate::{
    Bwrap, ContainedCommand, Descent, Disk as _, Exit, LOG_CHUNK_BYTES, ProcessId, RunEnd, RunResult, Runtime,
    SANDBOX_MARK, SAY_LIMIT_BYTES, Said, SessionPlan, SessionState, Sessions, Vitals, WorldError, WorldResult,
    user_message,
};

/// Limit for a shim to start its agent.
const START_LIMIT: Duration = Duration::from_secs(10);
/// How long, beyond the grace, a shim may take to end a tree before the caller gets an error.
const END_LIMIT: Duration = Duration::from_secs(20);
/// Pause between two looks at a start by another process.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
/// How many bytes of a log are quoted if its shim ended without a result.
const LAST_WORDS_BYTES: u64 = 2000;
/// Pause between two looks at processes that were killed.
const FORCE_PAUSE: Duration = Duration::from_millis(10);

/// Agents and commands of this machine, each under a shim that is a process of its own.
///
/// All state of a session is in its folder and none in this value. So any `gt` can look after a session that another one has
/// started.
#[derive(Debug)]
pub struct RealSessions {
    gt: PathBuf,
    /// Ancestors of this process; filled at the first question.
    descent: OnceLock<Descent>,
}

impl RealSessions {
    /// Makes sessions whose shims run the binary at `gt`.
    pub fn new(gt: PathBuf) -> Self {
        Self { gt, descent: OnceLock::new() }
    }

    fn spawn_shim(&self, plan: &SessionPlan, dir: &Path) -> WorldResult<Ack> {
        let log = record::append(dir, record::SHIM_LOG).map_err(io_error("open", &dir.join(record::SHIM_LOG)))?;
        let mut child = Command::new(&self.gt)
            .args(["session", "host", "--detach"])
            .arg(dir)
            .env_clear()
            .envs(&plan.env)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|source| self.spawn_error(source))?;
        let answers = child.stdout.take().map(|stdout| PipeReader::from(OwnedFd::from(stdout)));
        // This process ends as soon as it has started the real shim, which then is not our child.
        child.wait().map_err(|source| self.spawn_error(source))?;
        answers.and_then(|answers| read_ack(&answers, START_LIMIT)).ok_or_else(|| no_answer(dir))
    }

    /// Starts the shim as the process of a terminal, and hands it the environment.
    fn open_terminal(&self, terminal: &Terminal, plan: &SessionPlan, dir: &Path) -> WorldResult<Ack> {
        if !self.gt.is_file() {
            return Err(self.spawn_error(io::ErrorKind::NotFound.into()));
        }
        tmux::make_log_lock(&plan.town).map_err(io_error("make the lock of logs in", &plan.town))?;
        let letters = Letters::prepare(dir).map_err(io_error("make the FIFOs in", dir))?;
        terminal.open(&self.gt, dir, &letters, &plan.env).map_err(io_error("open a terminal for", dir))?;
        letters.send(&plan.env).map_err(io_error("hand the environment to the shim of", dir))?;
        read_ack(&letters.answers, START_LIMIT).ok_or_else(|| no_answer(dir))
    }

    fn spawn_error(&self, source: io::Error) -> WorldError {
        WorldError::Spawn { program: self.gt.display().to_string(), source }
    }

    fn spawn_contained(&self, command: &ContainedCommand, log: File) -> WorldResult<Child> {
        let mut shim = Command::new(&self.gt);
        shim.args(["session", "contain"]).arg(command.timeout.as_millis().to_string()).arg("-").args(&command.argv);
        shim.env_clear().envs(&command.env).current_dir(&command.cwd);
        shim.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        shim.spawn().map_err(|source| {
            if command.cwd.is_dir() { self.spawn_error(source) } else { io_error("enter", &command.cwd)(source) }
        })
    }
}

/// Creates the log of a command and replaces what is there, even a link or a hard link to another file.
fn new_log(path: &Path) -> io::Result<File> {
    let spot = Spot::made(path)?;
    found(spot.unlink())?;
    spot.open(OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW, PRIVATE_FILE)
}

/// Returns the last bytes of a log.
fn last_words(log: &File) -> String {
    let from = log.metadata().map_or(0, |facts| facts.len().saturating_sub(LAST_WORDS_BYTES));
    let mut said = vec![0; usize::try_from(LAST_WORDS_BYTES).unwrap_or_default()];
    let count = log.read_at(&mut said, from).unwrap_or(0);
    String::from_utf8_lossy(&said[..count]).into_owned()
}

fn no_answer(dir: &Path) -> WorldError {
    WorldError::Unexpected(format!("the shim of {} did not answer; see its shim.log", dir.display()))
}

/// Returns the terminal for a session whose plan asks for one.
fn choose_terminal(plan: &SessionPlan, dir: &Path) -> WorldResult<Option<Terminal>> {
    if plan.runtime == Runtime::Headless {
        return Ok(None);
    }
    let path = plan.env.get("PATH").map(String::as_str).unwrap_or_default();
    Terminal::choose(&plan.town, dir, path).map(Some).map_err(io_error("find a terminal for", dir))
}

/// Returns the terminal of a session, if it was started in one.
fn terminal(dir: &Path) -> WorldResult<Option<Terminal>> {
    Ok(record::plan(dir).map_err(unexpected)?.and_then(|plan| plan.terminal))
}

/// Reads the one line with which a shim answers; `None` if the shim ends or takes too long before it answers.
fn read_ack(mut answers: &PipeReader, limit: Duration) -> Option<Ack> {
    let deadline = Instant::now() + limit;
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let left = deadline.checked_duration_since(Instant::now())?;
        let ready = poll(&mut [PollFd::new(answers, PollFlags::IN)], Some(&timespec(left)));
        let mut chunk = [0; 512];
        if ready.is_ok_and(|ready| ready > 0) {
            let count = answers.read(&mut chunk).ok().filter(|count| *count > 0)?;
            line.extend_from_slice(&chunk[..count]);
        }
    }
    Ack::parse(&String::from_utf8_lossy(&line))
}

/// Waits for a shim that is already running. Returns whether it wrote a record; false means that it gave up.
fn await_record(dir: &Path) -> WorldResult<bool> {
    let deadline = Instant::now() + START_LIMIT;
    while !record::is_recorded(dir) {
        let gone = record::try_lock(dir, record::LOCK).map_err(io_error("lock", dir))?.is_some();
        if gone {
            return Ok(record::is_recorded(dir));
        }
        if Instant::now() >= deadline {
            return Err(WorldError::Unexpected(format!("the shim of {} starts nothing", dir.display())));
        }
        std::thread::sleep(BUSY_PAUSE);
    }
    Ok(true)
}

/// Waits for a start in progress. Returns whether anything was ever started.
fn settle(dir: &Path) -> WorldResult<bool> {
    if record::is_recorded(dir) {
        return Ok(true);
    }
    if !dir.join(record::PLAN).exists() {
        return Ok(false);
    }
    let _turn = record::lock(dir, record::START_LOCK).map_err(io_error("lock", dir))?;
    await_record(dir)
}

impl Sessions for RealSessions {
    fn start(&self, plan: &SessionPlan) -> WorldResult<()> {
        let dir = &absolute(&plan.dir).map_err(io_error("find", &plan.dir))?;
        create_private_dir(dir).map_err(io_error("create", dir))?;
        let _turn = record::lock(dir, record::START_LOCK).map_err(io_error("lock", dir))?;
        if record::is_recorded(dir) {
            return Ok(());
        }
        let terminal = choose_terminal(plan, dir)?;
        let record = Plan::of(plan, terminal.clone());
        record::write(dir, record::PLAN, &record).map_err(io_error("write the plan in", dir))?;
        let ack = match terminal {
            None => self.spawn_shim(plan, dir)?,
            Some(terminal) => self.open_terminal(&terminal, plan, dir)?,
        };
        match ack {
            Ack::Started => Ok(()),
            Ack::Busy if await_record(dir)? => Ok(()),
            Ack::Busy => Err(WorldError::Unexpected(format!("the shim of {} gave up", dir.display()))),
            Ack::Failed(why) => {
                Err(WorldError::Unexpected(format!("the session in {} can't be started: {why}", dir.display())))
            }
        }
    }

    fn state(&self, dir: &Path) -> WorldResult<SessionState> {
        Ok(look(dir).unwrap_or_else(|damage| SessionState::Unknown(damage.to_string())))
    }

    fn end(&self, dir: &Path, grace: Duration) -> WorldResult<()> {
        if !settle(dir)? || matches!(look(dir), Ok(SessionState::Ended(_) | SessionState::NotStarted)) {
            return Ok(());
        }
        let Some(started) = record::started(dir).map_err(unexpected)? else { return Ok(()) };
        if process::is_alive(&started.shim) {
            end_through_shim(dir, &started, grace)?;
        }
        // If the shim was killed itself, this process ends what the shim could not.
        if matches!(record::exit(dir), Ok(Some(_))) { Ok(()) } else { end_orphans(dir, &started, grace) }
    }

    fn vitals(&self, dirs: &[PathBuf]) -> Vec<WorldResult<Vitals>> {
        // The first session that runs makes this list, and the others share it.
        let census: Shared = LazyCell::new(Census::take);
        dirs.iter().map(|dir| vitals(dir, &census)).collect()
    }

    fn log_size(&self, dir: &Path) -> u64 {
        log_bytes(dir)
    }

    fn run(&self, command: &ContainedCommand) -> WorldResult<RunResult> {
        let log = new_log(&command.log).map_err(io_error("make", &command.log))?;
        let mut child = self.spawn_contained(command, log.try_clone().map_err(io_error("share", &command.log))?)?;
        // Held until the report is here: if this process ends, the lifeline closes, and the shim ends the tree.
        let _lifeline = child.stdin.take();
        let report = read_report(&mut child);
        if report.is_none() {
            // The shim is not reaped yet, so its pid still belongs to it.
            end_contained(&mut child).map_err(io_error("end the processes of", &command.log))?;
        }
        child.wait().map_err(|source| self.spawn_error(source))?;
        let report = report.ok_or_else(|| {
            let said = last_words(&log);
            WorldError::Unexpected(format!("the shim of {:?} ended without a result: {}", command.argv, said.trim()))
        })?;
        Ok(result_of(report))
    }

    fn runs_as_root(&self) -> bool {
        rustix::process::geteuid().is_root()
    }

    fn free_memory(&self) -> Option<u64> {
        let facts = fs::read_to_string("/proc/meminfo").ok()?;
        let line = facts.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    }

    fn former_daemons(&self, town: &Path, locks: &[PathBuf]) -> Vec<i32> {
        super::daemon::former(town, locks)
    }

    fn is_descendant_of_any(&self, processes: &[ProcessId]) -> bool {
        process::descends_from_any(processes)
    }

    fn ask_person(&self, question: &str) -> Result<String, String> {
        person::ask(question, &self.descent())
    }

    fn descent(&self) -> Descent {
        self.descent.get_or_init(descent::own).clone()
    }

    fn is_in_sandbox(&self) -> bool {
        Path::new(SANDBOX_MARK).exists()
    }

    fn tmux(&self, path: &str) -> Result<String, String> {
        tmux::usable(path)
    }

    fn bwrap(&self, path: &str) -> Result<Bwrap, String> {
        bwrap::usable(path)
    }

    fn runtime(&self, dir: &Path) -> WorldResult<Option<Runtime>> {
        Ok(record::started(dir).map_err(unexpected)?.map(|started| started.runtime))
    }

    fn log(&self, dir: &Path, from: u64) -> WorldResult<Vec<u8>> {
        let path = dir.join(record::OUTPUT_LOG);
        Ok(RealDisk.read_part(&path, from, LOG_CHUNK_BYTES)?.unwrap_or_default())
    }

    fn screen(&self, dir: &Path, scrolled: u32) -> WorldResult<Option<String>> {
        let Some(terminal) = terminal(dir)? else { return Ok(None) };
        terminal.screen(scrolled).map_err(io_error("look at the terminal of", dir))
    }

    fn attach(&self, dir: &Path, env: &BTreeMap<String, String>) -> WorldResult<bool> {
        let Some(terminal) = terminal(dir)? else { return Ok(false) };
        terminal.attach(env).map_err(io_error("attach to the terminal of", dir))
    }

    fn say(&self, dir: &Path, line: &str) -> WorldResult<Said> {
        if line.len() > SAY_LIMIT_BYTES || line.chars().any(char::is_control) {
            return Err(WorldError::Unexpected(format!("gt can't type this to an agent: {line:?}")));
        }
        if !matches!(self.state(dir)?, SessionState::Running { .. }) {
            return Ok(Said::NoWay);
        }
        match terminal(dir)? {
            Some(terminal) => terminal.say(line).map_err(io_error("type into the terminal of", dir)),
            None => write_input(&dir.join(record::INPUT), line),
        }
    }

    fn press(&self, dir: &Path, key: Key) -> WorldResult<Said> {
        if !matches!(self.state(dir)?, SessionState::Running { .. }) {
            return Ok(Said::NoWay);
        }
        match terminal(dir)? {
            Some(terminal) => terminal.press(key).map_err(io_error("press a key in the terminal of", dir)),
            None => Ok(Said::NoWay),
        }
    }

    fn close_terminals(&self, town: &Path) -> WorldResult<()> {
        tmux::close(town).map_err(io_error("close the terminals of", town))
    }
}

/// Adds a message to the agent's input, whole or not at all.
fn write_input(input: &Path, line: &str) -> WorldResult<Said> {
    let opened = Spot::of(input).and_then(|spot| spot.open(OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW, 0));
    match opened.and_then(only_pipe).and_then(|mut pipe| pipe.write_all(user_message(line).as_bytes())) {
        Ok(()) => Ok(Said::Sent),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Said::Busy),
        // There is no such FIFO, or no process reads it any more.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Said::NoWay),
        Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => Ok(Said::NoWay),
        Err(source) => Err(io_error("write to", input)(source)),
    }
}

/// Refuses any node in the place of a FIFO that is not a FIFO.
fn only_pipe(file: File) -> io::Result<File> {
    if file.metadata()?.file_type().is_fifo() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Returns the state in the records if the running processes agree.
fn look(dir: &Path) -> Result<SessionState, RecordError> {
    match look_at_records(dir) {
        Err(damage @ RecordError::Damaged { .. }) => look_without_records(dir, damage),
        other => other,
    }
}

/// Returns the state where a record can't be read. The running processes decide: if no shim holds the folder's lock and no
/// process carries the incarnation's identity, the session is over, or never began.
fn look_without_records(dir: &Path, damage: RecordError) -> Result<SessionState, RecordError> {
    let path = dir.join(record::LOCK);
    let free = record::try_lock(dir, record::LOCK).map_err(|source| RecordError::Unreadable { path, source })?;
    // If the processes can't be listed, nothing is said to have ended.
    if free.is_none() || carriers_of(dir).map_or(true, |carriers| !carriers.is_empty()) {
        return Err(damage);
    }
    if !record::is_recorded(dir) {
        return Ok(SessionState::NotStarted);
    }
    Ok(SessionState::Ended(Exit { code: None, signal: None, reason: format!("over, but {damage}") }))
}

/// Returns the processes that carry the identity of the incarnation whose session is in `dir`.
fn carriers_of(dir: &Path) -> io::Result<Vec<ProcessId>> {
    let Some(id) = dir.file_name() else { return Ok(Vec::new()) };
    let prefix = format!("{}=", String::from_utf8_lossy(INCARNATION)) + &id.to_string_lossy() + ".";
    let census = Census::take()?;
    let carriers = census.with_descendants(|stat| {
        let environ = fs::read(format!("/proc/{}/environ", stat.pid)).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|variable| variable.starts_with(prefix.as_bytes()))
    });
    Ok(carriers.into_iter().map(|stat| census.id(stat)).collect())
}

fn look_at_records(dir: &Path) -> Result<SessionState, RecordError> {
    if let Some(exit) = record::exit(dir)? {
        return Ok(SessionState::Ended(exit));
    }
    match record::started(dir)? {
        Some(started) => look_at_started(dir, started),
        None => look_at_plan(dir),
    }
}

fn look_at_started(dir: &Path, started: Started) -> Result<SessionState, RecordError> {
    let alive = process::is_alive(&started.shim) || process::is_alive(&started.agent) || has_orphans(&started);
    if alive {
        return Ok(SessionState::Running { shim: started.shim, agent: started.agent });
    }
    // The shim may have written the record since we looked.
    let exit = record::exit(dir)?;
    Ok(SessionState::Ended(exit.unwrap_or_else(|| Exit { code: None, signal: None, reason: "shim gone".into() })))
}

fn look_at_plan(dir: &Path) -> Result<SessionState, RecordError> {
    if record::plan(dir)?.is_none() {
        return Ok(SessionState::NotStarted);
    }
    let path = dir.join(record::LOCK);
    let free = record::try_lock(dir, record::LOCK).map_err(|source| RecordError::Unreadable { path, source })?;
    match (free, record::is_recorded(dir)) {
        // The shim has written the record since we looked.
        (_, true) => look(dir),
        (Some(_), false) => Ok(SessionState::NotStarted),
        (None, false) => Ok(SessionState::Unknown("starting".into())),
    }
}

/// Asks the shim to end its tree, and waits until it has.
fn end_through_shim(dir: &Path, started: &Started, grace: Duration) -> WorldResult<()> {
    let failed = |source| io_error("end the session in", dir)(source);
    write_grace(dir, grace).map_err(failed)?;
    let Some(shim) = process::open(&started.shim).map_err(failed)? else { return Ok(()) };
    process::signal(&started.shim, Signal::TERM).map_err(failed)?;
    if await_end(&shim, grace + LEFTOVER_GRACE + END_LIMIT) {
        return Ok(());
    }
    Err(WorldError::Unexpected(format!("the session in {} does not end", dir.display())))
}

fn write_grace(dir: &Path, grace: Duration) -> io::Result<()> {
    record::put(dir, record::GRACE, grace.as_millis().to_string().as_bytes())
}

/// Waits until the process of a handle has ended. Returns whether it has.
fn await_end(handle: &OwnedFd, at_most: Duration) -> bool {
    let deadline = Instant::now() + at_most;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&timespec(left))) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(_) if left.is_zero() => return false,
            Err(_) => {}
        }
    }
}

/// Ends what is left of a session whose shim was killed.
fn end_orphans(dir: &Path, started: &Started, grace: Duration) -> WorldResult<()> {
    let failed = |source| io_error("end the session in", dir)(source);
    let begun = Instant::now();
    let mut signalled_politely = Vec::new();
    loop {
        let orphans = orphans(started).map_err(failed)?;
        if orphans.is_empty() {
            return Ok(());
        }
        let waited = begun.elapsed();
        if waited > grace + END_LIMIT {
            let pids: Vec<i32> = orphans.iter().map(|orphan| orphan.pid).collect();
            return Err(WorldError::Unexpected(format!("processes {pids:?} of {} do not end", dir.display())));
        }
        for orphan in orphans {
            if waited >= grace {
                process::signal(&orphan, Signal::KILL).map_err(failed)?;
            } else if !signalled_politely.contains(&orphan) {
                process::signal(&orphan, Signal::TERM).map_err(failed)?;
                signalled_politely.push(orphan);
            }
        }
        std::thread::sleep(FORCE_PAUSE);
    }
}

/// Returns what still runs of a session whose shim is dead: the agent with its descendants, the processes in the kernel session
/// that the shim made for them, and the processes that carry the incarnation's identity in their environment.
///
/// The number of that kernel session counts only while the agent lives, because the agent keeps the number from being reused. A
/// process that has dropped both its environment and its parents can't be told from a stranger's and is left alone.
fn orphans(started: &Started) -> io::Result<Vec<ProcessId>> {
    let agent = process::stat_of(&started.agent).filter(|agent| !agent.zombie);
    let before_reboot = process::boot_id()? != started.shim.boot_id;
    if before_reboot || (agent.is_none() && started.mark.is_none()) {
        return Ok(Vec::new());
    }
    let own = rustix::process::getpid().as_raw_pid();
    let session = agent.as_ref().filter(|agent| agent.session == started.shim.pid).map(|agent| agent.session);
    let census = Census::take()?;
    let ours = census.with_descendants(|stat| {
        agent.as_ref().is_some_and(|agent| agent.pid == stat.pid && agent.start_ticks == stat.start_ticks)
            || session == Some(stat.session)
            || has_mark(stat.pid, started.mark.as_deref())
    });
    let shim = started.shim.pid;
    let others = ours.into_iter().filter(|stat| stat.pid != own && stat.pid != shim);
    // Kept processes are ended first: killing their keeper would deny them a polite end.
    let (keepers, kept): (Vec<&Stat>, Vec<&Stat>) = others.partition(|stat| census.keeps_others(stat.pid));
    let ended_now = if kept.is_empty() { keepers } else { kept };
    Ok(ended_now.into_iter().map(|stat| census.id(stat)).collect())
}

fn has_mark(pid: i32, wanted: Option<&str>) -> bool {
    let Some(wanted) = wanted else { return false };
    // Other users' environments can't be read, and such processes are not ours.
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| mark(&environ).as_deref() == Some(wanted))
}

fn has_orphans(started: &Started) -> bool {
    // If the processes can't be listed, nothing is said to have ended.
    orphans(started).map_or(true, |orphans| !orphans.is_empty())
}

/// A process list that is made at first use.
type Shared = LazyCell<io::Result<Census>>;

fn vitals(dir: &Path, census: &Shared) -> WorldResult<Vitals> {
    let started = record::started(dir).map_err(unexpected)?;
    Ok(Vitals {
        cpu_ticks: started.map_or(Ok(0), |started| cpu_ticks(&started, census)).map_err(io_error("read", dir))?,
        log_bytes: log_bytes(dir),
        last_call: RealDisk.touched(&dir.join(record::LIFE)).ok().flatten(),
    })
}

fn log_bytes(dir: &Path) -> u64 {
    dir.join(record::OUTPUT_LOG).symlink_metadata().map_or(0, |metadata| metadata.len())
}

/// Returns the CPU time that the session's tree has used. The shim's own time is left out, since the shim runs even when the
/// agent does not.
fn cpu_ticks(started: &Started, census: &Shared) -> io::Result<u64> {
    let shim = process::stat_of(&started.shim);
    let agent = process::stat_of(&started.agent);
    if shim.is_none() && agent.is_none() {
        return Ok(0);
    }
    let census = census.as_ref().map_err(|error| io::Error::from(error.kind()))?;
    let tree = match (&shim, &agent) {
        (Some(shim), _) => census.descendants(shim.pid),
        (None, _) => census.with_descendants(|stat| stat.pid == started.agent.pid),
    };
    let living: u64 = tree.iter().map(|stat| stat.own_ticks + stat.reaped_ticks).sum();
    Ok(living + shim.map_or(0, |shim| shim.reaped_ticks))
}

/// Reads the report of a command's shim; `None` if the shim ended without one.
fn read_report(child: &mut Child) -> Option<Report> {
    let mut bytes = Vec::new();
    child.stdout.take()?.read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok().filter(|report: &Report| report.protocol == record::PROTOCOL)
}

/// Ends what a killed shim of a command has left, as far as it is in the kernel session that the shim made.
fn end_contained(child: &mut Child) -> io::Result<()> {
    let session = i32::try_from(child.id()).map_err(io::Error::other)?;
    let deadline = Instant::now() + END_LIMIT;
    loop {
        let census = Census::take()?;
        let left = census.with_descendants(|stat| stat.session == session);
        if left.is_empty() || Instant::now() >= deadline {
            return Ok(());
        }
        for stat in left {
            // A process that can't be signalled is counted again in the next round.
            let _ = process::signal(&census.id(stat), Signal::KILL);
        }
        std::thread::sleep(FORCE_PAUSE);
    }
}

fn result_of(report: Report) -> RunResult {
    let end = match report.end {
        CommandEnd::TimedOut => RunEnd::TimedOut,
        CommandEnd::Ended(Exit { code: Some(0), .. }) => RunEnd::Passed,
        CommandEnd::Ended(exit) => RunEnd::Failed(exit),
    };
    RunResult { end, took: Duration::from_micros(report.took_micros), tail: report.tail }
}

#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn unexpected(damage: RecordError) -> WorldError {
    WorldError::Unexpected(damage.to_string())
}

#[cfg(test)]
mod tests;
