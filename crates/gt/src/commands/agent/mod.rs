//! `gt agent`.

use clap::Subcommand;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

mod answer;
mod check;
mod list;
mod show;

/// Show kinds of agent, check whether they can work, and answer agents' questions
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Start.order())]
pub enum AgentVerb {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Answer(answer::AnswerArgs),
    Check(check::CheckArgs),
}

/// Runs a verb of `gt agent`.
pub fn agent(verb: &AgentVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        AgentVerb::List(args) => list::list(args, context, console),
        AgentVerb::Show(args) => show::show(args, context, console),
        AgentVerb::Answer(args) => answer::answer(args, context, console),
        AgentVerb::Check(args) => check::check(args, context, console),
    }
}

/// Describes where a kind is defined.
fn source(context: &Context<'_>, kind: &str) -> &'static str {
    let town = &context.town;
    match (town.settings.agents.contains_key(kind), town.outside.presets.contains_key(kind)) {
        (true, true) => "town.toml over gt",
        (true, false) => "town.toml",
        (false, _) => "gt",
    }
}
