//! `gt mail`.

use clap::Subcommand;
use gt_model::address::Address;
use gt_town::Error;
use gt_town::mail::post;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

pub mod inbox;
mod read;
mod send;

/// Send and read mail
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Beside.order())]
pub enum MailVerb {
    Send(send::SendArgs),
    Inbox(inbox::InboxArgs),
    Read(read::ReadArgs),
}

/// Runs a verb of `gt mail`.
pub fn mail(verb: &MailVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        MailVerb::Send(args) => send::send(args, context, console),
        MailVerb::Inbox(args) => inbox::inbox(args, context, console),
        MailVerb::Read(args) => read::read(args, context, console),
    }
}

/// Returns the address whose mail the caller may read: its own, or any for a person.
fn whose(context: &Context<'_>, of: Option<&str>) -> Result<Address, CliError> {
    let own = context.caller.address.clone();
    let Some(text) = of else { return Ok(own) };
    let other = context.town.ledger.read(|view| post::recipient(view, text))?;
    if other != own && !context.caller.is_overseer() {
        return Err(Error::refused("an agent reads its own mail only", "gt mail inbox").into());
    }
    Ok(other)
}
