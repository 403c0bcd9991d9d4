//! Gates: the commands that a merge must pass, where they are found, and how they are run.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::contained::{self, Job};
use crate::error::Result;
use crate::settings::Gate;
use crate::setup::{self, Unfit};
use crate::town::{Rig, Town};
use crate::world::{Held, RunEnd, World};

/// What a run of all gates gave.
#[derive(Clone, Debug, Serialize)]
pub struct GatesRun {
    /// Each gate that was run; the first red one is the last.
    pub gates: Vec<GateRun>,
}

/// What one gate gave.
#[derive(Clone, Debug, Serialize)]
pub struct GateRun {
    /// Its name.
    pub name: String,
    /// Whether it was green.
    pub passed: bool,
    /// What went wrong.
    pub failure: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Where its output is.
    pub log: String,
}

impl GatesRun {
    /// Whether all were green.
    pub fn passed(&self) -> bool {
        self.gates.iter().all(|gate| gate.passed)
    }

    /// What went wrong, if anything did.
    pub fn failure(&self) -> Option<String> {
        self.gates.iter().find_map(|gate| gate.failure.clone())
    }

    /// How long all took, in milliseconds.
    pub fn took_ms(&self) -> u64 {
        self.gates.iter().map(|gate| gate.took_ms).sum()
    }
}

/// What is said of a commit: the gates' word, or what it refers to and nobody has, which may come yet.
pub enum Tested {
    /// The gates were run.
    Run(GatesRun),
    /// They could not be: this is missing.
    Missing(String),
}

impl Tested {
    /// As a run: what is missing counts as red.
    pub fn into_run(self) -> GatesRun {
        match self {
            Self::Run(run) => run,
            Self::Missing(why) => GatesRun { gates: vec![not_set_up(why)] },
        }
    }
}

/// What stands in the place of gates that could not be run.
fn not_set_up(why: String) -> GateRun {
    GateRun { name: "set-up".to_owned(), passed: false, failure: Some(why), took_ms: 0, log: String::new() }
}

/// Sets a gate worktree up that was put at a commit, and runs the rig's gates in it.
pub fn test(town: &Town, rig: &Rig, held: &Held, folder: &Path, label: &str) -> Result<Tested> {
    Ok(match setup::gate_worktree(town, rig, held, folder)? {
        Some(Unfit::Missing(why)) => Tested::Missing(why),
        Some(Unfit::Blocked(why)) => Tested::Run(GatesRun { gates: vec![not_set_up(why)] }),
        None => Tested::Run(run(town, rig, folder, label)?),
    })
}

/// Runs a rig's gates in `folder`, in order, up to the first red one. `label` names the logs.
pub fn run(town: &Town, rig: &Rig, folder: &Path, label: &str) -> Result<GatesRun> {
    let mut run = GatesRun { gates: Vec::new() };
    for gate in &rig.settings.gate {
        let result = run_one(town, rig, gate, folder, label)?;
        let red = !result.passed;
        run.gates.push(result);
        if red {
            break;
        }
    }
    Ok(run)
}

fn run_one(town: &Town, rig: &Rig, gate: &Gate, folder: &Path, label: &str) -> Result<GateRun> {
    let log = rig.layout.gate_logs().join(format!("{label}-{}.log", gt_model::id::slug(&gate.name)));
    let argv = vec!["sh".to_owned(), "-c".to_owned(), gate.run.clone()];
    let timeout = Duration::from_secs(gate.timeout_seconds);
    let result = contained::run(town, rig, &Job { argv, folder, slot: None, timeout, log: &log })?;
    let failure = match &result.end {
        RunEnd::Passed => None,
        RunEnd::Failed(exit) => Some(match (exit.code, exit.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => exit.reason.clone(),
        }),
        RunEnd::TimedOut => Some(format!("not over after {} s", gate.timeout_seconds)),
    };
    let failure = failure.map(|what| format!("gate `{}`: {what}\n{}", gate.name, result.tail.join("\n")));
    Ok(GateRun {
        name: gate.name.clone(),
        passed: failure.is_none(),
        failure: failure.map(|text| text.trim_end().to_owned()),
        took_ms: u64::try_from(result.took.as_millis()).unwrap_or(u64::MAX),
        log: log.display().to_string(),
    })
}

/// Where gates are known to be, in the order of preference: a file, and what must be in it.
const KNOWN: &[(&str, &str, &str, &str)] = &[
    ("Cargo.toml", "", "cargo-test", "cargo test"),
    ("package.json", "\"test\"", "npm-test", "npm test"),
    ("pyproject.toml", "pytest", "pytest", "python3 -m pytest -q"),
    ("go.mod", "", "go-test", "go test ./..."),
    ("run-tests", "", "run-tests", "sh ./run-tests"),
    ("run-tests.sh", "", "run-tests", "sh ./run-tests.sh"),
    ("test.sh", "", "test", "sh ./test.sh"),
];

/// Bytes that are read of such a file.
const FILE_BYTES: usize = 4 * 1024 * 1024;

/// Finds the gates of a project from its files.
pub fn find(world: &dyn World, folder: &Path) -> Result<Vec<Gate>> {
    let gate = |name: &str, run: &str| Gate { name: name.to_owned(), run: run.to_owned(), timeout_seconds: 1800 };
    // What a project links to something else is looked at by nobody here.
    let read = |file: &str| world.disk().read_part(&folder.join(file), 0, FILE_BYTES);
    let mut found = Vec::new();
    for (file, must_hold, name, run) in KNOWN {
        if let Some(bytes) = read(file)?
            && String::from_utf8_lossy(&bytes).contains(must_hold)
        {
            found.push(gate(name, run));
        }
    }
    // A Python project that does not name pytest has its tests with the standard library's.
    if found.is_empty() && world.disk().exists(&folder.join("pyproject.toml")) {
        found.push(gate("unittest", "python3 -m unittest discover"));
    }
    if found.is_empty()
        && let Some(bytes) = read("Makefile")?
        && String::from_utf8_lossy(&bytes).lines().any(|line| line.starts_with("test:"))
    {
        found.push(gate("make-test", "make test"));
    }
    Ok(found)
}
