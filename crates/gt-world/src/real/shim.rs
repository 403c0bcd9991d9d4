//! The shim: the process that stands above each agent and each contained command, and makes sure that no process of theirs stays
//! behind.
//!
//! It is `gt` itself under hidden verbs, which [`call`] handles:
//!
//! | call | started by | what it does |
//! |---|---|---|
//! | `gt session host --detach <dir>` | a start | starts the next row's process, not as the caller's child, and ends |
//! | `gt session host <dir>` | the row above | is the shim of an agent |
//! | `gt session pane <dir> <letters>` | tmux | reads the environment, then becomes the next row's process |
//! | `gt session host --pane <dir>` | the row above | is the shim of an agent, as the process of a terminal |
//! | `gt session log-pane <hex of dir>` | tmux | writes the log of a terminal |
//! | `gt session exec <dir>`, `exec --pane <dir>` | the shim | waits until the shim has recorded it, then becomes the agent |
//! | `gt session contain <millis> - <argv>…` | a run | is the shim of a contained command, whose log is stderr |
//! | `gt session below <program> <argv>…` | a start in a terminal | becomes the town's tmux, marked as below a shim |
//!
//! A shim makes itself the leader of a kernel session (in a terminal it already is) and the sub-reaper of all its descendants. So
//! a process that detaches itself in its tree becomes the shim's child and can't get lost. Linux only, so far.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::ExitCode;

use rustix::process::{getpid, set_child_subreaper, setsid};
use sha2::{Digest, Sha256};

use super::descent;
use crate::{Above, Runtime};

mod contain;
mod host;
mod output;
pub(crate) mod pane;
pub(crate) mod record;
mod tree;

pub(crate) use contain::{CommandEnd, Report};
pub(crate) use host::{Ack, LEFTOVER_GRACE};
pub(crate) use tree::timespec;

/// The variable that holds an incarnation's identity and secret.
pub(crate) const INCARNATION: &[u8] = b"GT_INCARNATION";

/// The running program, even if its file has been replaced meanwhile.
const SELF: &str = "/proc/self/exe";

/// Runs as a shim if `args` (without the program's name) ask for one; `None` if they do not. Call it before any other setup,
/// since a contained command waits for it.
pub fn call(args: &[OsString]) -> Option<ExitCode> {
    let [session, verb, rest @ ..] = args else { return None };
    if session != "session" {
        return None;
    }
    match (verb.to_str()?, rest) {
        ("host", [detach, dir]) if detach == "--detach" => Some(host::detach(Path::new(dir))),
        ("host", [pane, dir]) if pane == "--pane" => Some(host::host(Path::new(dir), Runtime::Tmux)),
        ("host", [dir]) => Some(host::host(Path::new(dir), Runtime::Headless)),
        ("pane", [dir, letters]) => Some(pane::pane(Path::new(dir), letters.to_str()?)),
        ("log-pane", [dir]) => Some(pane::log(dir.to_str()?)),
        ("exec", [pane, dir]) if pane == "--pane" => Some(host::exec(Path::new(dir), Runtime::Tmux)),
        ("exec", [dir]) => Some(host::exec(Path::new(dir), Runtime::Headless)),
        ("below", [program, argv @ ..]) => Some(below(program, argv)),
        ("contain", [millis, log, argv @ ..]) if log == "-" && !argv.is_empty() => {
            Some(contain::contain(millis.to_str()?.parse().ok()?, argv))
        }
        _ => None,
    }
}

/// Becomes another program, marked as below a shim: no process that runs in the town's tmux counts as a person's.
#[expect(clippy::disallowed_methods, reason = "becomes the town's tmux")]
fn below(program: &OsString, argv: &[OsString]) -> ExitCode {
    descent::mark(Above::Session);
    let error = std::process::Command::new(program).args(argv).exec();
    // The caller reads this, as it reads tmux's messages.
    let _ = writeln!(std::io::stderr(), "{}: {error}", program.display());
    ExitCode::FAILURE
}

/// Makes the calling process the reaper of all its future descendants, marks it as below a shim, and detaches it from any
/// terminal but the one that was made for it.
fn stand_apart(runtime: Runtime, shim: Above) -> std::io::Result<()> {
    descent::mark(shim);
    if runtime == Runtime::Headless {
        setsid()?;
    }
    set_child_subreaper(Some(getpid()))?;
    Ok(())
}

/// Returns the hash of an incarnation's identity, from an environment as `/proc/<pid>/environ` gives it. The hash tells an
/// incarnation's processes from all others without revealing its secret. `None` if the environment holds no identity.
pub(crate) fn mark(environ: &[u8]) -> Option<String> {
    let variables = environ.split(|byte| *byte == 0);
    let mut values = variables.filter_map(|variable| variable.strip_prefix(INCARNATION)?.strip_prefix(b"="));
    let digest = Sha256::digest(values.next()?);
    Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
