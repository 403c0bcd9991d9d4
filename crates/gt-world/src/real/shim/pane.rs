//! The process of a terminal, which gets the environment and becomes the shim, and the process that writes the terminal's log.
//!
//! A process that tmux starts has tmux's environment. Everything that one tells tmux can be read back from it, and stands in
//! process tables. The agent's environment holds a secret, so the starter sends it to the shim through a FIFO that only the user
//! can open, once.
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
/// How often a waiting side checks whether the other has given up.
const LOOK: Duration = Duration::from_millis(5);
/// Prefixes of the FIFOs' names.
const ENVIRONMENT: &str = "env.";
const ANSWER: &str = "ack.";

/// The starter's ends of the FIFOs. Dropping this removes the FIFOs.
#[derive(Debug)]
pub(crate) struct Letters {
    dir: PathBuf,
    name: String,
    /// The pipe on which the shim answers.
    pub answers: PipeReader,
}

impl Letters {
    /// Makes the FIFOs and removes those that a killed start has left. The caller must hold the start's lock.
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
        // Opened before the shim starts, so that the shim finds a reader.
        let answers = record::open_pipe(dir, &fifo_name(ANSWER, &name), OFlags::RDONLY)?;
        Ok(Self { dir: dir.to_owned(), name, answers: std::os::fd::OwnedFd::from(answers).into() })
    }

    /// Returns the name that leads the shim to the FIFOs.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Sends the environment to the shim as soon as the shim reads.
    pub(crate) fn send(&self, env: &BTreeMap<String, String>) -> io::Result<()> {
        let deadline = Instant::now() + LIMIT;
        let name = fifo_name(ENVIRONMENT, &self.name);
        let mut pipe = loop {
            match record::open_pipe(&self.dir, &name, OFlags::WRONLY) {
                // No process reads yet.
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
            // The shim may have removed the FIFO, or another process the whole folder.
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

/// Becomes the shim of `dir`, with the environment that it reads from one FIFO. It answers through the other.
pub(super) fn pane(dir: &Path, letters: &str) -> ExitCode {
    let why = become_shim(dir, letters).map_or_else(|error| error.to_string(), |never| match never {});
    if let Ok(mut log) = shim_log(dir) {
        // There is no other place for this message.
        let _ = writeln!(log, "the terminal's process: {why}");
    }
    ExitCode::FAILURE
}

fn become_shim(dir: &Path, letters: &str) -> io::Result<std::convert::Infallible> {
    let answer = record::open_pipe(dir, &fifo_name(ANSWER, letters), OFlags::WRONLY)?;
    let env = read_environment(dir, &fifo_name(ENVIRONMENT, letters))?;
    let mut shim = Command::new(SELF);
    shim.arg0("gt").args(["session", "host", "--pane"]).arg(dir).env_clear().envs(env);
    // The terminal decides how programs must write to it.
    if let Some(term) = std::env::var_os("TERM") {
        shim.env("TERM", term);
    }
    Err(shim.current_dir("/").stdout(answer).stderr(shim_log(dir)?).exec())
}

/// Reads until the starter closes its end. If the starter was killed before it had written everything, the text is no valid
/// document.
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

/// Encodes a folder's path as an argument that neither a shell nor tmux interprets.
pub(crate) fn encode(dir: &Path) -> String {
    gt_model::id::hex(dir.as_os_str().as_bytes())
}

fn decode(hex: &str) -> Option<PathBuf> {
    let digits: Option<Vec<u8>> = hex.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    Some(OsStr::from_bytes(&bytes).into())
}

/// Copies what the terminal shows, from stdin, into the log of a session, up to the limit.
pub(super) fn log(dir: &str) -> ExitCode {
    match decode(dir).map(|dir| keep_log(&dir)) {
        Some(Ok(())) => ExitCode::SUCCESS,
        // tmux reports this to no one, and the terminal goes on without a log.
        _ => ExitCode::FAILURE,
    }
}

fn keep_log(dir: &Path) -> io::Result<()> {
    let plan = record::plan(dir).map_err(io::Error::other)?;
    let busy = plan.and_then(|plan| File::open(log_lock(&plan.town)).ok());
    if let Some(lock) = &busy {
        // All processes that write logs share this lock; taking the town down waits for it.
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
            // Opening and closing the FIFO without writing would be an end of file. Removing it means that the start was given
            // up.
            fs::remove_file(&path).expect("removed");
            assert!(receiver.join().expect("no panic").is_err());
        });
    }
}
