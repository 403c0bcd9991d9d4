//! A terminal for one client: a separate tmux server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::processes;
use crate::bench::{finish, path};

/// Pause for a person's look at the screen before a key press.
const SETTLE: Duration = Duration::from_secs(2);

/// Longest wait for the effect of one key, or for a client's end.
const PATIENCE: Duration = Duration::from_secs(40);

/// The tmux server. It ends when this is dropped.
pub struct Terminal {
    socket: PathBuf,
    env: BTreeMap<String, String>,
}

impl Terminal {
    /// Starts `words` in `folder` with exactly the environment `env`.
    pub fn start(
        socket: &Path,
        folder: &Path,
        env: &BTreeMap<String, String>,
        words: &[String],
    ) -> Result<Self, String> {
        let terminal = Self { socket: socket.to_owned(), env: env.clone() };
        let place = path(folder);
        let mut begin = vec!["-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", "-c", &place, "--"];
        begin.extend(words.iter().map(String::as_str));
        terminal.say(&begin)?;
        Ok(terminal)
    }

    fn say(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new("tmux");
        command.env_clear().envs(&self.env).stdin(Stdio::null()).arg("-S").arg(&self.socket).args(words);
        finish(&mut command)
    }

    /// Returns the text on the screen.
    pub fn screen(&self) -> String {
        self.say(&["capture-pane", "-p", "-S", "-200"]).unwrap_or_default()
    }

    /// Types a line into the prompt.
    pub fn type_line(&self, line: &str) -> Result<(), String> {
        self.say(&["send-keys", "C-u"])?;
        self.say(&["send-keys", "-l", line])?;
        self.say(&["send-keys", "Enter"]).map(|_| ())
    }

    /// Presses one key.
    pub fn press(&self, key: &str) -> Result<(), String> {
        self.say(&["send-keys", key]).map(|_| ())
    }

    /// Returns the pid of the client.
    pub fn pid(&self) -> Result<i32, String> {
        let answer = self.say(&["display-message", "-p", "#{pane_pid}"])?;
        answer.trim().parse().map_err(|_| format!("no pid: {answer}"))
    }
}

impl Terminal {
    /// Answers "yes" to the client's question on the screen.
    pub fn trusts(&self) -> Result<(), String> {
        // The client draws the question again when it has fully started, and forgets earlier keys.
        std::thread::sleep(SETTLE);
        self.press("Down")?;
        processes::until("the answer", PATIENCE, || {
            self.screen().contains("❯ Yes, I trust this folder").then_some(())
        })?;
        std::thread::sleep(SETTLE);
        self.press("Enter")
    }

    /// Ends the client, and waits until it has saved its files.
    pub fn ends(self) -> Result<(), String> {
        let process = PathBuf::from(format!("/proc/{}", self.pid()?));
        drop(self);
        processes::until("the client's end", PATIENCE, || (!process.exists()).then_some(()))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The server may have ended with its client.
        let _ended = self.say(&["kill-server"]);
    }
}
