//! `gt bead close`.

use clap::Args;
use gt_model::bead::{Bead, Status};
use gt_model::id::BeadId;
use gt_town::work::beads;

use crate::commands::bead::changing::{Meant, Outcome, changed, each};
use crate::commands::bead::shapes;
use crate::commands::bead::words::Act;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Close beads that no worker works on
#[derive(Debug, Args)]
pub struct CloseArgs {
    /// Their ids
    #[arg(required = true)]
    ids: Vec<String>,
    /// Why
    #[arg(long, short, visible_aliases = ["message", "resolution", "comment"], short_alias = 'm')]
    reason: Option<String>,
    /// Close them even if they have open children or blockers, or wait in the merge queue
    #[arg(long, short)]
    force: bool,
    /// Also print which beads became ready
    #[arg(long)]
    suggest_next: bool,
    /// Accepted and ignored
    #[arg(long, hide = true)]
    session: Option<String>,
}

/// Runs `gt bead close`.
pub fn close(args: &CloseArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let CloseArgs { ids, force, suggest_next, .. } = args;
    let (reason, force, as_bd) = (args.reason.as_deref(), *force, console.is_bd());
    if !*suggest_next {
        return each(ids, &Meant::All, Act::Close, context, console, |id| {
            close_one(id, reason, force, as_bd, context).map(|bead| Outcome::Done(Box::new(bead)))
        });
    }
    let now = context.town.world().clock().now();
    let mut closed = Vec::new();
    let mut freed: Vec<Bead> = Vec::new();
    for id in beads::resolve_all(&context.town, ids)? {
        closed.push(close_one(&id, reason, force, as_bd, context)?);
        freed.extend(context.town.ledger.read(|view| beads::freed_by(view, now, &id))?);
    }
    if console.is_json() {
        if freed.is_empty() {
            return shapes::print_array(&shapes::all_bare(&closed), console);
        }
        let (closed, freed) = (shapes::all_bare(&closed).join(","), shapes::all_bare(&freed).join(","));
        return shapes::print(&format!("{{\"closed\":[{closed}],\"unblocked\":[{freed}]}}"), console);
    }
    changed(&closed, Act::Close, console)?;
    for bead in &freed {
        console.say(&format!("{} is ready now: {}", bead.id, printable(&bead.title)))?;
    }
    Ok(0)
}

/// Closes a bead. For `bd`, closing a closed bead changes nothing and succeeds, so that its callers can retry.
pub fn close_one(
    id: &BeadId,
    reason: Option<&str>,
    force: bool,
    as_bd: bool,
    context: &Context<'_>,
) -> Result<Bead, CliError> {
    let before = context.town.ledger.read(|view| beads::require(view, id))?;
    if as_bd && before.status == Status::Closed {
        return Ok(before);
    }
    Ok(beads::close(&context.town, &context.caller, id, reason, force)?)
}
