//! `gt session show`.

use clap::Args;
use gt_town::agents::sessions::{self, Session};

use super::runtime;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Show a session: its processes, its runtime, how it ended
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Its id, or its worker's address
    session: String,
}

/// Runs `gt session show`.
pub fn show(args: &ShowArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let session = &sessions::find(&context.town, &args.session)?;
    if console.is_json() {
        return console.facts("gt.session/1", "session", session);
    }
    say_session(session, console)?;
    Ok(0)
}

/// Prints a session on a few lines.
pub fn say_session(session: &Session, console: &mut Console<'_>) -> Result<(), CliError> {
    console.line(&format!("session {}: {}", session.id, printable(&session.state)))?;
    match (&session.bead, session.attempt) {
        (Some(bead), Some(attempt)) => console.line(&format!("  {} on {bead}, attempt {attempt}", session.address))?,
        _ => console.line(&format!("  {}", session.address))?,
    }
    console.line(&format!("  runtime: {}", runtime(session)))?;
    if let (Some(shim), Some(agent)) = (&session.shim, &session.agent) {
        console.line(&format!("  processes: agent {}, shim {}", agent.pid, shim.pid))?;
    }
    if let Some(at) = &session.started_at {
        console.line(&format!("  started: {at}"))?;
    }
    if let Some(exit) = &session.exit {
        let code = exit.code.map(|code| format!(", code {code}")).unwrap_or_default();
        let signal = exit.signal.map(|signal| format!(", signal {signal}")).unwrap_or_default();
        console.line(&format!("  end: {}{code}{signal}", printable(&exit.reason)))?;
    }
    console.line(&format!("  folder: {}", session.folder))
}
