//! The process of a terminal: it gets the environment, and becomes the shim. And the one that writes the terminal's log.
//!
//! What tmux starts has tmux's environment, and all that one tells tmux can be asked from it and stands in process
//! tables. So the agent's environment, which holds a secret, goes from the starter to the shim through a FIFO that only
//! the user can open, once.
#![expect(clippy::disallowed_methods, reason = "the shim becomes itself, and reckons its deadlines on its own")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, FileType, FlockOperation, Mode, OFlags, flock, mknodat};
use rustix::io::Errno;

use super::output::Output;
use super::{SELF, record, timespec};
use crate::real::entropy;
use crate::real::tmux::log_lock;

/// How long either side waits for the other.
const LIMIT: Duration = Duration::from_secs(10);
/// How often a side that waits looks whether the other has given up.
const LOOK: Duration = Duration::from_millis(5);
/// Beginnings of the FIFOs' names.
const ENVIRONMENT: &str = "env.";
const ANSWER: &str = "ack.";

/// The starter's ends of the FIFOs. They are gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Letters {
    dir: PathBuf,
    name: String,
    /// What the shim answers.
    pub answers: PipeReader,
}

impl Letters {
    /// Makes the FIFOs, instead of those that a killed start has left. To be called under the start's lock.
    pub(crate) fn prepare(dir: &Path) -> io::Result<Self> {
        for entry in fs::read_dir(dir)? {
            let name = entry?.file_name();
            if [ENVIRONMENT, ANSWER].iter().any(|begin| name.as_bytes().starts_with(begin.as_bytes())) {
                fs::remove_file(dir.join(name))?;
            }
        }
        let name = gt_model::id::hex(&entropy()[..4]);
        for begin in [ENVIRONMENT, ANSWER] {
            mknodat(CWD, fifo(dir, begin, &name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        }
        // Opened first, so that the shim finds somebody there.
        let answers = record::open_pipe(dir, &fifo_name(ANSWER, &name), OFlags::RDONLY)?;
        Ok(Self { dir: dir.to_owned(), name, answers: std::os::fd::OwnedFd::from(answers).into() })
    }

    /// By which the shim finds them.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Hands the environment over to the shim, as soon as it is there.
    pub(crate) fn send(&self, env: &BTreeMap<String, String>) -> io::Result<()> {
        let deadline = Instant::now() + LIMIT;
        let name = fifo_name(ENVIRONMENT, &self.name);
        let mut pipe = loop {
            match record::open_pipe(&self.dir, &name, OFlags::WRONLY) {
                // Nobody reads yet.
                Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) && Instant::now() < deadline => {
                    std::thread::sleep(LOOK);
                }
                opened => break opened?,
            }
        };
        let mut left: &[u8] = &serde_json::to_vec(env)?;
        while !left.is_empty() {
            match pipe.write(left) {
                Ok(count) => left = &left[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline => {
                    let _ = poll(&mut [PollFd::new(&pipe, PollFlags::OUT)], Some(&timespec(LOOK)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Drop for Letters {
    fn drop(&mut self) {
        for begin in [ENVIRONMENT, ANSWER] {
            // The shim may have removed it, or somebody the whole folder.
            let _ = fs::remove_file(fifo(&self.dir, begin, &self.name));
        }
    }
}

fn fifo(dir: &Path, begin: &str, name: &str) -> PathBuf {
    dir.join(fifo_name(begin, name))
}

fn fifo_name(begin: &str, name: &str) -> String {
    format!("{begin}{name}")
}

/// Becomes the shim of `dir`, in the environment that comes through the FIFO, answering through the other one.
pub(super) fn pane(dir: &Path, letters: &str) -> ExitCode {
    let why = become_shim(dir, letters).map_or_else(|error| error.to_string(), |never| match never {});
    if let Ok(mut log) = shim_log(dir) {
        // Nobody else can be told.
        let _ = writeln!(log, "the terminal's process: {why}");
    }
    ExitCode::FAILURE
}

fn become_shim(dir: &Path, letters: &str) -> io::Result<std::convert::Infallible> {
    let answer = record::open_pipe(dir, &fifo_name(ANSWER, letters), OFlags::WRONLY)?;
    let env = read_environment(dir, &fifo_name(ENVIRONMENT, letters))?;
    let mut shim = Command::new(SELF);
    shim.arg0("gt").args(["session", "host", "--pane"]).arg(dir).env_clear().envs(env);
    // It is the terminal that decides how it is written to.
    if let Some(term) = std::env::var_os("TERM") {
        shim.env("TERM", term);
    }
    Err(shim.current_dir("/").stdout(answer).stderr(shim_log(dir)?).exec())
}

/// Reads until the starter closes its end, which leaves no document if it was killed before that was written.
fn read_environment(dir: &Path, name: &str) -> io::Result<BTreeMap<String, String>> {
    let path = dir.join(name);
    let mut pipe = record::open_pipe(dir, name, OFlags::RDONLY)?;
    let deadline = Instant::now() + LIMIT;
    let mut bytes = Vec::new();
    loop {
        let ready = poll(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&timespec(20 * LOOK))).unwrap_or(0);
        if ready == 0 {
            if Instant::now() >= deadline || !path.exists() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the start was given up"));
            }
            continue;
        }
        let mut chunk = [0; 4096];
        match pipe.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    fs::remove_file(path)?;
    Ok(serde_json::from_slice(&bytes)?)
}

fn shim_log(dir: &Path) -> io::Result<File> {
    record::append(dir, record::SHIM_LOG)
}

/// A folder's path as an argument that neither a shell nor tmux reads anything else in.
pub(crate) fn encode(dir: &Path) -> String {
    gt_model::id::hex(dir.as_os_str().as_bytes())
}

fn decode(hex: &str) -> Option<PathBuf> {
    let digits: Option<Vec<u8>> = hex.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    Some(OsStr::from_bytes(&bytes).into())
}

/// Writes what the terminal shows, which comes through stdin, into the log of a session, up to the limit.
pub(super) fn log(dir: &str) -> ExitCode {
    match decode(dir).map(|dir| keep_log(&dir)) {
        Some(Ok(())) => ExitCode::SUCCESS,
        // tmux says nothing to nobody, and the terminal goes on without.
        _ => ExitCode::FAILURE,
    }
}

fn keep_log(dir: &Path) -> io::Result<()> {
    let plan = record::plan(dir).map_err(io::Error::other)?;
    let busy = plan.and_then(|plan| File::open(log_lock(&plan.town)).ok());
    if let Some(lock) = &busy {
        // Held by all that write logs: whoever takes the town down waits for it.
        rustix::io::retry_on_intr(|| flock(lock, FlockOperation::LockShared))?;
    }
    let log = record::append(dir, record::OUTPUT_LOG)?;
    let mut output = Output::new(io::stdin().as_fd().try_clone_to_owned()?.into(), log);
    while output.pipe.is_some() {
        output.take();
    }
    output.finish();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_can_be_an_argument() {
        for path in ["/", "/a b/'c'/#[d]/%e;", "/\u{e9}"] {
            assert_eq!(decode(&encode(Path::new(path))).as_deref(), Some(Path::new(path)));
        }
        for text in ["abc", "0g", "--"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn an_environment_of_any_size_arrives_once_and_leaves_nothing() {
        for size in [0, 10, 300_000] {
            let dir = tempfile::tempdir().expect("a folder");
            fs::write(dir.path().join("env.7"), "left by a killed start").expect("a file");
            let letters = Letters::prepare(dir.path()).expect("letters");
            let env = BTreeMap::from([("A".to_owned(), "a".repeat(size))]);
            let received = std::thread::scope(|scope| {
                let receiver = scope.spawn(|| read_environment(dir.path(), &fifo_name(ENVIRONMENT, letters.name())));
                letters.send(&env).expect("sent");
                receiver.join().expect("no panic").expect("received")
            });
            assert_eq!(received, env);
            drop(letters);
            assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 0);
        }
    }

    #[test]
    fn half_an_environment_is_none() {
        let dir = tempfile::tempdir().expect("a folder");
        let letters = Letters::prepare(dir.path()).expect("letters");
        let path = fifo(dir.path(), ENVIRONMENT, letters.name());
        std::thread::scope(|scope| {
            let receiver = scope.spawn(|| read_environment(dir.path(), &fifo_name(ENVIRONMENT, letters.name())));
            // A plain open waits for the reader.
            let mut pipe = File::options().write(true).open(&path).expect("a reader");
            pipe.write_all(b"{\"A\":").expect("written");
            drop(pipe);
            assert!(receiver.join().expect("no panic").is_err());
        });
    }

    #[test]
    fn a_start_that_was_given_up_is_not_waited_for() {
        let dir = tempfile::tempdir().expect("a folder");
        let letters = Letters::prepare(dir.path()).expect("letters");
        let path = fifo(dir.path(), ENVIRONMENT, letters.name());
        std::thread::scope(|scope| {
            let receiver = scope.spawn(|| read_environment(dir.path(), &fifo_name(ENVIRONMENT, letters.name())));
            // Opened and closed without a word would be an end; removed, it is a start given up.
            fs::remove_file(&path).expect("removed");
            assert!(receiver.join().expect("no panic").is_err());
        });
    }
}
