//! `gt config get`.

use clap::Args;
use gt_town::town::config;

use super::rig_for;
use super::whose;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Print a setting
#[derive(Debug, Args)]
pub struct GetArgs {
    /// Its name, for example max_polecats
    key: String,
    /// Of this rig
    #[arg(long)]
    rig: Option<String>,
}

/// Runs `gt config get`.
pub fn get(args: &GetArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let key = &args.key;
    let rig = rig_for(context, args.rig.as_deref(), &[key])?;
    let setting = config::get(&context.town, whose(rig.as_ref()), key)?;
    if console.is_json() {
        return console.facts("gt.setting/1", "setting", setting);
    }
    console.line(&printable(setting.value.as_deref().unwrap_or_default()))?;
    Ok(0)
}
