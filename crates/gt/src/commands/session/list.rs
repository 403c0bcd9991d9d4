//! `gt session list`.

use clap::Args;
use gt_model::id::BeadId;
use gt_town::agents::sessions;

use super::runtime;
use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// List the sessions that run or will run
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Also list past ones
    #[arg(long)]
    all: bool,
}

/// Runs `gt session list`.
pub fn list(args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let sessions = &sessions::list(&context.town, args.all)?;
    if console.is_json() {
        return console.facts("gt.sessions/1", "sessions", sessions);
    }
    let mut table = Table::new(&["SESSION", "ADDRESS", "BEAD", "TRY", "RUNTIME", "STATE"]);
    for session in sessions {
        let tries = match session.attempt {
            Some(attempt) => format!("{attempt}.{}", session.incarnation),
            None => session.incarnation.to_string(),
        };
        let (bead, state) = (session.bead.as_ref().map_or("-", BeadId::as_str), session.state.as_str());
        table.row([session.id.as_str(), &session.address, bead, &tries, runtime(session), state]);
    }
    console.table(&table)?;
    Ok(0)
}
