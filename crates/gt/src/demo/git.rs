//! Runs git outside the engine: to make the sample project, and to check a demo from outside.

#![expect(
    clippy::disallowed_methods,
    reason = "what checks the engine must not go through it: the demo has a git runner of its own"
)]

use std::process::{Command, Stdio};

/// Characters of a failing program's output that are quoted.
const QUOTED_CHARS: usize = 400;

/// Variables that would point git to another repository.
const GIT_VARIABLES: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_CONFIG_PARAMETERS",
];

/// Prepares a program in an environment that does not point git to another repository.
pub(super) fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    for variable in GIT_VARIABLES {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs git without the user's own settings. Returns its output.
pub(super) fn git(args: &[&str]) -> Result<String, String> {
    let mut command = program("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
    let output = command.args(args).output().map_err(|e| format!("git: {e}"))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(|e| format!("git {}: {e}", args.join(" ")));
    }
    Err(format!("git {}: {}", args.join(" "), tail(&String::from_utf8_lossy(&output.stderr))))
}

/// Returns the end of a text, on one line.
pub(super) fn tail(text: &str) -> String {
    let text = text.trim().lines().map(str::trim).collect::<Vec<_>>().join(" / ");
    let skip = text.chars().count().saturating_sub(QUOTED_CHARS);
    text.chars().skip(skip).collect()
}
