//! Bubblewrap, as far as it has to be asked for.
#![expect(clippy::disallowed_methods, reason = "tries the program that agents are to be started with")]

use std::path::Path;
use std::process::{Command, Stdio};

use super::tmux::find;
use crate::world::Bwrap;

/// What every sandbox is made with.
const WALLS: &[&str] =
    &["--die-with-parent", "--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/run"];

/// What gives one its own processes.
const PROCESSES: &[&str] = &["--unshare-pid", "--proc", "/proc"];

/// The bubblewrap in a PATH, if it can make a sandbox here; else why not. It may be there and forbidden: many systems
/// let no user make namespaces.
pub(super) fn usable(path: &str) -> Result<Bwrap, String> {
    let program = find("bwrap", path).ok_or("no bwrap is in the PATH")?;
    if attempt(&program, path, PROCESSES).is_ok() {
        return Ok(Bwrap { program, own_processes: true });
    }
    match attempt(&program, path, &[]) {
        Ok(()) => Ok(Bwrap { program, own_processes: false }),
        Err(why) => Err(why),
    }
}

fn attempt(program: &Path, path: &str, more: &[&str]) -> Result<(), String> {
    let mut attempt = Command::new(program);
    attempt.args(WALLS).args(more).arg("true");
    let output = attempt.env_clear().env("PATH", path).current_dir("/").stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} can't make a sandbox here: {}", program.display(), said.lines().next().unwrap_or_default()))
}
