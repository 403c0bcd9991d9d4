//! `gt bead dep list`.

use clap::Args;
use gt_town::work::beads;

use super::DirectionArg;
use crate::commands::bead::shapes;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// List what a bead depends on, or what depends on it
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The bead
    bead: String,
    /// down: what it depends on; up: what depends on it
    #[arg(long, value_enum, default_value_t)]
    direction: DirectionArg,
    /// Only of this type
    #[arg(long = "type", short = 't')]
    kind: Option<String>,
}

/// Runs `gt bead dep list`.
pub fn list(args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let ListArgs { bead, direction, kind } = args;
    let bead = &context.town.ledger.read(|view| beads::resolve(view, bead))?;
    let mut links = context.town.ledger.read(|view| match direction {
        DirectionArg::Down => shapes::dependencies(view, &beads::require(view, bead)?),
        DirectionArg::Up => shapes::dependents(view, bead),
    })?;
    links.retain(|(_, of)| kind.as_ref().is_none_or(|kind| of.as_str() == kind));
    if console.is_json() {
        let links: Vec<String> = links.into_iter().map(|(bead, kind)| shapes::linked(bead, &kind)).collect();
        return shapes::print_array(&links, console);
    }
    for (other, kind) in &links {
        let line = format!("{}  {} [P{}] ({}) via {kind}", other.id, other.title, other.priority, other.status);
        console.line(&printable(&line))?;
    }
    if links.is_empty() {
        console.say(&printable(&format!("{bead} has none")))?;
    }
    Ok(0)
}
