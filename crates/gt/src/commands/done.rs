//! `gt done`.

use clap::{Args, ValueEnum};
use gt_town::work::done::{self, Ending, Exit};

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Submit your work, and empty your hook
#[derive(Debug, Args)]
#[command(display_order = Group::Agents.order())]
pub struct DoneArgs {
    /// The result is what you wrote on the bead; there is nothing to merge
    #[arg(long, conflicts_with = "status")]
    no_code: bool,
    /// The trunk already has what the bead asks for, by this commit; a person decides
    #[arg(long, value_name = "COMMIT", conflicts_with_all = ["status", "no_code"])]
    landed_by: Option<String>,
    /// Why your submission leaves out earlier work of your own
    #[arg(long, value_name = "WHY", conflicts_with_all = ["status", "no_code", "landed_by"])]
    dropped: Option<String>,
    /// Park the bead with its branch instead of submitting it
    #[arg(long, value_enum)]
    status: Option<ParkStatus>,
    /// The reason, for the next agent or person
    #[arg(long, short)]
    message: Option<String>,
}

/// How a bead is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ParkStatus {
    /// Another agent or a person has to decide.
    Escalated,
    /// It is deferred.
    Deferred,
}

/// Translates the flags of `gt done` into the way a worker ends.
fn exit(no_code: bool, landed_by: Option<&str>, status: Option<ParkStatus>) -> Exit {
    match status {
        Some(ParkStatus::Escalated) => Exit::Escalated,
        Some(ParkStatus::Deferred) => Exit::Deferred,
        None if no_code => Exit::NoCode,
        None if landed_by.is_some() => Exit::LandedBy,
        None => Exit::Completed,
    }
}

/// Runs `gt done`.
pub fn done(args: &DoneArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let DoneArgs { no_code, landed_by, dropped, status, message } = args;
    let exit = exit(*no_code, landed_by.as_deref(), *status);
    let (note, dropped) = (message.as_deref(), dropped.as_deref());
    let ending = &Ending { exit, note, landed_by: landed_by.as_deref(), dropped };
    let submitted = done::done(&context.town, &context.caller, ending)?;
    if console.is_json() {
        return console.facts("gt.done/1", "submitted", submitted);
    }
    let what = match (&submitted.mr, submitted.already) {
        (Some(mr), true) => format!("Already submitted as {mr}."),
        (Some(mr), false) => format!("Submitted as {mr}."),
        (None, _) => "Submitted.".to_owned(),
    };
    console.line(&format!("{what} End your turn."))?;
    Ok(0)
}
