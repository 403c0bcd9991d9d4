//! The only module that starts git. It sets git's environment, settings, lock and errors.
#![expect(clippy::disallowed_methods, reason = "this is the one place that spawns git")]

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use super::admin::real;
use super::traps::{Ground, Trap};
use super::{Git, LOCAL_PATIENCE, broken_refs, control, drivers};
use crate::real::RealClock;
use crate::real::disk::io_error;
use crate::real::process;
use crate::{Clock as _, Held, WorldError, WorldResult};

/// Settings of every call of ours, whatever the user, the project or a worker configured. They run no hooks and no work beside
/// what was asked. They also ignore the files that git keeps for speed, since others can write those.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.commitGraph=false",
    "core.multiPackIndex=false",
    "pack.useBitmaps=false",
    "core.pager=cat",
    "core.editor=:",
    "status.submoduleSummary=false",
    "diff.submodule=short",
    "core.untrackedCache=false",
    "core.splitIndex=false",
    "core.safecrlf=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "commit.gpgSign=false",
    "push.gpgSign=false",
    "push.followTags=false",
    "push.recurseSubmodules=no",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    "submodule.recurse=false",
    "remote.origin.followRemoteHEAD=never",
    "worktree.useRelativePaths=false",
    "safe.bareRepository=all",
    "i18n.commitEncoding=UTF-8",
    "log.showSignature=false",
    // A dead connection must not hold the lock forever.
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
    // All other protocols are programs that an address names or asks for. A user who wants one allows it by name.
    "protocol.allow=never",
    "protocol.git.allow=always",
    "protocol.http.allow=always",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "protocol.ext.allow=never",
];

/// Variables of every call of ours: objects must be what their ids say, commits must have the parents that they name, and nothing
/// waits for a person.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("LC_ALL", "C"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    // No file can exist at this path. An empty file would make git print advice.
    ("GIT_GRAFT_FILE", "/dev/null/none"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_PAGER", "cat"),
    ("GIT_EDITOR", ":"),
    ("GIT_SEQUENCE_EDITOR", ":"),
    // ssh gets "no" for each of its questions (an unknown host, a key's passphrase), with or without a terminal.
    ("SSH_ASKPASS", "false"),
    ("SSH_ASKPASS_REQUIRE", "force"),
    // No checkout of ours waits for large files; set-up fetches them.
    (SKIP_LARGE_FILES, "1"),
];

/// Variables of the parent that git gets too: the paths of git's programs, the overseer's configuration and credentials, and the
/// network settings. None of them points git to a repository.
const PASSED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "GNUPGHOME",
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_PROXY_COMMAND",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];

/// The variable that makes git-lfs leave the pointers of large files in a checkout unchanged.
pub(super) const SKIP_LARGE_FILES: &str = "GIT_LFS_SKIP_SMUDGE";

/// How many lines of git's error output an error quotes.
const QUOTED_LINES: usize = 5;

/// How long to wait for the error output of a git that has ended. A connection that ssh keeps open for later calls also holds
/// git's error stream open, so waiting for the stream's end could take forever.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How often a call is tried if each failed try found and removed something in its way. One call takes few locks.
const TRIES: usize = 4;

/// Returns the parent's environment, reduced to the variables that git may see.
pub(super) fn passed_environment() -> Vec<(OsString, OsString)> {
    passed(std::env::vars_os())
}

fn passed(parent: impl Iterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let passed = parent.filter(|(name, _)| PASSED.iter().any(|passed| name == passed));
    passed.map(|(name, value)| if name == "PATH" { (name, fixed_path(&value)) } else { (name, value) }).collect()
}

/// Returns a PATH with absolute folders only. Git also works in agents' worktrees, and must not take a program from there.
fn fixed_path(path: &OsStr) -> OsString {
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    std::env::join_paths(folders).unwrap_or_default()
}

/// The place where git works. Git never searches the parent folders for a repository.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// In a bare repository with its own configuration, in which no agent works.
    Bare(PathBuf),
    /// In a rig's repository, with the configuration of its control folder.
    Rig(PathBuf),
    /// In a worktree of a rig's repository, with its administrative folder and the repository's control folder.
    Worktree {
        /// The repository.
        repo: PathBuf,
        /// The worktree's folder inside the repository.
        admin: PathBuf,
        /// The checkout.
        path: PathBuf,
    },
    /// In a folder that holds files of a rig's repository but is not a worktree of it.
    Files {
        /// The repository.
        repo: PathBuf,
        /// The folder.
        path: PathBuf,
    },
    /// In the repository of a submodule, with a control folder of its own.
    Module {
        /// The rig's repository that holds the submodule.
        repo: PathBuf,
        /// The submodule's control folder.
        control: PathBuf,
        /// The submodule's repository.
        git_dir: PathBuf,
        /// The checkout; `None` if git does not look at it.
        path: Option<PathBuf>,
    },
    /// In a folder that may be a repository.
    Folder(PathBuf),
    /// In no repository.
    Nowhere,
}

impl Place {
    /// Returns the rig's repository where git works.
    fn rig(&self) -> Option<&Path> {
        match self {
            Self::Rig(repo) | Self::Worktree { repo, .. } | Self::Files { repo, .. } | Self::Module { repo, .. } => {
                Some(repo)
            }
            Self::Bare(_) | Self::Folder(_) | Self::Nowhere => None,
        }
    }

    /// Whether git works on files there.
    fn has_files(&self) -> bool {
        matches!(self, Self::Worktree { .. } | Self::Files { .. } | Self::Module { path: Some(_), .. })
    }

    fn cwd(&self) -> PathBuf {
        match self {
            Self::Bare(path) | Self::Worktree { path, .. } | Self::Files { path, .. } | Self::Folder(path) => {
                path.clone()
            }
            // Not the repository: an agent could put a program there that a driver of the user's names by a relative path.
            Self::Rig(repo) => control::folder(repo),
            Self::Module { path, control, .. } => path.as_ref().unwrap_or(control).clone(),
            Self::Nowhere => PathBuf::from("/"),
        }
    }

    /// Returns a file at this place that blocks git.
    fn trap(&self) -> Option<Trap> {
        let refs = self.rig().map(|repo| repo.join("refs"));
        let own = match self {
            Self::Worktree { admin, path, .. } => vec![Ground::Administration(admin), Ground::Checkout(path)],
            Self::Files { path, .. } | Self::Module { path: Some(path), .. } => vec![Ground::Checkout(path)],
            _ => vec![],
        };
        refs.iter().map(|refs| Ground::Refs(refs)).chain(own).find_map(Ground::trap)
    }

    /// Removes a trap, and others of its kind there. The error is a trap that must not be removed.
    fn clear(&self, trap: Trap) -> Result<(), Trap> {
        let mut next = Some(trap);
        while let Some(trap) = next {
            if !trap.clear() {
                return Err(trap);
            }
            next = self.trap();
        }
        Ok(())
    }

    /// Returns the path that people know for this place.
    fn shown(&self) -> PathBuf {
        if let Self::Rig(repo) = self { repo.clone() } else { self.cwd() }
    }

    /// Returns the settings for file protocols. A folder of this machine may be the user's own remote. If the project names the
    /// address, it may lead to another person's files; then only the user can allow it.
    fn protocols(&self) -> &'static [&'static str] {
        if matches!(self, Self::Module { .. }) { &[] } else { &["-c", "protocol.file.allow=always"] }
    }

    /// Whether `file` is in a repository that the town made itself. The town does not clean up other repositories.
    fn owns(&self, file: &Path) -> bool {
        let repo = if let Self::Bare(path) = self { Some(path.as_path()) } else { self.rig() };
        repo.is_some_and(|repo| real(file).starts_with(real(repo)))
    }

    /// Prepares what git needs at this place.
    fn prepare(&self, git: &Git) -> WorldResult<()> {
        if let Some(repo) = self.rig() {
            // Without this check, a missing folder would look like a missing git.
            repo.metadata().map_err(io_error("enter", repo))?;
            control::require(git, repo)?;
        }
        let cwd = self.cwd();
        cwd.metadata().map(drop).map_err(io_error("enter", &cwd))
    }

    /// Returns the control folder whose configuration git reads, if there is one.
    fn control(&self) -> Option<PathBuf> {
        if let Self::Module { control, .. } = self { Some(control.clone()) } else { self.rig().map(control::folder) }
    }

    fn apply(&self, command: &mut Command) {
        if let Some(control) = self.control() {
            // If no worktree is named, git must not take its working folder for one.
            command.env("GIT_COMMON_DIR", control).env("GIT_IMPLICIT_WORK_TREE", "0");
        }
        command.args(self.protocols());
        match self {
            Self::Bare(path) => _ = command.arg("--git-dir").arg(path),
            Self::Rig(repo) => _ = command.arg("--git-dir").arg(control::folder(repo)),
            Self::Worktree { admin, path, .. } => {
                command.arg("--git-dir").arg(admin).arg("--work-tree").arg(path);
            }
            Self::Files { repo, path } => {
                command.arg("--git-dir").arg(control::folder(repo)).arg("--work-tree").arg(path);
            }
            Self::Module { git_dir, path, .. } => {
                command.env("GIT_PROTOCOL_FROM_USER", "0").arg("--git-dir").arg(git_dir);
                path.iter().for_each(|path| _ = command.arg("--work-tree").arg(path));
            }
            Self::Folder(path) => {
                // Git compares ceilings as text, so this path must be free of symbolic links.
                let real = path.canonicalize().unwrap_or_else(|_| path.clone());
                command.env("GIT_CEILING_DIRECTORIES", real.parent().unwrap_or(&real));
            }
            Self::Nowhere => _ = command.env("GIT_CEILING_DIRECTORIES", "/"),
        }
    }
}

/// A call of git that is being prepared.
#[derive(Debug)]
pub(super) struct Call<'a> {
    git: &'a Git,
    place: Place,
    held: Option<&'a Held>,
    options: Vec<String>,
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    input: Option<PathBuf>,
    limit: Duration,
}

/// Output and exit code of a call of git.
#[derive(Debug)]
pub(super) struct Answer {
    /// Its exit code.
    pub(super) code: i32,
    /// Its standard output.
    pub(super) stdout: Vec<u8>,
    /// Its error output.
    pub(super) stderr: String,
}

impl Answer {
    /// Returns the output as one line.
    pub(super) fn line(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches('\n').to_owned()
    }

    /// Returns the output as lines.
    pub(super) fn lines(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.stdout).lines().map(str::to_owned).collect()
    }

    /// Returns the fields of an output in which each ends with a NUL.
    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        self.stdout.split(|byte| *byte == 0).filter(|field| !field.is_empty())
    }

    /// Returns the last lines of git's error output, for messages.
    pub(super) fn complaint(&self) -> String {
        last_lines(&self.stderr)
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n")
}

impl Git {
    /// Prepares a question: it takes no lock and changes nothing.
    pub(super) fn question(&self, place: &Place, verb: &str) -> Call<'_> {
        let args = vec![verb.into()];
        Call {
            git: self,
            place: place.clone(),
            held: None,
            options: Vec::new(),
            args,
            env: Vec::new(),
            input: None,
            limit: LOCAL_PATIENCE,
        }
    }

    /// Prepares an act under a lock, which git inherits.
    pub(super) fn act<'a>(&'a self, held: &'a Held, place: &Place, verb: &str) -> Call<'a> {
        Call { held: Some(held), ..self.question(place, verb) }
    }
}

impl Call<'_> {
    /// Adds options of git itself, which come before the verb.
    pub(super) fn git_options(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(|option| (*option).to_owned()));
        self
    }

    /// Adds an argument.
    pub(super) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub(super) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of git's environment.
    pub(super) fn env(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name, value.as_ref().to_owned()));
        self
    }

    /// Gives a question one of our files as input. An act has the lock's file there instead.
    pub(super) fn input(mut self, file: &Path) -> Self {
        self.input = Some(file.to_owned());
        self
    }

    /// Limits the call's duration: afterwards, git and all processes that it started are ended. For calls that wait for another
    /// machine.
    pub(super) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Makes the call. Any exit code counts as an answer.
    pub(super) fn answer(&self) -> WorldResult<Answer> {
        for _ in 1..TRIES {
            match self.once()? {
                Outcome::Answered(answer) if !self.clear_the_way(&answer)? => return Ok(answer),
                Outcome::Trapped(trap) => self.place.clear(trap).map_err(|trap| self.failed(trap.advice()))?,
                Outcome::Answered(_) => {}
            }
        }
        match self.once()? {
            Outcome::Answered(answer) => Ok(answer),
            Outcome::Trapped(trap) => Err(self.failed(trap.advice())),
        }
    }

    /// Makes the call. Exit codes other than `codes` are errors.
    pub(super) fn expect(&self, codes: &[i32]) -> WorldResult<Answer> {
        let answer = self.answer()?;
        if codes.contains(&answer.code) { Ok(answer) } else { Err(self.failed(answer.complaint())) }
    }

    /// Makes the call. Any exit code but 0 is an error.
    pub(super) fn ok(&self) -> WorldResult<Answer> {
        self.expect(&[0])
    }

    /// Returns the error for a call that failed.
    pub(super) fn failed(&self, text: String) -> WorldError {
        let verb = self.args[0].to_string_lossy().into_owned();
        WorldError::Git { verb, repo: self.place.shown(), text }
    }

    fn once(&self) -> WorldResult<Outcome> {
        let mut command = self.command()?;
        let child = command.spawn().map_err(|source| WorldError::Spawn { program: "git".to_owned(), source })?;
        let outcome = self.listen(child);
        // Its arguments are not told: they may hold what others wrote, and addresses with passwords.
        if let Ok(Outcome::Answered(answer)) = &outcome {
            tracing::debug!(git = %self.args[0].display(), code = answer.code, "git answered");
        }
        outcome
    }

    fn command(&self) -> WorldResult<Command> {
        self.place.prepare(self.git)?;
        let mut command = Command::new("git");
        command.current_dir(self.place.cwd()).env_clear().envs(self.git.environment.iter().cloned());
        command.envs(ENVIRONMENT.iter().copied());
        self.place.apply(&mut command);
        for setting in SETTINGS {
            command.arg("-c").arg(setting);
        }
        if self.held.is_none() {
            command.env("GIT_OPTIONAL_LOCKS", "0");
        }
        command.args(&self.options).args(&self.args).envs(self.env.iter().cloned());
        command.envs(self.driver_settings()?);
        command.stdin(self.stdin()?).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }

    /// Returns settings of programs that git may run on files, as variables, since their names may hold any character.
    fn driver_settings(&self) -> WorldResult<Vec<(String, String)>> {
        let Some(repo) = self.place.rig() else { return Ok(Vec::new()) };
        let verb = self.args[0].to_string_lossy();
        let settings = drivers::settings(self.git, repo, &verb, self.place.has_files())?;
        let mut variables = vec![("GIT_CONFIG_COUNT".to_owned(), settings.len().to_string())];
        for (number, (key, value)) in settings.into_iter().enumerate() {
            variables.push((format!("GIT_CONFIG_KEY_{number}"), key));
            variables.push((format!("GIT_CONFIG_VALUE_{number}"), value));
        }
        Ok(variables)
    }

    /// Returns git's standard input. It is the lock's file, so git holds the lock too for as long as it runs.
    fn stdin(&self) -> WorldResult<Stdio> {
        let Some((held, file)) = self.held.and_then(|held| Some((held, held.file.as_ref()?))) else {
            let Some(input) = &self.input else { return Ok(Stdio::null()) };
            return std::fs::File::open(input).map(Stdio::from).map_err(io_error("read", input));
        };
        file.try_clone().map(Stdio::from).map_err(io_error("share the lock", &held.path))
    }

    fn listen(&self, mut child: Child) -> WorldResult<Outcome> {
        let lost = |source| WorldError::Spawn { program: "git".to_owned(), source };
        let watchdog = Watchdog::set(&child, self.git.suspicion, self.limit, self.place.clone());
        let words = Words::gather(child.stderr.take());
        let mut stdout = Vec::new();
        if let Some(mut out) = child.stdout.take() {
            out.read_to_end(&mut stdout).map_err(lost)?;
        }
        // The watchdog is called off before the child is reaped: until then the pid still belongs to the child.
        let ended = watchdog.and_then(Watchdog::call_off);
        let status = child.wait().map_err(lost)?;
        let stderr = words.last();
        match (ended, status.code()) {
            (Some(Ended::Trapped(trap)), _) => Ok(Outcome::Trapped(trap)),
            (Some(Ended::Late), _) => Err(self.failed(format!("no answer within {} s", self.limit.as_secs()))),
            (None, Some(code)) => Ok(Outcome::Answered(Answer { code, stdout, stderr })),
            (None, None) => Err(self.failed(format!("{status}; {}", last_lines(&stderr)))),
        }
    }

    /// Removes what made git fail, if another try may then succeed. Returns whether it did.
    fn clear_the_way(&self, answer: &Answer) -> WorldResult<bool> {
        Ok(self.clear_stale_lock(answer) || self.clear_broken_refs(answer)?)
    }

    fn clear_broken_refs(&self, answer: &Answer) -> WorldResult<bool> {
        match (self.held, self.place.rig()) {
            (Some(held), Some(repo)) if broken_refs::are_in_the_way(answer) => {
                broken_refs::set_aside(self.git, held, repo)
            }
            _ => Ok(false),
        }
    }

    /// Removes a lock file of the repository that made git fail, if a killed git left it. A lock file that appears, disappears or
    /// changes belongs to a running git. One that stays the same for the whole patience belongs to none.
    fn clear_stale_lock(&self, answer: &Answer) -> bool {
        if self.held.is_none() || answer.code == 0 {
            return false;
        }
        let Some(lock) = lock_in_the_way(&answer.stderr).map(|path| behind_link(self.place.cwd().join(path))) else {
            return false;
        };
        if !self.place.owns(&lock) {
            return false;
        }
        let Some(first) = identity(&lock) else { return true };
        let end = RealClock.monotonic() + self.git.lock_patience;
        while RealClock.monotonic() < end {
            RealClock.pause(self.git.lock_patience / 20);
            if identity(&lock).as_ref() != Some(&first) {
                return true;
            }
        }
        std::fs::remove_file(&lock).is_ok()
    }
}

/// Runs the caller's own git in a folder, with the caller's environment, settings and hooks. For requests by an agent's process
/// in its own worktree: it runs no program of the town's, and the agent gains nothing that it does not have already. Only git's
/// editor is switched off.
pub(super) fn as_caller(folder: &Path, args: &[&str]) -> WorldResult<Answer> {
    let mut command = Command::new("git");
    command.current_dir(folder).args(args).env("LC_ALL", "C").env("GIT_EDITOR", ":").stdin(Stdio::null());
    let output = command.output().map_err(|source| WorldError::Spawn { program: "git".to_owned(), source })?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Answer { code: output.status.code().unwrap_or(1), stdout: output.stdout, stderr })
}

/// How one try of a call ended.
enum Outcome {
    /// Git ran to its end.
    Answered(Answer),
    /// A file blocked git, and the watchdog ended it.
    Trapped(Trap),
}

/// Why a watchdog has ended a child.
enum Ended {
    /// This file blocked it.
    Trapped(Trap),
    /// It ran longer than its limit.
    Late,
}

/// Ends a child and all its descendants at a deadline, or when a file blocks it.
struct Watchdog {
    call_off: mpsc::Sender<()>,
    thread: std::thread::JoinHandle<Option<Ended>>,
}

impl Watchdog {
    fn set(child: &Child, suspicion: Duration, limit: Duration, place: Place) -> Option<Self> {
        let pid = i32::try_from(child.id()).ok()?;
        let (call_off, called_off) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let ended = watch(&called_off, suspicion.min(limit), limit, &place);
            if ended.is_some() {
                process::kill_tree(pid);
            }
            ended
        });
        Some(Self { call_off, thread })
    }

    /// Returns why the child was ended; `None` if it was not.
    fn call_off(self) -> Option<Ended> {
        // The watchdog may already have finished.
        let _ = self.call_off.send(());
        self.thread.join().unwrap_or_default()
    }
}

/// Waits until the watch is called off, or until there is a reason to end the child. A trap may appear at any time, so the search
/// for traps is repeated, with growing pauses.
fn watch(called_off: &mpsc::Receiver<()>, suspicion: Duration, limit: Duration, place: &Place) -> Option<Ended> {
    let (mut waited, mut pause) = (Duration::ZERO, suspicion);
    while called_off.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
        waited += pause;
        if let Some(trap) = place.trap() {
            return Some(Ended::Trapped(trap));
        }
        if waited >= limit {
            return Some(Ended::Late);
        }
        pause = (pause * 2).min(limit - waited);
    }
    None
}

/// Returns what tells a lock file from one that another git made in its place.
fn identity(lock: &Path) -> Option<(u64, u64, i64, i64)> {
    let facts = lock.symlink_metadata().ok()?;
    Some((facts.ino(), facts.len(), facts.mtime(), facts.mtime_nsec()))
}

/// Returns the lock file in git's way, as its error message names it.
fn lock_in_the_way(stderr: &str) -> Option<PathBuf> {
    // The remote's lines are about its own files.
    stderr.lines().filter(|line| !line.starts_with("remote:")).find_map(|line| {
        let line = line.strip_suffix('.').unwrap_or(line).strip_suffix(": File exists")?;
        if let Some((_, path)) = line.split_once("Unable to create '") {
            return Some(PathBuf::from(path.strip_suffix('\'')?));
        }
        let (_, path) = line.split_once("could not lock config file ")?;
        Some(PathBuf::from(format!("{path}.lock")))
    })
}

/// Returns where a lock file really is. Git names it by the path that it was given, but makes it where the links on that path
/// lead.
fn behind_link(lock: PathBuf) -> PathBuf {
    match std::fs::read_link(lock.with_extension("")) {
        Ok(target) => {
            let mut target = lock.with_file_name(target).into_os_string();
            target.push(".lock");
            target.into()
        }
        Err(_) => lock,
    }
}

/// Git's error output, collected while git runs.
struct Words {
    text: Arc<Mutex<Vec<u8>>>,
    ended: mpsc::Receiver<()>,
}

impl Words {
    fn gather(stream: Option<impl Read + Send + 'static>) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let (end, ended) = mpsc::channel();
        let shared = Arc::clone(&text);
        std::thread::spawn(move || {
            let mut stream = stream;
            let mut buffer = [0; 4096];
            while let Some(count @ 1..) = stream.as_mut().and_then(|stream| stream.read(&mut buffer).ok()) {
                shared.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
            }
            let _ = end.send(());
        });
        Self { text, ended }
    }

    fn last(self) -> String {
        // Even if the stream is still open, what has arrived by now is what git said.
        let _ = self.ended.recv_timeout(LAST_WORDS);
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Turns a path that git printed into a path.
pub(super) fn path_from(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// Turns a path that git printed into text for people.
pub(super) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_git_may_see_is_passed() {
        let parent = [("PATH", "p"), ("GIT_DIR", "d"), ("GIT_INDEX_FILE", "i"), ("https_proxy", "x"), ("OTHER", "o")];
        let parent = parent.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let names: Vec<_> = passed(parent.into_iter()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["PATH", "https_proxy"]);
    }

    #[test]
    fn no_program_is_taken_from_where_git_happens_to_work() {
        fn check(path: &str, expected: &str) {
            assert_eq!(fixed_path(OsStr::new(path)), expected, "{path}");
        }
        check("/a:/b", "/a:/b");
        check(".:/a::bin:../x:/b:", "/a:/b");
        check("", "");
    }

    #[test]
    fn a_lock_file_in_the_way_is_named() {
        fn check(stderr: &str, expected: Option<&str>) {
            assert_eq!(lock_in_the_way(stderr), expected.map(PathBuf::from), "{stderr}");
        }
        check("fatal: Unable to create '/r/index.lock': File exists.\n\nAnother git", Some("/r/index.lock"));
        check("error: could not lock config file /r/config: File exists", Some("/r/config.lock"));
        check(
            "fatal: update_ref failed for ref 'refs/x': cannot lock ref 'refs/x': \
             Unable to create './refs/x.lock': File exists.",
            Some("./refs/x.lock"),
        );
        check("fatal: Unable to create '/r/index.lock': Permission denied", None);
        check("remote: error: Unable to create '/r/refs/x.lock': File exists.", None);
        check("fatal: bad object", None);
    }

    #[test]
    fn the_lock_of_what_a_link_leads_to_is_beside_that() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("../packed-refs", dir.path().join("packed-refs")).unwrap();
        let check = |name: &str, expected: &str| {
            assert_eq!(behind_link(dir.path().join(name)), dir.path().join(expected), "{name}");
        };
        check("packed-refs.lock", "../packed-refs.lock");
        check("index.lock", "index.lock");
    }

    #[test]
    fn a_complaint_is_quoted_by_its_last_lines() {
        assert_eq!(last_lines("1\n2\n\n3\n4\n5\n6  \n"), "2\n3\n4\n5\n6");
        assert_eq!(last_lines(""), "");
    }
}
