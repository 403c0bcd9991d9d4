//! `gt config list`.

use clap::Args;
use gt_town::town::config::{self, Setting, Whose};

use super::whose;
use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// List all settings: values from the file, and defaults
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Of this rig [default: the town's]
    #[arg(long)]
    rig: Option<String>,
    /// Only those that the file sets
    #[arg(long)]
    set: bool,
}

/// Runs `gt config list`.
pub fn list(args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = args.rig.as_deref().map(|name| context.town.rig(name)).transpose()?;
    let whose = whose(rig.as_ref());
    let mut settings = config::list(&context.town, whose)?;
    settings.retain(|setting| setting.is_set || !args.set);
    if console.is_json() {
        return console.facts("gt.config/1", "settings", settings);
    }
    let mut table = Table::new(&["KEY", "VALUE", "SAID BY"]);
    for Setting { key, value, is_set, .. } in settings {
        let by = if is_set { "the file" } else { "default" };
        table.row([key.as_str(), value.as_deref().unwrap_or("-"), by]);
    }
    console.table(&table)?;
    if let Whose::Town = whose {
        console.note("a rig's: gt config list --rig <rig>; what they mean: gt config explain <key>")?;
    }
    Ok(0)
}
