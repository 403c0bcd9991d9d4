//! `gt step`.

use clap::Subcommand;
use gt_ledger::MoleculeStep;
use gt_town::molecules::steps::Named;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

mod done;
mod fail;
mod gate;
mod reopen;
mod show;
mod skip;

/// Close the steps of your molecule; decide about steps that wait for a person
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Agents.order())]
pub enum StepVerb {
    Show(show::ShowArgs),
    Done(done::DoneArgs),
    Fail(fail::FailArgs),
    Skip(skip::SkipArgs),
    Reopen(reopen::ReopenArgs),
    #[command(subcommand)]
    Gate(gate::GateVerb),
}

/// Runs a verb of `gt step`.
pub fn step(verb: &StepVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        StepVerb::Show(args) => show::show(args, context, console),
        StepVerb::Done(args) => done::done(args, context, console),
        StepVerb::Fail(args) => fail::fail(args, context, console),
        StepVerb::Skip(args) => skip::skip(args, context, console),
        StepVerb::Reopen(args) => reopen::reopen(args, context, console),
        StepVerb::Gate(verb) => gate::gate(verb, context, console),
    }
}

/// Reports a changed step.
fn report(step: &MoleculeStep, named: &Named, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return console.facts("gt.step/1", "step", step);
    }
    let of = named.molecule.map(|molecule| format!(" of {molecule}")).unwrap_or_default();
    console.say(&format!("step {}{of} is {}", step.step.id, step.state))?;
    Ok(0)
}
