//! `gt mail inbox`.

use clap::Args;
use gt_town::mail::post;

use super::whose;
use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// List your mail
#[derive(Debug, Default, Args)]
pub struct InboxArgs {
    /// Only unread mail
    #[arg(long)]
    unread: bool,
    /// The inbox of another agent; only a person may look
    #[arg(long, value_name = "ADDRESS")]
    of: Option<String>,
}

/// Runs `gt mail inbox`.
pub fn inbox(args: &InboxArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let of = whose(context, args.of.as_deref())?;
    let mail = post::inbox(&context.town, &of, args.unread)?;
    if console.is_json() {
        return console.facts("gt.inbox/1", "mail", mail);
    }
    let mut table = Table::new(&["MAIL", "FROM", "READ", "SUBJECT"]);
    for item in mail {
        let read = if item.delivery.read_at.is_some() { "yes" } else { "no" };
        table.row([item.id.0, item.from, read.to_owned(), item.subject]);
    }
    console.table(&table)?;
    Ok(0)
}
