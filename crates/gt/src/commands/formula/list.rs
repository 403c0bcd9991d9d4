//! `gt formula list`.

use clap::Args;
use gt_town::town::shipped::{self, State};
use serde_json::json;

use super::rig;
use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// List formulas
#[derive(Debug, Args)]
pub struct ListArgs {
    /// As this rig sees them
    #[arg(long)]
    rig: Option<String>,
}

/// Runs `gt formula list`.
pub fn list(args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = rig(context, args.rig.as_deref())?;
    let mut facts = Vec::new();
    let mut table = Table::new(&["FORMULA", "KIND", "STEPS", "ABOUT"]);
    let shipped = shipped::states(&context.town)?;
    for (name, origin) in context.town.formulas(rig.as_ref())? {
        let found = context.town.formula(rig.as_ref(), &name);
        let formula = found.as_ref().ok().map(|found| &found.resolved.formula);
        let about = formula.map_or("can't be used: gt formula check", |formula| first_line(&formula.description));
        let steps =
            formula.map(|formula| formula.steps.len() + formula.legs.len() + usize::from(formula.synthesis.is_some()));
        let kind = formula.map(|formula| json!(formula.kind)).unwrap_or_default();
        let is_edited =
            shipped.iter().any(|one| one.name == name && matches!(one.state, State::Edited | State::EditedOutdated));
        facts.push(json!({
            "name": name, "kind": kind, "steps": steps, "about": about, "from": origin.to_string(), "sound": formula.is_some(),
            "edited": is_edited,
        }));
        let kind = kind.as_str().unwrap_or("-").to_owned();
        table.row([name, kind, steps.map_or("-".to_owned(), |steps| steps.to_string()), about.to_owned()]);
    }
    if console.is_json() {
        return console.facts("gt.formulas/1", "formulas", facts);
    }
    console.table(&table)?;
    Ok(0)
}

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}
