//! `gt session stop`.

use clap::Args;
use gt_town::agents::sessions;

use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// End a session; the witness continues the work in a new one (gt unsling takes the bead back)
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Its id, or its worker's address
    session: String,
}

/// Runs `gt session stop`.
pub fn stop(args: &StopArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let session = &sessions::find(&context.town, &args.session)?;
    sessions::stop(&context.town, &context.caller, session)?;
    if console.is_json() {
        return console.facts("gt.session-stopped/1", "session", &session.id);
    }
    let Some(bead) = &session.bead else {
        console.say(&format!("session {} has ended; the deacon starts {} again", session.id, session.address))?;
        console.note("to keep it stopped: gt mayor stop, gt crew stop")?;
        return Ok(0);
    };
    console.say(&format!("session {} has ended; the witness starts {bead} again where it stopped", session.id))?;
    console.note(&format!("to take the bead back: gt unsling {bead}"))?;
    Ok(0)
}
