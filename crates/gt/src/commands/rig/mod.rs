//! `gt rig`.

use clap::Subcommand;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

mod add;
pub mod allow;
mod allow_envrc;
mod allow_formulas;
mod fetch;
pub mod gates;
mod list;
mod prove;
mod release;
mod remove;
mod set;

/// Add projects to the town; manage them and their gates
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Start.order())]
pub enum RigVerb {
    Add(add::AddArgs),
    List(list::ListArgs),
    Remove(remove::RemoveArgs),
    Set(set::SetArgs),
    Allow(allow::AllowArgs),
    AllowEnvrc(allow_envrc::AllowEnvrcArgs),
    AllowFormulas(allow_formulas::AllowFormulasArgs),
    #[command(subcommand)]
    Gates(gates::GatesVerb),
    Fetch(fetch::FetchArgs),
    Prove(prove::ProveArgs),
    Release(release::ReleaseArgs),
}

/// Runs a verb of `gt rig`.
pub fn rig(verb: &RigVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        RigVerb::Add(args) => add::add(args, context, console),
        RigVerb::List(args) => list::list(args, context, console),
        RigVerb::Remove(args) => remove::remove(args, context, console),
        RigVerb::Set(args) => set::set(args, context, console),
        RigVerb::Allow(args) => allow::allow(args, context, console),
        RigVerb::AllowEnvrc(args) => allow_envrc::allow_envrc(args, context, console),
        RigVerb::AllowFormulas(args) => allow_formulas::allow_formulas(args, context, console),
        RigVerb::Gates(args) => gates::gates(args, context, console),
        RigVerb::Fetch(args) => fetch::fetch(args, context, console),
        RigVerb::Prove(args) => prove::prove(args, context, console),
        RigVerb::Release(args) => release::release(args, context, console),
    }
}

/// Asks a person on a terminal for a yes. The error says why no person could be asked.
fn says_yes(context: &Context<'_>, question: &str, console: &Console<'_>) -> Result<bool, String> {
    if console.is_json() {
        return Err("--json asks nothing".to_owned());
    }
    let answer = context.town.world().sessions().ask_person(question)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}
