//! `gt ledger`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::bead;
use crate::Process;
use crate::cli::{Global, Group};
use crate::commands::BeadFlags;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

mod backup;
mod check;
mod merge_driver;
mod rebuild;
mod restore;
mod vacuum;

/// Check, back up, restore and rebuild the ledger's file
#[derive(Debug, Args)]
#[command(display_order = Group::Recover.order())]
pub struct LedgerArgs {
    /// The ledger.
    #[command(flatten)]
    flags: BeadFlags,
    /// The verb.
    #[command(subcommand)]
    verb: LedgerVerb,
}

// Its verbs. A doc comment would replace that of `gt ledger`.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum LedgerVerb {
    Check(check::CheckArgs),
    Backup(backup::BackupArgs),
    Restore(restore::RestoreArgs),
    Vacuum(vacuum::VacuumArgs),
    Rebuild(rebuild::RebuildArgs),
    MergeDriver(merge_driver::MergeDriverArgs),
}

/// Runs a verb of `gt ledger`.
pub fn ledger(args: &LedgerArgs, global: &Global, process: &Process, console: &mut Console<'_>) -> CliResult {
    let flags = &args.flags;
    let open = || bead::open(flags, global, process);
    match &args.verb {
        LedgerVerb::Check(args) => check::check(args, &open()?, console),
        LedgerVerb::Backup(args) => backup::backup(args, &open()?, console),
        LedgerVerb::Restore(args) => restore::restore(args, flags, global, process, console),
        LedgerVerb::Vacuum(args) => vacuum::vacuum(args, &open()?, console),
        LedgerVerb::Rebuild(args) => rebuild::rebuild(args, global, process, console),
        LedgerVerb::MergeDriver(args) => merge_driver::merge_driver(args, process, console),
    }
}

/// Returns a path for a new file in the ledger's `backups/`, with the time in its name.
fn fresh(context: &Context<'_>, what: &str) -> PathBuf {
    let now = context.town.world().clock().now().to_string().replace([':', '.'], "-");
    context.town.ledger.path().with_file_name(gt_ledger::BACKUPS).join(format!("{what}-{now}.db"))
}
