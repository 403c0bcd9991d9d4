//! `gt crew attach`.

use clap::Args;
use gt_town::agents::sessions;

use super::address;
use crate::commands::session::attach::attach_to;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Show an agent's terminal in yours; C-b d detaches
#[derive(Debug, Args)]
pub struct AttachArgs {
    /// The rig
    rig: String,
    /// The crew member's name
    name: String,
}

/// Runs `gt crew attach`.
pub fn attach(args: &AttachArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (town, address) = (&context.town, address(context, &args.rig, &args.name)?);
    town.ledger.read(|view| gt_town::agents::wanted::require(view, &address))?;
    attach_to(context, &sessions::find(town, &address.to_string())?, console)
}
