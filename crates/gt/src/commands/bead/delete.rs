//! `gt bead delete`.

use std::io::{BufRead, IsTerminal};

use clap::Args;
use gt_model::bead::Bead;
use gt_model::id::BeadId;
use gt_town::Error;
use gt_town::work::beads;
use serde_json::json;

use crate::commands::bead::words;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Delete beads; each leaves a tombstone, from which `reopen` restores it
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Their ids
    #[arg(required = true)]
    ids: Vec<String>,
    /// Do not ask
    #[arg(long, short, visible_alias = "yes")]
    force: bool,
    /// Why
    #[arg(long, short)]
    reason: Option<String>,
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
}

/// Runs `gt bead delete`.
pub fn delete(args: &DeleteArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (DeleteArgs { ids, force, dry_run, .. }, reason) = (args, args.reason.as_deref());
    let ids = beads::resolve_all(&context.town, ids).map_err(|error| match error {
        Error::UnknownBead(id) if console.is_bd() => {
            CliError::usage(&format!("issue `{id}` not found"), "bd list shows all beads")
        }
        error => error.into(),
    })?;
    let found = context
        .town
        .ledger
        .read(|view| ids.iter().map(|id| beads::require(view, id)).collect::<Result<Vec<_>, Error>>())?;
    if *dry_run {
        return preview(&found, console);
    }
    // `bd` shows what it would delete, and asks for no confirmation.
    if !*force && console.is_bd() && !console.is_json() && !console.is_terminal() {
        console.line("DELETE PREVIEW: nothing was deleted, --force deletes")?;
        return preview(&found, console);
    }
    if !*force && !is_wanted(&found, console)? {
        let what = format!("{} not deleted", if ids.len() == 1 { ids[0].0.clone() } else { "nothing was".to_owned() });
        return Err(Error::refused(what, "say --force to delete without being asked").into());
    }
    for id in &ids {
        beads::delete(&context.town, &context.caller, id, reason)?;
    }
    if console.is_json() {
        return console.document(&match ids.as_slice() {
            [one] => json!({ "deleted": one, "deleted_count": 1 }),
            all => json!({ "deleted": all, "deleted_count": all.len() }),
        });
    }
    for bead in &found {
        let (id, title) = (printable(bead.id.as_str()), printable(&bead.title));
        let back = format!("(bd reopen {id} brings it back)");
        words::say(console, &format!("{id} deleted: {title} {back}"), &format!("✓ Deleted {id} — {title} {back}"))?;
    }
    Ok(0)
}

/// Prints what would be deleted.
fn preview(found: &[Bead], console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        let ids: Vec<&BeadId> = found.iter().map(|bead| &bead.id).collect();
        return console.document(&json!({ "would_delete": ids, "count": ids.len() }));
    }
    for bead in found {
        console.line(&format!("would delete {}: {}", bead.id, printable(&bead.title)))?;
    }
    Ok(0)
}

/// Asks a person for confirmation. The answer is no where no person can be asked.
fn is_wanted(found: &[Bead], console: &mut Console<'_>) -> Result<bool, CliError> {
    if console.is_json() || !console.is_terminal() || !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    for bead in found {
        console.line(&format!("{}  {}", bead.id, printable(&bead.title)))?;
    }
    console.line("delete? [y/N]")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
