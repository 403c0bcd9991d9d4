//! `gt import`.

use clap::{Args, Subcommand};

use super::bead;
use crate::Process;
use crate::cli::{Global, Group};
use crate::commands::BeadFlags;
use crate::console::Console;
use crate::error::CliResult;

mod beads;

/// Import beads that were made elsewhere
#[derive(Debug, Args)]
#[command(display_order = Group::Start.order())]
pub struct ImportArgs {
    /// The ledger.
    #[command(flatten)]
    flags: BeadFlags,
    /// The verb.
    #[command(subcommand)]
    verb: ImportVerb,
}

// Its verbs. A doc comment would replace that of `gt import`.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum ImportVerb {
    Beads(beads::BeadsArgs),
}

/// Runs a verb of `gt import`.
pub fn import(args: &ImportArgs, global: &Global, process: &Process, console: &mut Console<'_>) -> CliResult {
    let context = &bead::open(&args.flags, global, process)?;
    let ImportVerb::Beads(args) = &args.verb;
    beads::beads(args, context, console)
}
