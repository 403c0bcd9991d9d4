//! `gt formula test`.

use clap::Args;
use gt_town::molecules::trial;
use serde_json::json;

use super::{planned, rig};
use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// Run a formula to its end with a simulated worker, and say what each step did; nothing is really run
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The formula
    formula: String,
    /// Value of a variable
    #[arg(long = "var", value_name = "NAME=VALUE")]
    vars: Vec<String>,
    /// As this rig sees it
    #[arg(long)]
    rig: Option<String>,
}

/// Runs `gt formula test`.
pub fn test(args: &TestArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = rig(context, args.rig.as_deref())?;
    let found = context.town.formula(rig.as_ref(), &args.formula)?;
    let plan = planned(context, &found, &args.vars, None)?;
    let trial = trial::trial(&context.town, &plan)?;
    let code = u8::from(!trial.stuck.is_empty());
    if console.is_json() {
        let mut facts = json!(trial);
        facts["steps_per_second"] = json!(trial.steps_per_second());
        console.facts("gt.formula-test/1", "test", facts)?;
        return Ok(code);
    }
    let mut table = Table::new(&["STEP", "BY", "END", "WHAT"]);
    for step in &trial.steps {
        table.row([step.id.as_str(), &step.kind, step.state.as_str(), &step.what]);
    }
    console.table(&table)?;
    if !trial.stuck.is_empty() {
        console.line(&format!("these steps never end: {}", trial.stuck.join(", ")))?;
    }
    let speed = trial.steps_per_second();
    console.note(&format!("{} steps in {:.3} s, {speed:.0} a second", trial.steps.len(), trial.seconds))?;
    Ok(code)
}
