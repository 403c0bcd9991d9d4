//! `gt config set`.

use clap::Args;

use super::pairs;
use super::rig_for;
use super::set_in;
use super::whose;
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Change settings; comments in the file stay
#[derive(Debug, Args)]
pub struct SetArgs {
    /// For example max_polecats=9; an empty value removes a setting from the file
    #[arg(required = true, value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Of this rig
    #[arg(long)]
    rig: Option<String>,
}

/// Runs `gt config set`.
pub fn set(args: &SetArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let pairs = pairs(&args.settings)?;
    let names: Vec<&str> = pairs.iter().map(|(key, _)| key.as_str()).collect();
    let rig = rig_for(context, args.rig.as_deref(), &names)?;
    set_in(context, whose(rig.as_ref()), &pairs, console)
}
