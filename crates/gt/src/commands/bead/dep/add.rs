//! `gt bead dep add`.

use clap::Args;
use gt_town::work::beads;
use serde_json::json;

use crate::commands::bead::{typed, words};
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Make a bead wait for another one
#[derive(Debug, Args)]
pub struct AddArgs {
    /// The bead that waits
    bead: String,
    /// The bead that it waits for
    #[arg(required_unless_present = "blocked_by")]
    on: Option<String>,
    /// The bead that it waits for
    #[arg(long, visible_alias = "depends-on", conflicts_with = "on", value_name = "ON")]
    blocked_by: Option<String>,
    /// Type of the dependency: blocks, parent-child, related …
    #[arg(long = "type", short = 't', default_value = "blocks")]
    kind: String,
}

/// Runs `gt bead dep add`.
pub fn add(args: &AddArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let AddArgs { bead, on, blocked_by, kind } = args;
    let one = |text: &str| context.town.ledger.read(|view| beads::resolve(view, text));
    let (bead, on) = (one(bead)?, one(on.as_ref().or(blocked_by.as_ref()).map_or("", String::as_str))?);
    let kind = typed::dep_type(kind)?;
    beads::add_dependency(&context.town, &context.caller, &bead, &on, &kind)?;
    if console.is_json() {
        let kind = kind.as_str();
        return console.document(&json!({ "status": "added", "issue_id": bead, "depends_on_id": on, "type": kind }));
    }
    let said = format!("{bead} depends on {on} ({})", printable(kind.as_str()));
    words::say(console, &said, &format!("✓ Added dependency: {said}"))?;
    Ok(0)
}
