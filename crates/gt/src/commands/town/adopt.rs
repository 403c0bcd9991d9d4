//! `gt town adopt`.

use clap::Args;
use gt_town::lifecycle::home;

use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Make a copied or moved town writable again
#[derive(Debug, Args)]
pub struct AdoptArgs;

/// Runs `gt town adopt`.
pub fn adopt(_args: &AdoptArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let adopted = home::adopt(&context.town, &context.caller)?;
    if console.is_json() {
        return console.facts("gt.adopt/1", "adopted", adopted);
    }
    for branch in &adopted.released {
        console.say(&format!("released {}; the branch is kept", printable(branch)))?;
    }
    let what = if adopted.moved { "moved here from" } else { "a town of its own now, copied from" };
    console.say(&format!("{what} {}; nothing begins until: gt resume", printable(&adopted.from)))?;
    Ok(0)
}
