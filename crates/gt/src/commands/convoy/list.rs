//! `gt convoy list`.

use clap::Args;
use gt_model::convoy::MemberState;
use gt_town::work::convoy;

use super::state_words;
use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// List convoys
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Also list landed ones
    #[arg(long)]
    all: bool,
}

/// Runs `gt convoy list`.
pub fn list(args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let convoys = convoy::list(&context.town, args.all)?;
    if console.is_json() {
        return console.facts("gt.convoys/1", "convoys", convoys);
    }
    let mut table = Table::new(&["CONVOY", "STATE", "CLOSED", "TITLE"]);
    for convoy in convoys {
        let there = convoy.members.iter().filter(|member| member.state != MemberState::Deleted);
        let closed = there.clone().filter(|member| member.state != MemberState::Open).count();
        let state = state_words(convoy.state).to_owned();
        table.row([convoy.id.0, state, format!("{closed}/{}", there.count()), convoy.title]);
    }
    console.table(&table)?;
    Ok(0)
}
