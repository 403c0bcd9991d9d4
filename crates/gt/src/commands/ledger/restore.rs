//! `gt ledger restore`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use gt_town::Error;
use gt_town::sync::solo;
use gt_town::town::identity;
use gt_town::town::person::{self, Act};
use serde_json::json;

use super::fresh;
use crate::Process;
use crate::cli::Global;
use crate::commands::bead;
use crate::commands::bead::BeadFlags;
use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Replace the ledger with a backup, even one that can't be opened; the old file is kept in backups/
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup
    from: PathBuf,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

const RESTORE: Act<'_> = Act { refused: "restores a ledger", what: "restore", on: "ledger" };

/// Runs `gt ledger restore`.
pub fn restore(
    args: &RestoreArgs,
    flags: &BeadFlags,
    global: &Global,
    process: &Process,
    console: &mut Console<'_>,
) -> CliResult {
    let from = process.cwd.join(&args.from);
    match bead::open(flags, global, process) {
        Ok(context) => restore_open(&from, args.yes, &context, console),
        Err(CliError::Engine(Error::Ledger(error))) if error.is_lost() => {
            console.note(&error.to_string())?;
            restore_lost(&from, args.yes, flags, global, process, console)
        }
        Err(error) => Err(error),
    }
}

/// Runs `gt ledger restore` for a ledger that can't be opened.
fn restore_lost(
    from: &Path,
    yes: bool,
    flags: &BeadFlags,
    global: &Global,
    process: &Process,
    console: &mut Console<'_>,
) -> CliResult {
    let (ledger, root) = bead::file(flags, global, process)?;
    identity::person_of_lost(&ledger, root.as_deref(), &process.outside, RESTORE)?;
    confirm(from, yes, console)?;
    let (copied, kept) = gt_town::sync::rebuild::from_backup(&ledger, root.as_deref(), from, &process.outside)?;
    // Opening the copy migrates one of an older gt, and reports a bad one now.
    drop(bead::open(flags, global, process)?);
    say_restored(from, copied.beads, kept.as_deref(), console)
}

/// Runs `gt ledger restore` for a ledger that is open.
fn restore_open(from: &Path, yes: bool, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    person::require(&context.caller, RESTORE.refused)?;
    context.town.ledger.refuse_confined().map_err(Error::from)?;
    let is_solo = context.town.ledger.path().file_name().is_some_and(|name| name == solo::FILE);
    if !is_solo && (context.town.deacon_runs()? || context.town.boot_runs()?) {
        return Err(Error::refused("the town is up", "gt down first: its agents use this ledger").into());
    }
    confirm(from, yes, console)?;
    person::confirm(&context.town, &context.caller, RESTORE)?;
    let kept = context.town.ledger.copy_to(&fresh(context, "replaced"));
    let kept = match kept {
        Ok(copied) => Some(copied.path),
        // The ledger to be replaced may be too damaged to copy; then there is nothing to keep.
        Err(error) => {
            console.note(&format!("what was there could not be kept: {error}"))?;
            None
        }
    };
    let beads = context.town.ledger.restore_from(from)?;
    say_restored(from, beads, kept.as_deref(), console)
}

fn say_restored(from: &Path, beads: u64, kept: Option<&Path>, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return console.facts("gt.restore/1", "restored", json!({ "from": from, "beads": beads, "kept": kept }));
    }
    let kept = kept.map(|path| format!("; the old one is in {}", path.display())).unwrap_or_default();
    console.say(&format!("{beads} beads restored{kept}"))?;
    Ok(0)
}

fn confirm(from: &Path, yes: bool, console: &mut Console<'_>) -> Result<(), CliError> {
    let may_ask = console.is_terminal() && std::io::stdin().is_terminal();
    if yes || may_ask && asked(from, console)? {
        return Ok(());
    }
    Err(Error::refused("nothing was restored", "say --yes to restore without being asked").into())
}

fn asked(from: &Path, console: &mut Console<'_>) -> Result<bool, CliError> {
    console.line(&format!("replace the ledger with {}? [y/N]", from.display()))?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
