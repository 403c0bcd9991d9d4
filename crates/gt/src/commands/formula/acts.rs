//! `gt formula acts`.

use clap::Args;
use gt_model::formula::Act;
use serde_json::json;

use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// List the named acts that steps can run or be checked by, `gt:…`, with their meanings
#[derive(Debug, Args)]
pub struct ActsArgs;

/// Runs `gt formula acts`.
pub fn acts(_args: &ActsArgs, _context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        let acts = Act::ALL.iter().map(|act| json!({ "act": format!("gt:{}", act.name()), "meaning": act.meaning() }));
        return console.facts("gt.formula-acts/1", "acts", acts.collect::<Vec<_>>());
    }
    let mut table = Table::new(&["ACT", "MEANING"]);
    for act in Act::ALL {
        table.row([format!("gt:{}", act.name()), act.meaning().to_owned()]);
    }
    console.table(&table)?;
    Ok(0)
}
