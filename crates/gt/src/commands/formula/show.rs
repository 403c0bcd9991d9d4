//! `gt formula show`.

use clap::Args;
use gt_model::formula::{Formula, StepTemplate, Var};
use serde_json::{Value, json};

use super::{own_origin, rig};
use crate::console::{Console, Table, printable_lines};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Show a formula: purpose, variables and steps
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The formula
    formula: String,
    /// As this rig sees it
    #[arg(long)]
    rig: Option<String>,
    /// Print its text as it is written
    #[arg(long)]
    text: bool,
}

/// Runs `gt formula show`.
pub fn show(args: &ShowArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = rig(context, args.rig.as_deref())?;
    let found = context.town.formula(rig.as_ref(), &args.formula)?;
    let (formula, origin) = (&found.resolved.formula, own_origin(&found, &args.formula)?);
    if console.is_json() {
        let mut facts = facts(formula);
        facts["from"] = json!(origin.to_string());
        facts["hash"] = json!(found.resolved.hash);
        facts["text"] = json!(formula.at.source.text);
        return console.facts("gt.formula/1", "formula", facts);
    }
    if args.text {
        console.line(printable_lines(&formula.at.source.text).trim_end())?;
        return Ok(0);
    }
    say(formula, console)?;
    console.line(&format!("from {origin}"))?;
    Ok(0)
}

fn facts(formula: &Formula) -> Value {
    let var = |(name, var): (&String, &Var)| {
        json!({
            "name": name, "description": var.description, "type": var.kind, "required": var.required, "default": var.default,
            "values": var.values, "pattern": var.pattern,
        })
    };
    let step = |step: &StepTemplate| {
        let needs = step.needs.iter().flatten().map(|need| &need.value).collect::<Vec<_>>();
        json!({ "id": step.id.value, "title": title(step), "needs": needs })
    };
    json!({
        "name": formula.name, "description": formula.description, "kind": formula.kind,
        "vars": formula.vars.iter().map(var).collect::<Vec<_>>(),
        "steps": formula.steps.iter().map(step).collect::<Vec<_>>(),
        "legs": formula.legs.iter().map(step).collect::<Vec<_>>(),
        "synthesis": formula.synthesis.as_ref().map(step),
    })
}

fn title(step: &StepTemplate) -> &str {
    step.title.as_ref().map_or("", |title| title.value.as_str())
}

fn say(formula: &Formula, console: &mut Console<'_>) -> Result<(), CliError> {
    console.line(&console.bold(&formula.name))?;
    console.line(&printable_lines(formula.description.trim()))?;
    for (name, var) in &formula.vars {
        let kind = json!(var.kind);
        let required = if var.required { ", required" } else { "" };
        console.line(&format!(
            "  {name}: {}{required}  {}",
            kind.as_str().unwrap_or_default(),
            var.description.trim()
        ))?;
    }
    let mut table = Table::new(&["STEP", "AFTER", "TITLE"]);
    for step in formula.steps.iter().chain(&formula.legs).chain(&formula.synthesis) {
        let needs: Vec<&str> = step.needs.iter().flatten().map(|need| need.value.as_str()).collect();
        table.row([step.id.value.as_str(), &needs.join(", "), title(step)]);
    }
    console.table(&table)
}
