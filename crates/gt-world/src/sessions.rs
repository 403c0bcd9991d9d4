//! Sessions: processes of agents and of commands that the town runs for them.

use gt_model::question::Key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Descent, WorldResult};

/// Identity of one process. The kernel reuses pids, but never the three values together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The kernel's boot id.
    pub boot_id: String,
    /// The pid.
    pub pid: i32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
}

/// How an agent gets its input and where its output goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// No terminal: no keyboard input, and output goes into the log.
    #[default]
    Headless,
    /// A terminal of the town's own tmux. People can attach to it.
    Tmux,
}

impl Runtime {
    /// Returns the word for it in settings and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Headless => "headless",
            Self::Tmux => "tmux",
        }
    }
}

/// How to start a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPlan {
    /// The session's folder, which the start makes. It holds the session's record, its log and its signs of life.
    pub dir: PathBuf,
    /// The town's folder. When its `town.toml` is gone, the session ends itself.
    pub town: PathBuf,
    /// The agent's working folder.
    pub cwd: PathBuf,
    /// The agent's command.
    pub argv: Vec<String>,
    /// The agent's whole environment, identity included. In a terminal, TERM is that terminal's.
    pub env: BTreeMap<String, String>,
    /// How the agent gets its input and where its output goes.
    pub runtime: Runtime,
    /// Without a terminal: the first text on the agent's standard input. The input stays open, and [`Sessions::say`] adds to it.
    /// `None`: the agent has no input.
    pub input: Option<String>,
}

/// Returns one user message in the stream of JSON lines that clients without a terminal read.
pub fn user_message(text: &str) -> String {
    let content = serde_json::json!([{ "type": "text", "text": text }]);
    let message = serde_json::json!({ "type": "user", "message": { "role": "user", "content": content } });
    format!("{message}\n")
}

/// Limit on a line to an agent, in bytes. With its wrapping, such a line is still written in one piece.
pub const SAY_LIMIT_BYTES: usize = 1000;

/// Fate of a line to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The line was typed and entered in the terminal, or written to the input.
    Sent,
    /// The line can't be delivered now: a person is scrolling in the terminal, or the input is full.
    Busy,
    /// The agent can't be reached: it has neither a terminal nor an input, or does not run.
    NoWay,
}

/// Reason recorded for a session that ended because someone asked for it.
pub const ENDED_BY_REQUEST: &str = "ended by request";

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The exit code, if the process exited.
    pub code: Option<i32>,
    /// The signal that ended the process, if one did.
    pub signal: Option<i32>,
    /// The reason in words: "exited", [`ENDED_BY_REQUEST`], "could not start: …", "shim gone".
    pub reason: String,
}

impl Exit {
    /// Whether the program never ran.
    pub fn could_not_start(&self) -> bool {
        self.reason.starts_with(COULD_NOT_START)
    }
}

/// Reason, up to the colon, recorded for an agent or command that could not be started.
pub(crate) const COULD_NOT_START: &str = "could not start";

/// State of a session, as far as the town knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// No session was ever started in this folder.
    NotStarted,
    /// The agent runs.
    Running {
        /// The shim, which is the agent's parent.
        shim: ProcessId,
        /// The agent itself.
        agent: ProcessId,
    },
    /// The agent and every process that it started are gone.
    Ended(Exit),
    /// The facts are missing or contradict each other.
    Unknown(String),
}

/// Signs of life of a session. The town measures them without asking the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// CPU time that the session's process tree has used, in clock ticks.
    pub cpu_ticks: u64,
    /// Size of its log, in bytes.
    pub log_bytes: u64,
    /// When the agent last called `gt`, in seconds since the epoch (the time of a file).
    pub last_call: Option<i64>,
}

/// A file that exists in sandboxes only.
pub const SANDBOX_MARK: &str = "/run/gt-sandbox";

/// A bubblewrap program that can make sandboxes on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bwrap {
    /// The program.
    pub program: PathBuf,
    /// Whether it can give a sandbox its own process namespace. Many containers forbid that.
    pub own_processes: bool,
}

impl Bwrap {
    /// Describes it in words for people.
    pub fn words(&self) -> String {
        let lacks = if self.own_processes {
            ""
        } else {
            "; an agent in it sees all your processes, because this machine can't give it a process namespace"
        };
        format!("{}, and it works here{lacks}", self.program.display())
    }
}

/// A command that the town runs to its end, with no process left behind: gates, set-up, acceptance commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainedCommand {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The working folder.
    pub cwd: PathBuf,
    /// The command's whole environment.
    pub env: BTreeMap<String, String>,
    /// How long the command may take.
    pub timeout: Duration,
    /// The file for both output streams, kept up to [`LOG_LIMIT_BYTES`].
    pub log: PathBuf,
}

/// Limit on the log of one session or command, in bytes. Output beyond it is counted but not kept.
pub const LOG_LIMIT_BYTES: u64 = 16 * 1024 * 1024;

/// How many bytes of a log one read returns.
pub const LOG_CHUNK_BYTES: usize = 256 * 1024;

/// How a contained command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Exit code 0.
    Passed,
    /// Another exit code, or a signal.
    Failed(Exit),
    /// The command took longer than `timeout` allows, and its process tree was ended.
    TimedOut,
}

/// Result of a contained command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunResult {
    /// How it ended.
    pub end: RunEnd,
    /// How long the command ran.
    pub took: Duration,
    /// The last lines of its output, at most [`TAIL_LINES`].
    pub tail: Vec<String>,
}

/// How many lines of output a [`RunResult`] quotes.
pub(crate) const TAIL_LINES: usize = 20;

/// Processes of agents and of contained commands.
pub trait Sessions: Send + Sync {
    /// Starts an agent under a shim of its own. Returns once the shim has recorded the agent's process, or that the agent could
    /// not be started. Does not start a session again in a folder that already had one.
    fn start(&self, plan: &SessionPlan) -> WorldResult<()>;
    /// Asks a person a question on the terminal of the calling process and returns the line that they type. The error says why no
    /// person can answer there: the process has no terminal, or an agent's.
    fn ask_person(&self, _question: &str) -> Result<String, String> {
        Err("there is no terminal".to_owned())
    }
    /// Returns the state of the session in `dir`.
    fn state(&self, dir: &Path) -> WorldResult<SessionState>;
    /// Ends the session's process tree: politely, then by force after `grace`. Returns when the tree is gone, or an error.
    /// Signals a process only if the session recorded it and its pid still belongs to it. Does nothing if the session does not
    /// run.
    fn end(&self, dir: &Path, grace: Duration) -> WorldResult<()>;
    /// Returns the signs of life of the sessions in `dirs`, in the same order, all from one listing of the machine's processes.
    fn vitals(&self, dirs: &[PathBuf]) -> Vec<WorldResult<Vitals>>;
    /// Returns the size of the log of the session in `dir`, in bytes; 0 where there is none.
    fn log_size(&self, dir: &Path) -> u64;
    /// Runs a command to its end, in its own process group under a shim. The shim ends the whole process tree when the command is
    /// over, when it takes too long, or when the caller is gone.
    fn run(&self, command: &ContainedCommand) -> WorldResult<RunResult>;
    /// Whether this process, and so every process that it starts, is the system's administrator (root).
    fn runs_as_root(&self) -> bool {
        false
    }
    /// Returns how many bytes of memory are available without swapping others out; `None` where the system can't tell.
    fn free_memory(&self) -> Option<u64> {
        None
    }
    /// Returns the pids of boot and deacon processes of a town that was at `town` before, or that was moved from another path to
    /// `town`. Such a process names `town` on its command line but holds none of the `locks`, or holds one under another path.
    /// This method only looks and ends none of them.
    fn former_daemons(&self, _town: &Path, _locks: &[PathBuf]) -> Vec<i32> {
        Vec::new()
    }
    /// Returns what stands above the calling process, of any town.
    fn descent(&self) -> Descent {
        Descent::default()
    }
    /// Whether any of these processes is an ancestor of the calling one.
    fn is_descendant_of_any(&self, processes: &[ProcessId]) -> bool;
    /// Whether the calling process is in a sandbox of ours. A process in there can't see its parents outside.
    fn is_in_sandbox(&self) -> bool;
    /// Returns the version of the tmux in this PATH. The error says why it can't be used for [`Runtime::Tmux`].
    fn tmux(&self, path: &str) -> Result<String, String>;
    /// Returns the bubblewrap in this PATH if it can make a sandbox. The error says why not.
    fn bwrap(&self, path: &str) -> Result<Bwrap, String>;
    /// Returns how the session in `dir` was started; `None` where none was.
    fn runtime(&self, dir: &Path) -> WorldResult<Option<Runtime>>;
    /// Returns the session's log from byte `from` on, at most [`LOG_CHUNK_BYTES`] of it.
    fn log(&self, dir: &Path, from: u64) -> WorldResult<Vec<u8>>;
    /// Returns what the terminal of a session shows, preceded by at most `scrolled` lines that have scrolled out of it. `None`
    /// where the session has no terminal (any more).
    fn screen(&self, dir: &Path, scrolled: u32) -> WorldResult<Option<String>>;
    /// Shows the terminal of a session in the caller's own one, until the caller detaches or the session ends. `env` is the
    /// caller's environment. Returns false where the session has no terminal (any more).
    fn attach(&self, dir: &Path, env: &BTreeMap<String, String>) -> WorldResult<bool>;
    /// Sends one line to the agent in `dir`. Into a terminal, it types the line and first clears what was being typed there; into
    /// an input, it writes a message. Only fixed lines of ours may be sent, never the words of others: a line with control
    /// characters, or longer than [`SAY_LIMIT_BYTES`], is an error. The caller must know whether the agent is at its prompt.
    fn say(&self, dir: &Path, line: &str) -> WorldResult<Said>;
    /// Presses a key in the terminal of the session in `dir`. The caller must know whether the program there expects it.
    fn press(&self, _dir: &Path, _key: Key) -> WorldResult<Said> {
        Ok(Said::NoWay)
    }
    /// Ends the server of the terminals of a town's sessions (never a user's own tmux), and waits until it is gone. Call it when
    /// no session is left.
    fn close_terminals(&self, town: &Path) -> WorldResult<()>;
}
