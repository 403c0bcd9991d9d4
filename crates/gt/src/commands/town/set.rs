//! `gt town set`.

use clap::Args;
use gt_town::town::config::Whose;

use crate::commands::config;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Change settings of the town in its town.toml; comments in the file stay
///
/// `gt config list` lists all, `gt config explain` says what each means and accepts. The running daemon uses a change by itself.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// For example max_polecats=9 or spend.daily_usd=50; an empty value removes a setting from the file
    #[arg(required = true, value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// Runs `gt town set`.
pub fn set(args: &SetArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    config::set_in(context, Whose::Town, &config::pairs(&args.settings)?, console)
}
