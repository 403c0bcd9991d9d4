//! Git and gates as `verify` runs them: without the engine, and without changing anything.

#![expect(
    clippy::disallowed_methods,
    reason = "what checks the engine must not go through it: this waits for its gates by itself"
)]

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gt_model::id::Sha;
use gt_town::town::settings::Gate;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::demo::git::{git, program, tail};

/// Pause between two checks whether a gate has ended.
const POLL: Duration = Duration::from_millis(10);

/// Returns the names of all refs of a remote.
pub(super) fn remote_refs(remote: &str) -> Result<Vec<String>, String> {
    let lines = git(&["ls-remote", "--", remote])?;
    Ok(lines.lines().filter_map(|line| line.split_once('\t')).map(|(_, name)| name.to_owned()).collect())
}

/// Returns the folders that a repository has as worktrees, itself included.
pub(super) fn worktrees(repo: &Path) -> Result<Vec<PathBuf>, String> {
    let list = git(&["-C", &repo.display().to_string(), "worktree", "list", "--porcelain"])?;
    Ok(list.lines().filter_map(|line| line.strip_prefix("worktree ")).map(PathBuf::from).collect())
}

/// A commit of the trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TrunkCommit {
    /// Id of the commit.
    pub(super) sha: Sha,
    /// Beads that its trailers name.
    pub(super) beads: Vec<String>,
}

/// Copy of a remote in a temporary folder, which is deleted when this is dropped.
pub(super) struct RemoteCopy {
    folder: tempfile::TempDir,
    trunk: String,
}

impl RemoteCopy {
    /// Copies a remote.
    pub(super) fn of(remote: &str, trunk: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let copy = Self { trunk: format!("refs/heads/{trunk}"), folder };
        git(&["clone", "--quiet", "--mirror", "--", remote, &copy.repo()])?;
        Ok(copy)
    }

    fn repo(&self) -> String {
        self.folder.path().join("repo.git").display().to_string()
    }

    /// Returns all commits of the trunk, oldest first.
    pub(super) fn trunk(&self) -> Result<Vec<TrunkCommit>, String> {
        let format = "--format=%H%x09%(trailers:key=Bead,valueonly,separator=%x09)";
        let log = git(&["-C", &self.repo(), "log", "--reverse", "--topo-order", format, &self.trunk, "--"])?;
        let commit = |line: &str| {
            let mut fields = line.split('\t').map(str::trim).filter(|field| !field.is_empty());
            let sha = fields.next()?.into();
            Some(TrunkCommit { sha, beads: fields.map(str::to_owned).collect() })
        };
        Ok(log.lines().filter_map(commit).collect())
    }

    /// Checks out a commit into a folder of its own.
    pub(super) fn check_out(&self, commit: &Sha) -> Result<PathBuf, String> {
        let folder = self.folder.path().join(commit.as_str());
        if !folder.exists() {
            let path = folder.display().to_string();
            git(&["-C", &self.repo(), "worktree", "add", "--quiet", "--detach", &path, commit.as_str()])?;
        }
        Ok(folder)
    }
}

/// Runs a gate in a folder. The error says what failed.
pub(super) fn run_gate(folder: &Path, gate: &Gate) -> Result<(), String> {
    let run = || -> std::io::Result<(Option<std::process::ExitStatus>, String)> {
        let log = tempfile::NamedTempFile::new()?;
        let mut command = program("sh");
        command
            .args(["-c", &gate.run])
            .current_dir(folder)
            .process_group(0)
            .stdout(log.reopen()?)
            .stderr(log.reopen()?);
        let status = wait(command.spawn()?, Duration::from_secs(gate.timeout_seconds))?;
        Ok((status, std::fs::read(log.path()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())?))
    };
    match run() {
        Ok((Some(status), _)) if status.success() => Ok(()),
        Ok((Some(_), text)) => Err(format!("gate {} failed: {}", gate.name, tail(&text))),
        Ok((None, _)) => Err(format!("gate {} took longer than {} s", gate.name, gate.timeout_seconds)),
        Err(e) => Err(format!("gate {}: {e}", gate.name)),
    }
}

/// Waits for a child, at most this long. Then kills its process group and returns `None`.
fn wait(mut child: std::process::Child, at_most: Duration) -> std::io::Result<Option<std::process::ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > at_most {
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}
