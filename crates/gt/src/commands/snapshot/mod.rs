//! `gt snapshot`.

use clap::Subcommand;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

mod diff;
mod list;
mod restore;
mod show;

/// Show snapshots of worktrees, and restore their files
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Recover.order())]
pub enum SnapshotVerb {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Diff(diff::DiffArgs),
    Restore(restore::RestoreArgs),
}

/// Runs a verb of `gt snapshot`.
pub fn snapshot(verb: &SnapshotVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        SnapshotVerb::List(args) => list::list(args, context, console),
        SnapshotVerb::Show(args) => show::show(args, context, console),
        SnapshotVerb::Diff(args) => diff::diff(args, context, console),
        SnapshotVerb::Restore(args) => restore::restore(args, context, console),
    }
}
