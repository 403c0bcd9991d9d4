//! `gt session attach`.

use std::io::IsTerminal;

use clap::Args;
use gt_town::agents::sessions::{self, Session};
use gt_world::Runtime;

use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Show a session's terminal in yours; C-b d detaches
#[derive(Debug, Args)]
pub struct AttachArgs {
    /// Its id, or its worker's address
    session: String,
}

/// Runs `gt session attach`.
pub fn attach(args: &AttachArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    attach_to(context, &sessions::find(&context.town, &args.session)?, console)
}

/// Shows the terminal of a session in that of the caller.
pub fn attach_to(context: &Context<'_>, session: &Session, console: &mut Console<'_>) -> CliResult {
    let can_show = console.is_terminal() && std::io::stdin().is_terminal();
    if session.runtime == Some(Runtime::Tmux) && session.is_running() && !can_show {
        return Err(CliError::Usage {
            what: "to attach, gt needs a terminal of its own".to_owned(),
            hint: format!("gt peek {} --follow", session.address),
        });
    }
    sessions::attach(&context.town, &context.caller, session)?;
    Ok(0)
}
