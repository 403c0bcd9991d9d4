//! The simulated worker as a real process: it calls the `gt` and `git` that PATH finds, in its worktree.

#![expect(
    clippy::disallowed_methods,
    reason = "this plays an agent, which is no part of gt: it has no world, and all that it may use is in PATH"
)]

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use super::player::{Edit, Outcome, Player, Stage, Turn};
use super::script::{FilePath, Mark, Misbehaviour, Script};

/// Bytes that a worker prints when it floods its output: more than any log keeps.
pub const FLOOD_BYTES: usize = 32 * 1024 * 1024;

/// Exit code of a command that could not start, as a shell reports it.
const NOT_STARTED: i32 = 127;

/// Tries to move a branch that belongs to another worker, and to create one of its own.
const MOVE_REF: &str = r#"
head=$(git rev-parse HEAD)
own=$(git symbolic-ref -q HEAD)
other=$(git for-each-ref --format='%(refname)' refs/heads | grep -vxF "$own" | head -n 1)
git -C "$(git rev-parse --git-common-dir)" update-ref "${other:-refs/heads/stray}" "$head"
git branch -f stray-branch "$head"
"#;

/// Tries to push by the remote's name, path and URL.
const PUSH: &str = r#"
path=$(git config --get remote.origin.url)
for to in origin "$path" "file://$path"; do
    git push --no-verify "$to" HEAD:refs/heads/stray-push
done
"#;

/// Starts a child in a session of its own that outlives the worker.
const ORPHAN: &str = "setsid sleep 3600 </dev/null >/dev/null 2>&1 &";

/// Arguments of the hidden verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayArgs {
    /// File of the script.
    pub script: PathBuf,
    /// Folder of the marks, which are files; without it there are no marks, and waiting for one is an error.
    pub play_dir: Option<PathBuf>,
}

impl PlayArgs {
    /// Fills what no flag gave from `GT_SIM_SCRIPT` and `GT_SIM_PLAY_DIR`. `None` where nothing names a script.
    pub fn resolve(
        script: Option<PathBuf>,
        play_dir: Option<PathBuf>,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> Option<Self> {
        let from_env = |name: &str| env(name).map(PathBuf::from);
        let script = script.or_else(|| from_env("GT_SIM_SCRIPT"))?;
        Some(Self { script, play_dir: play_dir.or_else(|| from_env("GT_SIM_PLAY_DIR")) })
    }
}

/// Plays a script in the working folder, to its end. Returns the worker's exit code.
pub fn play(args: &PlayArgs) -> u8 {
    let mut stage = ProcessStage::new(Path::new("."), args.play_dir.as_deref());
    let script = std::fs::read_to_string(&args.script).map_err(|e| e.to_string());
    match script.and_then(|text| Script::parse(&text).map_err(|e| e.to_string())) {
        Ok(script) => play_script(script, &mut stage),
        Err(why) => {
            stage.say(&format!("can't play {}: {why}", args.script.display()));
            2
        }
    }
}

fn play_script(script: Script, stage: &mut ProcessStage) -> u8 {
    stage.remove_stale_locks();
    let mut player = Player::new(script);
    loop {
        if let Turn::Ended(code) = player.turn(stage) {
            return u8::try_from(code).unwrap_or(1);
        }
    }
}

/// Stage of real processes and files.
#[derive(Debug)]
pub struct ProcessStage {
    worktree: PathBuf,
    play_dir: Option<PathBuf>,
    /// Variables that every program gets, besides our own environment.
    env: Vec<(&'static str, OsString)>,
}

impl ProcessStage {
    /// Makes a stage for a worker in `worktree`, with its marks in `play_dir`.
    pub fn new(worktree: &Path, play_dir: Option<&Path>) -> Self {
        Self { worktree: worktree.to_owned(), play_dir: play_dir.map(Path::to_owned), env: Vec::new() }
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.current_dir(&self.worktree).stdin(Stdio::null()).envs(self.env.iter().cloned());
        command
    }

    /// Runs a program that shares our output.
    fn run(&self, name: &str, args: &[&str]) -> Outcome {
        match self.program(name).args(args).status() {
            Ok(status) => Outcome { code: status.code().unwrap_or(1), out: String::new() },
            Err(e) => Outcome { code: NOT_STARTED, out: format!("{name}: {e}") },
        }
    }

    /// Runs a program and captures its output.
    fn ask(&self, name: &str, args: &[&str]) -> Outcome {
        match self.program(name).args(args).stderr(Stdio::inherit()).output() {
            Ok(output) => Outcome {
                code: output.status.code().unwrap_or(1),
                out: String::from_utf8_lossy(&output.stdout).into_owned(),
            },
            Err(e) => Outcome { code: NOT_STARTED, out: format!("{name}: {e}") },
        }
    }

    /// Runs a program and writes `input` to it.
    fn feed(&self, name: &str, args: &[&str], input: &str) -> Outcome {
        let fed = || -> std::io::Result<i32> {
            let mut child = self.program(name).args(args).stdin(Stdio::piped()).spawn()?;
            // A program that stops reading early reports that by its exit code.
            let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
            Ok(child.wait()?.code().unwrap_or(1))
        };
        finish(fed(), name)
    }

    /// Returns where git keeps something of this worktree; `None` where there is no worktree.
    fn git_path(&self, name: &str) -> Option<PathBuf> {
        let path = self.ask("git", &["rev-parse", "--git-path", name]);
        (path.code == 0).then(|| self.worktree.join(path.out.trim_end()))
    }

    /// Removes the locks that a worker left when it was killed during a git command. No other process works in this worktree.
    fn remove_stale_locks(&self) {
        for path in ["index.lock", "HEAD.lock"].into_iter().filter_map(|lock| self.git_path(lock)) {
            let _ = std::fs::remove_file(path);
        }
    }

    fn write(&self, path: &FilePath, text: &str) -> std::io::Result<i32> {
        let path = self.worktree.join(path.as_str());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text).map(|()| 0)
    }

    fn append(&self, path: &FilePath, text: &str) -> std::io::Result<i32> {
        let old = or_default(std::fs::read_to_string(self.worktree.join(path.as_str())))?;
        if old.ends_with(text) { Ok(0) } else { self.write(path, &(old + text)) }
    }

    fn patch(&self, diff: &str) -> Outcome {
        let applied = self.feed("git", &["apply", "--quiet", "--reverse", "--check"], diff);
        if applied.code == 0 { applied } else { self.feed("git", &["apply"], diff) }
    }

    fn mark(&self, mark: &Mark) -> Option<PathBuf> {
        Some(self.play_dir.as_ref()?.join(mark.as_str()))
    }
}

/// Reads a missing file as empty.
fn or_default<T: Default>(result: std::io::Result<T>) -> std::io::Result<T> {
    match result {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(T::default()),
        other => other,
    }
}

fn finish(result: std::io::Result<i32>, what: &str) -> Outcome {
    match result {
        Ok(code) => Outcome { code, out: String::new() },
        Err(e) => Outcome { code: 1, out: format!("{what}: {e}") },
    }
}

impl Stage for ProcessStage {
    fn gt(&mut self, args: &[&str]) -> Outcome {
        let outcome = self.ask("gt", args);
        self.say(&format!("$ gt {}", args.join(" ")));
        self.say(outcome.out.trim_end());
        outcome
    }

    fn edit(&mut self, edit: &Edit) -> Outcome {
        match edit {
            Edit::Write(path, text) => finish(self.write(path, text), path.as_str()),
            Edit::Append(path, text) => finish(self.append(path, text), path.as_str()),
            Edit::Remove(path) => {
                let removed = or_default(std::fs::remove_file(self.worktree.join(path.as_str())));
                finish(removed.map(|()| 0), path.as_str())
            }
            Edit::Patch(diff) => self.patch(diff),
        }
    }

    fn commit(&mut self, message: &str) -> Outcome {
        let added = self.run("git", &["add", "--all"]);
        if added.code != 0 {
            return added;
        }
        let nothing_staged = self.run("git", &["diff", "--cached", "--quiet"]);
        if nothing_staged.code == 0 { nothing_staged } else { self.run("git", &["commit", "--quiet", "-m", message]) }
    }

    fn rebase(&mut self, onto: &str, union: bool) -> Outcome {
        for (left, verb) in [("rebase-merge", "rebase"), ("MERGE_HEAD", "merge")] {
            if self.git_path(left).is_some_and(|left| left.exists()) {
                self.run("git", &[verb, "--abort"]);
            }
        }
        if self.run("git", &["merge-base", "--is-ancestor", onto, "HEAD"]).code == 0 {
            return Outcome::default();
        }
        let merges = self.ask("git", &["rev-list", "--merges", "--count", &format!("{onto}..HEAD")]);
        // A rebase drops merge commits, and with them the changes made in them.
        let verb: &[&str] =
            if merges.out.trim() == "0" { &["rebase", "--quiet"] } else { &["merge", "--quiet", "--no-edit"] };
        let keep = if union { "merge.default=union" } else { "merge.default=text" };
        let brought = self.run("git", &[&["-c", keep], verb, &[onto]].concat());
        if brought.code != 0 {
            self.run("git", &[verb[0], "--abort"]);
        }
        brought
    }

    fn command(&mut self, argv: &[String]) -> Outcome {
        let Some((program, args)) = argv.split_first() else { return Outcome::default() };
        self.run(program, &args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn signal(&mut self, mark: &Mark) -> Outcome {
        match self.mark(mark) {
            Some(path) => finish(std::fs::write(&path, "").map(|()| 0), mark.as_str()),
            None => Outcome { code: 1, out: "no play folder".to_owned() },
        }
    }

    fn is_signalled(&mut self, mark: &Mark) -> bool {
        self.mark(mark).is_some_and(|path| path.exists())
    }

    fn pause(&mut self, how_long: Duration) {
        std::thread::sleep(how_long);
    }

    fn misbehave(&mut self, misbehaviour: Misbehaviour) {
        match misbehaviour {
            Misbehaviour::Crash => drop(kill_process(getpid(), Signal::KILL)),
            Misbehaviour::WrongBranch => drop(self.run("git", &["checkout", "--quiet", "-B", "other"])),
            Misbehaviour::Flood => flood(),
            Misbehaviour::Orphan => drop(self.run("sh", &["-c", ORPHAN])),
            Misbehaviour::MoveRef => drop(self.run("sh", &["-c", MOVE_REF])),
            Misbehaviour::Push => drop(self.run("sh", &["-c", PUSH])),
            Misbehaviour::Hang | Misbehaviour::Exit | Misbehaviour::Dirty | Misbehaviour::Lie | Misbehaviour::Close => {
            }
        }
    }

    fn say(&mut self, line: &str) {
        // The reader of our output may be gone; the work goes on.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

fn flood() {
    let line = [b'.'; 1023].into_iter().chain([b'\n']).collect::<Vec<u8>>();
    let mut out = std::io::stdout().lock();
    for _ in 0..FLOOD_BYTES / line.len() {
        if out.write_all(&line).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
