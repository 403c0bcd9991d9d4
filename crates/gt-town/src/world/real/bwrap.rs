//! Bubblewrap, as far as it has to be asked for.
#![expect(clippy::disallowed_methods, reason = "tries the program that agents are to be started with")]

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::tmux::find;

/// The bubblewrap in a PATH, if it can make a sandbox here; else why not. It may be there and forbidden: many systems
/// let no user make namespaces.
pub(super) fn usable(path: &str) -> Result<PathBuf, String> {
    let program = find("bwrap", path).ok_or("no bwrap is in the PATH")?;
    let mut attempt = Command::new(&program);
    attempt.args([
        "--die-with-parent",
        "--cap-drop",
        "ALL",
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--tmpfs",
        "/run",
        "true",
    ]);
    let output = attempt.env_clear().env("PATH", path).current_dir("/").stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(program);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} can't make a sandbox here: {}", program.display(), said.lines().next().unwrap_or_default()))
}
