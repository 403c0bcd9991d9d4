//! Parts of `gt demo` outside the engine: its folders, the sample project as a repository, the worker to kill.

use std::path::{Path, PathBuf};

use gt_ledger::{Attempt, Incarnation, LedgerResult, View};
use gt_world::ProcessId;
use rustix::process::{Pid, Signal, kill_process};

use super::git::git;
use super::story::{self, HALF_WAY, KILLED};
use super::{project, verify};
use crate::sim::script::ScriptError;

/// Paths in a demo's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    root: PathBuf,
}

impl Folders {
    /// Names the paths of a demo in `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Returns the town.
    pub fn town(&self) -> PathBuf {
        self.root.join("town")
    }

    /// Returns the sample project's own repository, as a forge would hold it.
    pub fn remote(&self) -> PathBuf {
        self.root.join("origin.git")
    }

    /// Returns the sample project as its author has it.
    pub fn project(&self) -> PathBuf {
        self.root.join("project")
    }

    /// Returns the script that the workers play.
    pub fn script(&self) -> PathBuf {
        self.root.join("script.toml")
    }

    /// Returns the folder of the workers' marks.
    pub fn play(&self) -> PathBuf {
        self.root.join("play")
    }

    /// Returns the file of beads to import.
    pub fn beads(&self) -> PathBuf {
        self.root.join("beads.jsonl")
    }
}

/// Why a demo could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// A file could not be written.
    #[error("can't write {}", path.display())]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// Cause of the failure.
        #[source]
        source: std::io::Error,
    },
    /// Git failed.
    #[error("{0}")]
    Git(String),
    /// The script can't be written as TOML.
    #[error(transparent)]
    Script(#[from] ScriptError),
}

fn write(path: &Path, text: &str) -> Result<(), SetUpError> {
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
        #[expect(
            clippy::disallowed_methods,
            reason = "scratch files of the demo, written once before the town is there"
        )]
        std::fs::write(path, text)
    });
    written.map_err(|source| SetUpError::Io { path: path.to_owned(), source })
}

/// Makes the sample project in `dir`: a repository with one commit on `main`, by an author of its own, and the bare
/// remote that it was pushed to. Returns the remote's path.
pub fn make_project(dir: &Path) -> Result<PathBuf, SetUpError> {
    let folders = Folders::new(dir);
    let (project, remote) = (folders.project(), folders.remote());
    for (path, text) in project::files() {
        write(&project.join(path), text)?;
    }
    let (in_project, bare) = (project.display().to_string(), remote.display().to_string());
    let run = |args: &[&str]| git(args).map_err(SetUpError::Git);
    run(&["init", "--quiet", "--bare", "--initial-branch=main", &bare])?;
    run(&["init", "--quiet", "--initial-branch=main", &in_project])?;
    let here = |args: &[&str]| run(&[&["-C", in_project.as_str()], args].concat());
    here(&["config", "user.name", "Street Author"])?;
    here(&["config", "user.email", "author@street.invalid"])?;
    here(&["add", "--all"])?;
    here(&["commit", "--quiet", "-m", "A street with a baker"])?;
    here(&["remote", "add", "origin", &bare])?;
    here(&["push", "--quiet", "--set-upstream", "origin", "main"])?;
    Ok(remote)
}

/// Writes the workers' script and the beads to import, and makes the folder of the workers' marks.
pub fn write_story(dir: &Path, seed: u64, now: jiff::Timestamp) -> Result<(), SetUpError> {
    let folders = Folders::new(dir);
    write(&folders.script(), &story::script(seed)?.to_toml()?)?;
    write(&folders.beads(), &story::beads_jsonl(now))?;
    let play = folders.play();
    std::fs::create_dir_all(&play).map_err(|source| SetUpError::Io { path: play, source })
}

/// Kills the worker of the story that must die, once it is half way. Returns true for the call that kills it.
pub fn kill_half_way(play: &Path, view: &View<'_>) -> LedgerResult<bool> {
    if !play.join(HALF_WAY).exists() {
        return Ok(false);
    }
    let attempt = view.live_attempt(&KILLED.into())?;
    let Some(attempt) = attempt else { return Ok(false) };
    let incarnations = view.incarnations_of(attempt.id)?;
    Ok(half_way_agent(&attempt, &incarnations).is_some_and(kill_hard))
}

/// Returns the process of the first incarnation of the first attempt, as long as there is no other.
pub fn half_way_agent<'a>(attempt: &Attempt, incarnations: &'a [Incarnation]) -> Option<&'a ProcessId> {
    match incarnations {
        [only] if attempt.number == 1 && attempt.is_hooked() && only.ended_at.is_none() => {
            only.process.as_ref().map(|process| &process.agent)
        }
        _ => None,
    }
}

/// Sends SIGKILL to a process if its pid still belongs to it. Returns whether it did.
pub fn kill_hard(process: &ProcessId) -> bool {
    let pid = Pid::from_raw(process.pid).filter(|_| verify::still_runs(process));
    pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
}

#[cfg(test)]
pub(crate) mod tests;
