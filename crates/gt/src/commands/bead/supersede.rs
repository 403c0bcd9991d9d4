//! `gt bead supersede`.

use clap::Args;
use gt_model::bead::DepType;
use gt_model::id::BeadId;
use gt_town::work::beads;
use serde_json::json;

use crate::commands::bead::words;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Close a bead that another one replaces
#[derive(Debug, Args)]
pub struct SupersedeArgs {
    /// The bead to close
    id: String,
    /// The bead that replaces it
    #[arg(long, value_name = "BEAD")]
    with: String,
}

/// Runs `gt bead supersede`.
pub fn supersede(args: &SupersedeArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    close_for(&args.id, &args.with, &DepType::from(SUPERSEDES), context, console)
}

/// Type of dependency between a bead and its replacement.
const SUPERSEDES: &str = "supersedes";

/// Closes a bead for another one, and says how they are related.
pub fn close_for(id: &str, other: &str, kind: &DepType, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let one = |text: &str| context.town.ledger.read(|view| beads::resolve(view, text));
    let (id, other): (BeadId, BeadId) = (one(id)?, one(other)?);
    let is_newer = kind.as_str() == SUPERSEDES;
    beads::close_for(&context.town, &context.caller, &id, &other, kind)?;
    if console.is_json() {
        return console.document(&if is_newer {
            json!({ "superseded": id, "replacement": other, "status": "closed" })
        } else {
            json!({ "duplicate": id, "canonical": other, "status": "closed" })
        });
    }
    let how = if is_newer { "superseded by" } else { "duplicate of" };
    words::say(console, &format!("{id} closed: {how} {other}"), &format!("✓ Marked {id} as {how} {other} (closed)"))?;
    Ok(0)
}
