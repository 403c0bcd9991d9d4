//! Sessions: processes of agents and of commands that the town runs for them.

use gt_model::question::Key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Descent, WorldResult};

/// One process, for good: a pid is used again, the three together never.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The kernel's boot id.
    pub boot_id: String,
    /// The pid.
    pub pid: i32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
}

/// What an agent's input and output are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// No terminal: no input, output into the log.
    #[default]
    Headless,
    /// A terminal of the town's own tmux, which people can attach to.
    Tmux,
}

impl Runtime {
    /// The word in settings and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Headless => "headless",
            Self::Tmux => "tmux",
        }
    }
}

/// How a session is to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPlan {
    /// The session's folder (made by the start): its record, its log, its signs of life.
    pub dir: PathBuf,
    /// The town; when its `town.toml` is gone, the session ends itself.
    pub town: PathBuf,
    /// The agent's working folder.
    pub cwd: PathBuf,
    /// The agent's command.
    pub argv: Vec<String>,
    /// The agent's whole environment, identity included. In a terminal, TERM is that terminal's.
    pub env: BTreeMap<String, String>,
    /// What its input and output are.
    pub runtime: Runtime,
    /// Without a terminal: what its standard input begins with. That stays open, and [`Sessions::say`] adds to it.
    /// `None`: it has no input.
    pub input: Option<String>,
}

/// One message of the user's in the stream of JSON lines that clients without a terminal read.
pub fn user_message(text: &str) -> String {
    let content = serde_json::json!([{ "type": "text", "text": text }]);
    let message = serde_json::json!({ "type": "user", "message": { "role": "user", "content": content } });
    format!("{message}\n")
}

/// Bytes that a line to an agent may have: with what goes around it, still written in one piece.
pub const SAY_LIMIT_BYTES: usize = 1000;

/// What became of a line to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It is in the terminal, entered, or in the input.
    Sent,
    /// Not now: somebody reads back in the terminal, or the input is full.
    Busy,
    /// There is no way: it has neither a terminal nor an input, or does not run.
    NoWay,
}

/// Why a session ended that somebody asked to end.
pub const ENDED_BY_REQUEST: &str = "ended by request";

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Its exit code, where it exited.
    pub code: Option<i32>,
    /// The signal that ended it, where one did.
    pub signal: Option<i32>,
    /// Why, in words: "exited", [`ENDED_BY_REQUEST`], "could not start: …", "shim gone".
    pub reason: String,
}

impl Exit {
    /// Whether the program never ran.
    pub fn could_not_start(&self) -> bool {
        self.reason.starts_with(COULD_NOT_START)
    }
}

/// Why an agent or command that could not be started has ended, before the colon.
pub(crate) const COULD_NOT_START: &str = "could not start";

/// What is known of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Nothing was ever started in this folder.
    NotStarted,
    /// The agent runs.
    Running {
        /// The shim, which is the agent's parent.
        shim: ProcessId,
        /// The agent itself.
        agent: ProcessId,
    },
    /// The agent and all it started are gone.
    Ended(Exit),
    /// The facts are missing or contradict each other.
    Unknown(String),
}

/// Signs of life, none of which an agent can be asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Clock ticks of CPU time that the session's tree has used.
    pub cpu_ticks: u64,
    /// Size of its log, in bytes.
    pub log_bytes: u64,
    /// When the agent last called `gt`, in seconds since the epoch (the time of a file).
    pub last_call: Option<i64>,
}

/// A file that is there in sandboxes only.
pub const SANDBOX_MARK: &str = "/run/gt-sandbox";

/// A bubblewrap that makes sandboxes here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bwrap {
    /// The program.
    pub program: PathBuf,
    /// Whether it can give a sandbox processes of its own. In many containers nobody may.
    pub own_processes: bool,
}

impl Bwrap {
    /// In words, for people.
    pub fn words(&self) -> String {
        let lacks = if self.own_processes {
            ""
        } else {
            "; an agent in it sees all your processes, since none of its own can be had"
        };
        format!("{}, and it works here{lacks}", self.program.display())
    }
}

/// A command that is run to its end, leaving nothing behind: gates, set-up, acceptance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainedCommand {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Where.
    pub cwd: PathBuf,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// How long it may take.
    pub timeout: Duration,
    /// Where its output goes (both streams), up to [`LOG_LIMIT_BYTES`].
    pub log: PathBuf,
}

/// Size that a log of one session or command may have. What comes after is counted, not kept.
pub const LOG_LIMIT_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes of a log that are read at once.
pub const LOG_CHUNK_BYTES: usize = 256 * 1024;

/// How a contained command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Exit code 0.
    Passed,
    /// Another exit code, or a signal.
    Failed(Exit),
    /// It took longer than it may; its tree was ended.
    TimedOut,
}

/// Result of a contained command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunResult {
    /// How it ended.
    pub end: RunEnd,
    /// How long it took.
    pub took: Duration,
    /// The last lines of its output, at most [`TAIL_LINES`].
    pub tail: Vec<String>,
}

/// Lines of output that a [`RunResult`] quotes.
pub(crate) const TAIL_LINES: usize = 20;

/// Agents' processes.
pub trait Sessions: Send + Sync {
    /// Starts an agent under a shim of its own. Returns when the shim has recorded the agent's process (or that it
    /// could not be started). A session that was started in this folder before is not started again.
    fn start(&self, plan: &SessionPlan) -> WorldResult<()>;
    /// Asks a person something on the terminal of the calling process; answers with the line that is typed, or with why
    /// nobody can be asked there: it has none, or one that is an agent's.
    fn ask_person(&self, _question: &str) -> Result<String, String> {
        Err("there is no terminal".to_owned())
    }
    /// What is known of the session in `dir`.
    fn state(&self, dir: &Path) -> WorldResult<SessionState>;
    /// Ends the session's tree: politely, then by force after `grace`. Returns when it is gone, or with an error.
    /// Signals only a process that the session recorded and that is still that very process. Not running: nothing.
    fn end(&self, dir: &Path, grace: Duration) -> WorldResult<()>;
    /// Signs of life of the sessions in `dirs`, in their order. All are from one look at the machine's processes.
    fn vitals(&self, dirs: &[PathBuf]) -> Vec<WorldResult<Vitals>>;
    /// Size of the log of the session in `dir`, in bytes; 0 where there is none.
    fn log_size(&self, dir: &Path) -> u64;
    /// Runs a command to its end, in a process group of its own under a shim that ends its whole tree when it is over,
    /// takes too long, or the caller is gone.
    fn run(&self, command: &ContainedCommand) -> WorldResult<RunResult>;
    /// Whether this process, and so what it starts, is the system's administrator.
    fn runs_as_root(&self) -> bool {
        false
    }
    /// Bytes of memory that could be had now without anybody's being put out; `None` where nobody can say.
    fn free_memory(&self) -> Option<u64> {
        None
    }
    /// Boots and deacons of a town that was at `town` before, or that was moved from elsewhere to there: they run under
    /// its path without one of its `locks`, or hold one under another path. Only looked at, never ended.
    fn former_daemons(&self, _town: &Path, _locks: &[PathBuf]) -> Vec<i32> {
        Vec::new()
    }
    /// What stands above the calling process, of any town.
    fn descent(&self) -> Descent {
        Descent::default()
    }
    /// Whether any of these processes is among the ancestors of the calling one.
    fn is_descendant_of_any(&self, processes: &[ProcessId]) -> bool;
    /// Whether the calling process is in a sandbox of ours, from where it sees none of its parents outside.
    fn is_in_sandbox(&self) -> bool;
    /// The version of the tmux in this PATH, if it can be used for [`Runtime::Tmux`]; otherwise why not.
    fn tmux(&self, path: &str) -> Result<String, String>;
    /// The bubblewrap in this PATH, if it is there and can make a sandbox; otherwise why not.
    fn bwrap(&self, path: &str) -> Result<Bwrap, String>;
    /// What the session in `dir` was started with; `None` where it was not.
    fn runtime(&self, dir: &Path) -> WorldResult<Option<Runtime>>;
    /// The session's log from byte `from` on, at most [`LOG_CHUNK_BYTES`] of it.
    fn log(&self, dir: &Path, from: u64) -> WorldResult<Vec<u8>>;
    /// What the terminal of a session shows, after at most `scrolled` lines that have scrolled out of it; `None` where
    /// it has none (any more).
    fn screen(&self, dir: &Path, scrolled: u32) -> WorldResult<Option<String>>;
    /// Shows the terminal of a session in the caller's own, until the caller detaches or the session ends; `env` is the
    /// caller's. False where it has none (any more).
    fn attach(&self, dir: &Path, env: &BTreeMap<String, String>) -> WorldResult<bool>;
    /// Says one line to the agent in `dir`: typed into its terminal, whatever was being typed there taken away first, or
    /// as a message into its input. The line is ours and fixed, never the words of others: one with control characters,
    /// or longer than [`SAY_LIMIT_BYTES`], is an error. Whether the agent is at its prompt, the caller knows.
    fn say(&self, dir: &Path, line: &str) -> WorldResult<Said>;
    /// Presses a key in the terminal of the session in `dir`. Whether that is wanted there, the caller knows.
    fn press(&self, _dir: &Path, _key: Key) -> WorldResult<Said> {
        Ok(Said::NoWay)
    }
    /// Ends what provides the terminals of a town's sessions (never a user's own tmux), and waits until it is gone. To
    /// be called when no session is left.
    fn close_terminals(&self, town: &Path) -> WorldResult<()>;
}
