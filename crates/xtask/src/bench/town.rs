//! A temporary town with one rig, whose workers only wait.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// Number of files in the project.
const FILES: usize = 300;

/// The rig's name.
pub const RIG: &str = "bench";

/// Longest wait for any event.
const LIMIT: Duration = Duration::from_secs(120);

/// Pause between two questions. Each costs the machine a process, and the measured times come from the ledger anyway.
const ASK_EVERY: Duration = Duration::from_millis(300);

/// A town in a temporary folder. It runs from its making until it is dropped.
pub struct BenchTown {
    folder: tempfile::TempDir,
    gt: PathBuf,
}

/// How to make a town.
pub struct Plan<'a> {
    /// Number of open beads.
    pub beads: usize,
    /// Runtime of its sessions.
    pub runtime: &'a str,
    /// How many workers it may have at the same time.
    pub polecats: usize,
    /// Number of beads that have landed before.
    pub behind: u32,
}

impl BenchTown {
    /// Makes a town with a rig of [`FILES`] files, and starts it.
    pub fn start(gt: &Path, plan: &Plan<'_>) -> Result<Self, String> {
        let Plan { beads, runtime, polecats, behind } = *plan;
        let folder = tempfile::Builder::new().prefix("gt-bench-").tempdir().map_err(text)?;
        let town = Self { folder, gt: gt.to_owned() };
        town.make_project()?;
        town.gt(&["install", &path(&town.root())])?;
        let settings = format!(
            "version = 1\nagent = \"wait\"\nmax_polecats = {polecats}\nruntime = \"{runtime}\"\n\n[agents.wait]\ncommand = [\"sleep\", \"86400\"]\n"
        );
        std::fs::write(town.root().join("town.toml"), settings).map_err(text)?;
        town.gt(&["rig", "add", RIG, &path(&town.remote()), "--prefix", "be", "--skip-proof"])?;
        // A rig without a gate is held. No measurement runs this gate.
        town.gt(&["rig", "gates", "add", RIG, "fine", "true"])?;
        town.gt(&["rig", "release", RIG])?;
        let file = town.folder().join("beads.jsonl");
        std::fs::write(&file, (1..=beads).map(bead_line).collect::<String>()).map_err(text)?;
        town.gt(&["bead", "import", &path(&file)])?;
        super::past::leave(&town, behind)?;
        town.gt(&["up"])?;
        Ok(town)
    }

    /// Returns the folder of the town, the project and the benchmark's other files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the town's folder.
    pub fn root(&self) -> PathBuf {
        self.folder().join("town")
    }

    /// Returns the project's bare remote.
    pub fn remote(&self) -> PathBuf {
        self.folder().join("remote.git")
    }

    fn make_project(&self) -> Result<(), String> {
        let work = self.folder().join("work");
        for at in 0..FILES {
            let file = work.join(format!("src/part{}/file{at}.txt", at % 20));
            std::fs::create_dir_all(file.parent().unwrap_or(&work)).map_err(text)?;
            let line = format!("line of file {at}\n");
            std::fs::write(file, line.repeat(40)).map_err(text)?;
        }
        std::fs::create_dir_all(self.folder().join("home")).map_err(text)?;
        let dir = path(&work);
        finish(self.command("git").args(["init", "-q", "-b", "main", &dir]))?;
        finish(self.command("git").args(["-C", &dir, "add", "."]))?;
        finish(self.command("git").args(["-C", &dir, "commit", "-q", "-m", "Begin"]))?;
        finish(self.command("git").args(["clone", "-q", "--bare", &dir, &path(&self.remote())]))?;
        Ok(())
    }

    /// Returns a command with a small environment that is the same on every machine.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
        command.env("HOME", self.folder().join("home")).env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GT_TOWN", self.root()).current_dir(self.folder());
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "Bench").env(format!("GIT_{role}_EMAIL"), "bench@example.invalid");
        }
        command.stdin(Stdio::null());
        command
    }

    /// Returns the measured `gt`.
    pub fn gt_path(&self) -> &Path {
        &self.gt
    }

    /// Runs one verb and returns its output.
    pub fn gt(&self, words: &[&str]) -> Result<String, String> {
        finish(self.command(&self.gt).args(words))
    }

    fn facts(&self, words: &[&str], field: &str) -> Result<Vec<Value>, String> {
        let words = [words, &["--json"]].concat();
        let document: Value = serde_json::from_str(&self.gt(&words)?).map_err(text)?;
        document[field].as_array().cloned().ok_or_else(|| format!("gt {} gave no {field}", words.join(" ")))
    }

    /// Returns when, by the ledger, an event happened to a bead, oldest first.
    pub fn times(&self, bead: &str, event: &str) -> Result<Vec<Timestamp>, String> {
        let events = self.facts(&["log", bead, "-n", "1000"], "events")?;
        let those = events.iter().filter(|e| e["event"] == event);
        those.map(|e| e["at"].as_str().unwrap_or_default().parse().map_err(text)).collect()
    }

    /// Waits until an event has happened to a bead `count` times. Returns the last time.
    pub fn await_event(&self, bead: &str, event: &str, count: usize) -> Result<Timestamp, String> {
        let start = Instant::now();
        loop {
            std::thread::sleep(ASK_EVERY);
            if let Some(at) = self.times(bead, event)?.get(count - 1) {
                return Ok(*at);
            }
            if start.elapsed() > LIMIT {
                return Err(format!("{bead}: no {event} within {} s\n{}", LIMIT.as_secs(), self.gt(&["why", bead])?));
            }
        }
    }

    /// Slings beads and waits until all have a session.
    pub fn sling(&self, beads: &[String]) -> Result<(), String> {
        let mut words = vec!["sling"];
        words.extend(beads.iter().map(String::as_str));
        words.push(RIG);
        self.gt(&words)?;
        beads.iter().try_for_each(|bead| self.await_event(bead, "effect-start-session", 1).map(|_| ()))
    }

    /// Unslings beads and waits until their worktrees are in the archive.
    pub fn unsling(&self, beads: &[String]) -> Result<(), String> {
        let mut words = vec!["unsling"];
        words.extend(beads.iter().map(String::as_str));
        self.gt(&words)?;
        beads.iter().try_for_each(|bead| self.await_event(bead, "worktree-archived", 1).map(|_| ()))
    }

    /// Returns the running sessions: (bead, shim, agent).
    pub fn sessions(&self) -> Result<Vec<(String, Process, Process)>, String> {
        let rows = self.facts(&["session", "list"], "sessions")?;
        let running = rows.iter().filter(|row| row["state"] == "running");
        running
            .map(|row| {
                let bead = row["bead"].as_str().unwrap_or_default().to_owned();
                Ok((bead, Process::recorded(&row["shim"])?, Process::recorded(&row["agent"])?))
            })
            .collect()
    }

    /// Returns the process of boot or the deacon, which is the one that holds its lock according to the kernel.
    pub fn daemon(&self, role: &str) -> Result<Process, String> {
        let lock = self.root().join(format!("deacon/locks/{role}.lock"));
        let inode = std::fs::metadata(&lock).map_err(text)?.ino();
        let locks = std::fs::read_to_string("/proc/locks").map_err(text)?;
        let holder = locks.lines().find_map(|line| holder_of(line, inode));
        let pid = holder.ok_or_else(|| format!("nobody holds {}", lock.display()))?;
        Ok(Process { pid, start_ticks: start_ticks(pid).ok_or("it has ended")? })
    }
}

impl Drop for BenchTown {
    fn drop(&mut self) {
        // The next look at the process table shows what is left running; there is no other place for this error.
        if let Err(error) = self.gt(&["down", "--now"]) {
            println!("error: {error}");
        }
    }
}

/// Returns the holder in a line of /proc/locks (`1: FLOCK ADVISORY WRITE <pid> <major>:<minor>:<inode> 0 EOF`).
fn holder_of(line: &str, inode: u64) -> Option<i32> {
    let mut words = line.split_whitespace().skip(1);
    let (kind, pid, file) = (words.next()?, words.nth(2)?, words.next()?);
    let is_it = kind == "FLOCK" && file.rsplit(':').next()?.parse() == Ok(inode);
    is_it.then(|| pid.parse().ok()).flatten()
}

/// A process that the town has recorded, or that holds one of its locks according to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its pid.
    pub pid: i32,
    start_ticks: u64,
}

impl Process {
    fn recorded(value: &Value) -> Result<Self, String> {
        let pid = value["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        let (pid, ticks) = pid.zip(value["start_ticks"].as_u64()).ok_or_else(|| format!("no process: {value}"))?;
        Ok(Self { pid, start_ticks: ticks })
    }

    /// Sends SIGKILL, unless the pid belongs to another process by now.
    pub fn kill(self) -> Result<(), String> {
        let pid = Pid::from_raw(self.pid).filter(|_| start_ticks(self.pid) == Some(self.start_ticks));
        let pid = pid.ok_or_else(|| format!("the process {} has ended by itself", self.pid))?;
        kill_process(pid, Signal::KILL).map_err(text)
    }

    /// Returns a variable of the environment with which the process was started.
    pub fn variable(self, name: &str) -> Result<String, String> {
        let bytes = std::fs::read(format!("/proc/{}/environ", self.pid)).map_err(text)?;
        let environ = String::from_utf8_lossy(&bytes).into_owned();
        let value = environ.split('\0').find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='));
        value.map(str::to_owned).ok_or_else(|| format!("the process {} has no {name}", self.pid))
    }
}

/// Returns the fields of /proc/<pid>/stat after the program's name; the first is the state.
pub fn stat(pid: i32) -> Option<Vec<String>> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(line.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn start_ticks(pid: i32) -> Option<u64> {
    stat(pid)?.get(19)?.parse().ok()
}

/// Returns the id of the bead with this number.
pub fn bead(number: usize) -> String {
    format!("be-t{number:04}")
}

fn bead_line(number: usize) -> String {
    let at = "2026-01-02T03:04:05Z";
    let line = json!({
        "id": bead(number), "title": format!("Task number {number}"), "status": "open", "priority": 2,
        "issue_type": "task", "created_at": at, "updated_at": at,
        "description": "Something is to be done, and this says what, in as many words as people use. ".repeat(5),
    });
    format!("{line}\n")
}

/// Runs a program, which must succeed, and returns its output.
pub fn finish(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("{command:?} can't be started: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// Returns a path as a word of a command line.
pub fn path(path: &Path) -> String {
    path.display().to_string()
}

/// Returns an error as text.
pub fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_found_by_the_inode() {
        for (line, expected) in [
            ("1: FLOCK  ADVISORY  WRITE 4711 fe:01:99 0 EOF", Some(4711)),
            ("1: FLOCK  ADVISORY  WRITE 4711 fe:01:98 0 EOF", None),
            ("2: POSIX  ADVISORY  WRITE 4711 fe:01:99 0 EOF", None),
            ("1: -> FLOCK  ADVISORY  WRITE 4711 fe:01:99 0 EOF", None),
        ] {
            assert_eq!(holder_of(line, 99), expected, "{line}");
        }
    }
}
