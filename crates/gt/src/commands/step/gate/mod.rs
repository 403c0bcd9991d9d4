//! `gt step gate`.

use clap::Subcommand;
use gt_town::molecules::steps::{self, Named};

use super::report;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

mod deny;
mod open;

/// Answer a step whose gate waits for a person
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum GateVerb {
    Open(open::OpenArgs),
    Deny(deny::DenyArgs),
}

/// Runs a verb of `gt step gate`.
pub fn gate(verb: &GateVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        GateVerb::Open(args) => open::open(args, context, console),
        GateVerb::Deny(args) => deny::deny(args, context, console),
    }
}

/// Answers a gate.
fn answer(step: &str, opens: bool, note: Option<&str>, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let named = Named::parse(step);
    let step = steps::answer(&context.town, &context.caller, &named, opens, note)?;
    report(&step, &named, console)
}
