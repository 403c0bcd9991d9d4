//! Tests of the git operations that a worker may do in its worktree, run as a worker would run them.

#![expect(clippy::disallowed_methods, reason = "a worker's git runs outside our own calls, with the hooks on")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::*;

mod accidents;
mod harmless;
mod projects;
mod refused;

/// Result of a worker's shell.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Rig {
    /// Runs a script as a worker does: in its worktree, with plain git.
    fn sh(&self, folder: &Path, script: &str) -> Said {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(folder).env_clear();
        command.envs(self.git.environment.iter().cloned()).env("TOP", self.at(""));
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        let code = output.status.code().unwrap();
        Said { code, out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Runs a script that must succeed.
    fn works(&self, folder: &Path, script: &str) -> String {
        let said = self.sh(folder, &format!("set -e\n{script}"));
        assert_eq!(said.code, 0, "{script}: {} {}", said.out, said.err);
        said.out
    }

    /// Returns all refs except `but`.
    fn refs_but(&self, but: &[&str]) -> BTreeMap<String, Sha> {
        let mut refs = self.git.refs(&self.repo()).unwrap();
        refs.retain(|name, _| !but.iter().any(|but| name.starts_with(but)));
        refs
    }
}

/// Writes a program.
fn program(path: &Path, text: &str) {
    put(path, text);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
