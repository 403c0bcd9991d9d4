//! Runs agents' code that the town starts itself: gates, set-up and acceptance commands. All of it goes through [`run`], which
//! gives it an environment, a read-only identity ([`GATE_VARIABLE`]) and, where the rig wants one, a sandbox.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gt_world::{ContainedCommand, RunEnd, RunResult};

use crate::town::error::{Error, Result};
use crate::town::identity::GATE_VARIABLE;
use crate::town::{Rig, Town};
use crate::walls::direnv;
use crate::walls::sandbox;
use crate::walls::tampering::Before;
use crate::walls::worker_env;

/// A command to run.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Worktree where it runs.
    pub folder: &'a Path,
    /// The town's worker slot that it uses.
    pub slot: Option<u32>,
    /// Maximum run time.
    pub timeout: Duration,
    /// File for its output.
    pub log: &'a Path,
    /// Variables of its environment, beside the worker's.
    pub env: BTreeMap<String, String>,
}

/// Runs the command to its end. Fails where its sandbox is not available: then nothing has run, which says nothing of the code.
pub fn run(town: &Town, rig: &Rig, job: &Job<'_>) -> Result<RunResult> {
    let mut env = worker_env::environment(town, Some(rig), None, job.slot);
    env.extend(job.env.clone());
    env.insert(GATE_VARIABLE.to_owned(), town.layout.root.display().to_string());
    let bare = ContainedCommand {
        argv: direnv::around(town, rig, job.folder, job.argv.clone())?,
        cwd: job.folder.to_owned(),
        env,
        timeout: job.timeout,
        log: job.log.to_owned(),
    };
    let mut result = run_within(town, rig, &bare)?;
    if result.end != RunEnd::Passed {
        // The command may have failed because direnv was not run.
        result.tail.extend(direnv::why_not(town, rig, job.folder)?);
    }
    Ok(result)
}

fn run_within(town: &Town, rig: &Rig, bare: &ContainedCommand) -> Result<RunResult> {
    match sandbox::around_command(town, rig, bare)? {
        Some(walled) => {
            let result = town.world().sessions().run(&walled)?;
            if may_be_the_walls(&result) {
                require_walls(town, rig, bare)?;
            }
            Ok(result)
        }
        // A command inside a worker's sandbox cannot write the settings.
        None if town.world().sessions().is_in_sandbox() => Ok(town.world().sessions().run(bare)?),
        None => run_bare(town, rig, bare),
    }
}

/// Runs a command without a sandbox. If settings change during the run, the town can't tell who changed them. The result then
/// counts neither as green nor as red, and the command runs again once a person has looked.
fn run_bare(town: &Town, rig: &Rig, command: &ContainedCommand) -> Result<RunResult> {
    let before = Before::look(town)?;
    let result = town.world().sessions().run(command)?;
    match before.compare(town, rig, &command.argv.join(" "))? {
        Some(reason) => Err(Error::refused(reason, format!("look at that file, then: gt rig release {}", rig.name()))),
        None => Ok(result),
    }
}

/// Whether bubblewrap itself may have failed, by the last lines of output. The command may print the same words.
fn may_be_the_walls(result: &RunResult) -> bool {
    matches!(result.end, RunEnd::Failed(_)) && result.tail.last().is_some_and(|line| line.starts_with("bwrap: "))
}

/// Fails where no command at all can run in the same sandbox.
fn require_walls(town: &Town, rig: &Rig, bare: &ContainedCommand) -> Result<()> {
    let log = bare.log.with_extension("sandbox.log");
    let trial = ContainedCommand { argv: vec!["true".to_owned()], log: log.clone(), ..bare.clone() };
    let Some(trial) = sandbox::around_command(town, rig, &trial)? else { return Ok(()) };
    let result = town.world().sessions().run(&trial)?;
    town.world().disk().remove(&log)?;
    if result.end == RunEnd::Passed {
        return Ok(());
    }
    let said = result.tail.last().cloned().unwrap_or_default();
    Err(Error::NeedsPerson {
        what: format!("{} has sandbox = \"bwrap\", but bubblewrap can't run its gates: {said}", rig.name()),
        hint: "gt doctor says what is wrong".to_owned(),
    })
}
