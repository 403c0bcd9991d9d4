//! `gt rig set`.

use clap::Args;
use gt_town::town::config::Whose;

use crate::commands::config;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Change settings of a rig in its rig.toml; comments in the file stay
///
/// `gt config list --rig <rig>` lists all, `gt config explain` says what each means and accepts: trust, landing, agent, runtime,
/// sandbox, worktree.setup, env.set.<NAME> … The running daemon uses a change by itself.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// The rig
    name: String,
    /// For example trust=bypass or landing=auto; an empty value removes a setting
    #[arg(required = true, value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// Runs `gt rig set`.
pub fn set(args: &SetArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = context.town.rig(&args.name)?;
    config::set_in(context, Whose::Rig(&rig), &config::pairs(&args.settings)?, console)
}
