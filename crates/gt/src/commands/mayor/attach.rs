//! `gt mayor attach`.

use clap::Args;
use gt_town::Error;
use gt_town::agents::sessions;

use crate::commands::session::attach::attach_to;
use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Show the mayor's terminal in yours; C-b d detaches
#[derive(Debug, Args)]
pub struct AttachArgs;

/// Runs `gt mayor attach`.
pub fn attach(_args: &AttachArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    attach_to(context, &sessions::find(&context.town, "mayor/").map_err(|_| none_yet())?, console)
}

fn none_yet() -> CliError {
    Error::refused("the mayor was never started", "gt mayor start").into()
}
