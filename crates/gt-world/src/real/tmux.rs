//! The town's own tmux: a server at its own socket. The first session that needs it starts it, and it ends with the last session.
//! It reads no user's settings, and the town never talks to another server.
#![expect(clippy::disallowed_methods, reason = "runs tmux, and reckons the deadlines of real processes")]

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use gt_model::question::Key;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Signal, getuid};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::process;
use super::shim::pane::{Letters, encode};
use super::shim::timespec;
use crate::Said;

/// The oldest usable tmux.
const OLDEST: (u32, u32) = (3, 0);
/// Limit on a socket's path in bytes, without the NUL at its end.
const SOCKET_PATH_LIMIT: usize = 107;
/// How long a server may take to accept a session. A server that is about to end accepts none.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// Pause between two tries.
const OPEN_PAUSE: Duration = Duration::from_millis(20);
/// How long a server may take to end.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);
/// Columns and lines of a terminal without attached clients.
const SIZE: (&str, &str) = ("200", "50");

/// Commands for one of our servers before its first session.
const SETTINGS: &[&[&str]] = &[
    // No variable of an attaching user reaches the sessions.
    &["set-option", "-g", "update-environment", ""],
    &["set-option", "-g", "default-terminal", "screen-256color"],
    &["set-option", "-g", "default-shell", "/bin/sh"],
    &["set-option", "-g", "remain-on-exit", "off"],
    &["set-option", "-g", "history-limit", "20000"],
    &["set-option", "-g", "automatic-rename", "off"],
    &["set-option", "-s", "set-clipboard", "off"],
    &["set-option", "-s", "escape-time", "10"],
];

/// A session's place in its town's tmux; part of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terminal {
    /// The tmux program that started it.
    program: PathBuf,
    /// The folder (TMUX_TMPDIR) of the server's socket.
    pub(super) folder: PathBuf,
    /// The server's name.
    server: String,
    /// The session's name.
    session: String,
}

impl Terminal {
    /// Chooses the terminal for the session in `dir`, with the tmux in `path`. The error says why there is none.
    pub(super) fn choose(town: &Path, dir: &Path, path: &str) -> io::Result<Self> {
        usable(path).map_err(io::Error::other)?;
        let program = find("tmux", path).ok_or(io::ErrorKind::NotFound)?;
        let (folder, server) = Place::of(town)?.make()?;
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let session = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
        Ok(Self { program, folder, server, session })
    }

    /// Returns a command for tmux as a client of that server. Its environment holds nothing that a server started by it should
    /// not have.
    pub(super) fn tmux(&self, env: &BTreeMap<String, String>) -> Command {
        let mut command = Command::new(&self.program);
        self.as_client(&mut command, env);
        command
    }

    fn as_client(&self, command: &mut Command, env: &BTreeMap<String, String>) {
        command.args(["-u", "-f", "/dev/null", "-L", &self.server]);
        command.env_clear().env("TMUX_TMPDIR", &self.folder).env("SHELL", "/bin/sh").current_dir("/");
        let is_locale = |name: &str| name == "LANG" || name.starts_with("LC_");
        command.envs(env.iter().filter(|(name, _)| *name == "PATH" || is_locale(name)));
        command.stdin(Stdio::null());
    }

    /// Returns the exact name of the session's one pane.
    pub(super) fn pane(&self) -> String {
        format!("={}:", self.session)
    }

    /// Starts the shim of `dir` in a new terminal, with its log. The error has tmux's last message.
    pub(super) fn open(
        &self,
        gt: &Path,
        dir: &Path,
        letters: &Letters,
        env: &BTreeMap<String, String>,
    ) -> io::Result<()> {
        let deadline = Instant::now() + OPEN_LIMIT;
        loop {
            let output = self.opening(gt, dir, letters, env).output()?;
            if output.status.success() {
                return Ok(());
            }
            // The server may be ending with its last session, or a killed start's terminal may still exist.
            if Instant::now() >= deadline {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Err(io::Error::other(format!("tmux: {said}")));
            }
            std::thread::sleep(OPEN_PAUSE);
        }
    }

    fn opening(&self, gt: &Path, dir: &Path, letters: &Letters, env: &BTreeMap<String, String>) -> Command {
        let mut tmux = Command::new(gt);
        tmux.args(["session", "below"]).arg(&self.program);
        self.as_client(&mut tmux, env);
        tmux.arg("start-server").arg(";");
        for setting in SETTINGS {
            tmux.args(*setting).arg(";");
        }
        tmux.args(["new-session", "-d", "-s", &self.session, "-c", "/", "-x", SIZE.0, "-y", SIZE.1, "--"]);
        tmux.arg(gt).args(["session", "pane"]).arg(dir).arg(letters.name()).arg(";");
        tmux.args(["pipe-pane", "-t", &self.pane()]);
        tmux.arg(format!("exec {} session log-pane {}", quote(gt), encode(dir)));
        tmux
    }

    /// Returns what the terminal shows; `None` if it is gone.
    pub(super) fn screen(&self, scrolled: u32) -> io::Result<Option<String>> {
        let start = format!("-{scrolled}");
        let mut tmux = self.tmux(&BTreeMap::new());
        let output = tmux.args(["capture-pane", "-p", "-J", "-S", &start, "-t", &self.pane()]).output()?;
        Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    /// Types a line into the terminal in place of the text that was being typed there, and enters it. Does nothing while an
    /// attached person scrolls back.
    pub(super) fn say(&self, line: &str) -> io::Result<Said> {
        let pane = self.pane();
        let state = self.output(&["display-message", "-p", "-t", &pane, "#{pane_in_mode} #{session_attached}"], "")?;
        let Some(state) = state else { return Ok(Said::NoWay) };
        match state.trim().split_once(' ') {
            Some(("0", _)) => {}
            Some((_, "0")) => _ = self.output(&["send-keys", "-t", &pane, "-X", "cancel"], "")?,
            Some(_) => return Ok(Said::Busy),
            None => return Ok(Said::NoWay),
        }
        let buffer = format!("gt-{}", self.session);
        let typing = [
            &["load-buffer", "-b", &buffer, "-", ";"][..],
            &["send-keys", "-t", &pane, "C-u", ";"],
            // Pasted as bracketed text if the program asks for that, so nothing in it acts as a key.
            &["paste-buffer", "-d", "-p", "-b", &buffer, "-t", &pane, ";"],
            &["send-keys", "-t", &pane, "Enter"],
        ];
        let typed = self.output(&typing.concat(), line)?;
        Ok(if typed.is_some() { Said::Sent } else { Said::NoWay })
    }

    /// Presses one key in the terminal. Does nothing while an attached person scrolls back.
    pub(super) fn press(&self, key: Key) -> io::Result<Said> {
        let pane = self.pane();
        let mode = self.output(&["display-message", "-p", "-t", &pane, "#{pane_in_mode}"], "")?;
        let name = match key {
            Key::Up => "Up",
            Key::Down => "Down",
            Key::Enter => "Enter",
            Key::Escape => "Escape",
        };
        match mode.as_deref().map(str::trim) {
            Some("0") => {}
            Some(_) => return Ok(Said::Busy),
            None => return Ok(Said::NoWay),
        }
        let pressed = self.output(&["send-keys", "-t", &pane, name], "")?;
        Ok(if pressed.is_some() { Said::Sent } else { Said::NoWay })
    }

    /// Runs tmux with `input` at its stdin and returns its output; `None` if tmux refuses.
    fn output(&self, args: &[&str], input: &str) -> io::Result<Option<String>> {
        let mut tmux = self.tmux(&BTreeMap::new());
        let mut child = tmux.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // Without a server, tmux may have ended before it has read the input.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output()?;
        Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    /// Shows the terminal in the caller's own one until the caller detaches. Returns false if the terminal is gone.
    pub(super) fn attach(&self, env: &BTreeMap<String, String>) -> io::Result<bool> {
        let is_there = self.tmux(env).args(["has-session", "-t", &format!("={}", self.session)]).output()?;
        if !is_there.status.success() {
            return Ok(false);
        }
        let mut tmux = self.tmux(env);
        tmux.envs(env.iter().filter(|(name, _)| ["TERM", "COLORTERM"].contains(&name.as_str())));
        let status = tmux.args(["attach-session", "-t", &self.pane()]).stdin(Stdio::inherit()).status()?;
        if status.success() { Ok(true) } else { Err(io::Error::other(format!("tmux ended with {status}"))) }
    }
}

/// The place of the socket of a town's server.
#[derive(Debug)]
struct Place {
    folder: PathBuf,
    server: String,
}

impl Place {
    /// Chooses a folder in the town if the path is short enough for a socket. Otherwise chooses one among the user's files that
    /// the system removes at shutdown.
    fn of(town: &Path) -> io::Result<Self> {
        let town = town.canonicalize()?;
        let digest = Sha256::digest(town.as_os_str().as_bytes());
        let hash: String = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
        let in_town = Self { folder: town.join("deacon"), server: format!("gt-{hash}") };
        if in_town.socket().as_os_str().len() <= SOCKET_PATH_LIMIT {
            return Ok(in_town);
        }
        let uid = getuid().as_raw();
        let runtime = PathBuf::from(format!("/run/user/{uid}"));
        let ours = fs::metadata(&runtime).is_ok_and(|folder| folder.is_dir() && folder.uid() == uid);
        let folder = if ours { runtime.join("gt") } else { format!("/tmp/gt-{uid}").into() };
        // Outside the town, a server may outlive the town's folder. A new folder at this path must get another
        // server.
        let server = format!("gt-{hash}-{:x}", fs::metadata(&town)?.ino());
        Ok(Self { folder, server })
    }

    /// Returns the socket's path, as tmux builds it.
    fn socket(&self) -> PathBuf {
        self.folder.join(format!("tmux-{}", getuid().as_raw())).join(&self.server)
    }

    /// Makes the folder. Outside the town, it lets no other user look into it.
    fn make(self) -> io::Result<(PathBuf, String)> {
        if let Err(error) = DirBuilder::new().mode(0o700).create(&self.folder)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
        let found = fs::symlink_metadata(&self.folder)?;
        let is_shared = self.folder.starts_with("/tmp/") && self.folder.components().count() == 3;
        let private = found.is_dir() && found.uid() == getuid().as_raw() && found.permissions().mode() & 0o077 == 0;
        if is_shared && !private {
            let what = format!("{} is not a private folder of this user", self.folder.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        }
        Ok((self.folder, self.server))
    }
}

/// Returns the lock that each process holds (shared) while it writes the log of one of the town's terminals.
pub(super) fn log_lock(town: &Path) -> PathBuf {
    town.join("deacon/terminal-logs.lock")
}

/// Makes that lock, in a town that exists.
pub(super) fn make_log_lock(town: &Path) -> io::Result<()> {
    let path = log_lock(town);
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    File::options().create(true).truncate(false).write(true).open(path).map(drop)
}

/// Ends the server of a town, if one runs, and waits until the server and the writers of logs are gone.
pub(super) fn close(town: &Path) -> io::Result<()> {
    let socket = Place::of(town)?.socket();
    // The kernel tells which process answers, so no tmux client is needed. A client might start a server.
    if let Ok(stream) = UnixStream::connect(&socket) {
        let pid = socket_peercred(&stream)?.pid.as_raw_pid();
        if let Some(server) = process::identify(pid)
            && let Some(handle) = process::open(&server)?
        {
            process::signal(&server, Signal::TERM)?;
            drop(stream);
            let ended = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&timespec(CLOSE_LIMIT)))?;
            if ended == 0 {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("tmux (pid {pid}) does not end")));
            }
        }
    }
    remove(&socket)?;
    await_logs(town)
}

fn remove(socket: &Path) -> io::Result<()> {
    match fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn await_logs(town: &Path) -> io::Result<()> {
    let Ok(lock) = File::open(log_lock(town)) else { return Ok(()) };
    let deadline = Instant::now() + CLOSE_LIMIT;
    while flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        if Instant::now() >= deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the writers of the terminals' logs do not end"));
        }
        std::thread::sleep(OPEN_PAUSE);
    }
    Ok(())
}

/// Finds a program in a PATH.
pub(super) fn find(program: &str, path: &str) -> Option<PathBuf> {
    let candidates =
        path.split(':').filter(|folder| folder.starts_with('/')).map(|folder| Path::new(folder).join(program));
    candidates
        .into_iter()
        .find(|file| fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0))
}

/// Returns the version of the tmux in a PATH. The error says why it is not usable.
pub(super) fn usable(path: &str) -> Result<String, String> {
    let program = find("tmux", path).ok_or("no tmux is in the PATH")?;
    let said = what_it_says(&program).map_err(|error| format!("{}: {error}", program.display()))?;
    if version(&said).is_some_and(|version| version >= OLDEST) {
        return Ok(said);
    }
    Err(format!("{} says `{said}`, and 3.0 or newer is needed", program.display()))
}

/// The last program with its file's time and its version, so that a process asks only once and not at each start of a session.
static SAID: Mutex<Option<(PathBuf, SystemTime, String)>> = Mutex::new(None);

fn what_it_says(program: &Path) -> io::Result<String> {
    let time = fs::metadata(program)?.modified()?;
    let mut known = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, _, said)) = known.as_ref().filter(|(path, of, _)| path == program && *of == time) {
        return Ok(said.clone());
    }
    let output = Command::new(program).arg("-V").env_clear().stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    *known = Some((program.to_owned(), time, said.clone()));
    Ok(said)
}

/// Parses the version in `tmux 3.3a`, `tmux next-3.4`, `tmux 3.5-rc`.
fn version(said: &str) -> Option<(u32, u32)> {
    let number = said.strip_prefix("tmux ")?.trim_start_matches(|c: char| !c.is_ascii_digit());
    let (major, rest) = number.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Quotes a path as a shell word, in a text in which tmux expands formats and times.
fn quote(path: &Path) -> String {
    let word = format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    word.replace('#', "##").replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_tmux_says_them() {
        for (said, expected) in [
            ("tmux 3.3a", Some((3, 3))),
            ("tmux next-3.4", Some((3, 4))),
            ("tmux 3.5-rc2", Some((3, 5))),
            ("tmux openbsd-7.2", Some((7, 2))),
            ("tmux 2.9a", Some((2, 9))),
            ("tmux 3.12", Some((3, 12))),
            ("tmux master", None),
            ("screen 4.9", None),
            ("", None),
        ] {
            assert_eq!(version(said), expected, "{said}");
        }
    }

    #[test]
    fn a_socket_is_in_the_town_where_it_fits() {
        let root = tempfile::tempdir().expect("a folder");
        let short = Place::of(root.path()).expect("a place");
        assert!(short.socket().starts_with(root.path().join("deacon")));
        let long = root.path().join("x".repeat(100));
        fs::create_dir(&long).expect("a folder");
        let other = Place::of(&long).expect("a place");
        assert!(!other.socket().starts_with(root.path()) && other.server != short.server);
        assert!(other.socket().as_os_str().len() <= SOCKET_PATH_LIMIT);
    }

    #[test]
    fn a_path_is_one_word_whatever_is_in_it() {
        assert_eq!(quote(Path::new("/a b/it's/#x/100%")), r"'/a b/it'\''s/##x/100%%'");
    }
}
