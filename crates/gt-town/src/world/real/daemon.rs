//! Starting the deacon's process apart from the terminal and the caller.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::world::{WorldError, WorldResult};

/// Starts `gt deacon run --detach` for a town; that starts the deacon and ends, so that nobody has it as a child.
pub fn start(gt: &Path, town: &Path, log: &Path) -> WorldResult<()> {
    let mut child = command(gt, town, log)?.arg("--detach").spawn().map_err(|source| spawn_error(gt, source))?;
    let status = child.wait().map_err(|source| spawn_error(gt, source))?;
    if status.success() {
        return Ok(());
    }
    Err(WorldError::Unexpected(format!("the deacon could not be started ({status}): see {}", log.display())))
}

/// The intermediate's part: starts the deacon and leaves it.
pub fn detach(gt: &Path, town: &Path, log: &Path) -> WorldResult<()> {
    command(gt, town, log)?.spawn().map(|_| ()).map_err(|source| spawn_error(gt, source))
}

/// Leaves the caller's session and terminal.
pub fn stand_apart() {
    // Fails only where the process leads a session already, which is what is wanted.
    let _ = rustix::process::setsid();
}

fn spawn_error(gt: &Path, source: std::io::Error) -> WorldError {
    WorldError::Spawn { program: gt.display().to_string(), source }
}

#[expect(clippy::disallowed_methods, reason = "this module is the one that spawns the deacon")]
fn command(gt: &Path, town: &Path, log: &Path) -> WorldResult<Command> {
    let open = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
    let failed = |source| WorldError::Io { act: "open", path: log.to_owned(), source };
    let out: File = open(log).map_err(failed)?;
    let err = out.try_clone().map_err(failed)?;
    let mut command = Command::new(gt);
    command.args([OsStr::new("deacon"), OsStr::new("run"), OsStr::new("--town"), town.as_os_str()]);
    command.current_dir(town).stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
    // The deacon is nobody's agent, whoever starts it.
    command.env_remove(crate::identity::TOKEN_VARIABLE).env_remove("GT_TOWN");
    Ok(command)
}
