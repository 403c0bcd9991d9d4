//! Looks for a usable bubblewrap.
#![expect(clippy::disallowed_methods, reason = "tries the program that agents are to be started with")]

use std::path::Path;
use std::process::{Command, Stdio};

use super::tmux::find;
use crate::Bwrap;

/// Options for every sandbox.
const WALLS: &[&str] =
    &["--die-with-parent", "--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/run"];

/// Options that give a sandbox its own process namespace.
const PROCESSES: &[&str] = &["--unshare-pid", "--proc", "/proc"];

/// Returns the bubblewrap in a PATH if it can make a sandbox on this machine; the error says why not. The program may exist and
/// still fail: many systems forbid users to make namespaces.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks for bubblewrap where a program called bwrap runs this script.
    fn found(script: &str) -> Result<bool, String> {
        let dir = tempfile::tempdir().expect("a folder");
        let program = dir.path().join("bwrap");
        // Another process writes the file. If this process wrote it, a concurrently forked child could inherit the open file, and
        // the file could not be run.
        let mut writer = Command::new("sh");
        writer.args(["-c", "printf '#!/bin/sh\n%s\n' \"$1\" > \"$2\" && chmod +x \"$2\"", "sh", script]).arg(&program);
        assert!(writer.status().expect("a shell").success());
        let bwrap = usable(&dir.path().display().to_string())?;
        assert_eq!(bwrap.program, program);
        Ok(bwrap.own_processes)
    }

    #[test]
    fn a_sandbox_is_as_good_as_it_can_be_had_and_says_what_it_lacks() {
        assert_eq!(found("exit 0"), Ok(true));
        let forbidden = "case \"$*\" in *--unshare-pid*) echo no >&2; exit 1 ;; esac";
        assert_eq!(found(forbidden), Ok(false));
        let why = found("echo 'not permitted' >&2; exit 1").expect_err("none");
        assert!(why.ends_with("can't make a sandbox here: not permitted"), "{why}");
        assert_eq!(usable("/nowhere"), Err("no bwrap is in the PATH".to_owned()));
    }
}
