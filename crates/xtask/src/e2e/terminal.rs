//! A terminal for one client: a tmux server of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::bench::{finish, path};

/// The server; it ends when this is dropped.
pub struct Terminal {
    socket: PathBuf,
    env: BTreeMap<String, String>,
}

impl Terminal {
    /// Starts `words` in `folder` with an environment of nothing but `env`.
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

    /// What is on the screen.
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

    /// The pid of the client.
    pub fn pid(&self) -> Result<i32, String> {
        let answer = self.say(&["display-message", "-p", "#{pane_pid}"])?;
        answer.trim().parse().map_err(|_| format!("no pid: {answer}"))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended with its client.
        let _ended = self.say(&["kill-server"]);
    }
}
