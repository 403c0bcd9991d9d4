//! `gt formula plan`.

use clap::Args;
use gt_model::formula::{Acceptance, Step};
use gt_town::molecules::words;

use super::{planned, rig};
use crate::console::{Console, counted, printable, printable_lines};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Print exactly the steps that would be poured, and change nothing
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The formula
    formula: String,
    /// Value of a variable
    #[arg(long = "var", value_name = "NAME=VALUE")]
    vars: Vec<String>,
    /// Bead that gives values to `issue` and `title`
    #[arg(long)]
    bead: Option<String>,
    /// As this rig sees it
    #[arg(long)]
    rig: Option<String>,
}

/// Runs `gt formula plan`.
pub fn plan(args: &PlanArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = rig(context, args.rig.as_deref())?;
    let found = context.town.formula(rig.as_ref(), &args.formula)?;
    let plan = planned(context, &found, &args.vars, args.bead.as_deref())?;
    if console.is_json() {
        return console.facts("gt.formula-plan/1", "plan", plan);
    }
    console.line(&format!("{}: {}", plan.formula, counted(plan.steps.len() as u64, "step")))?;
    for (name, value) in &plan.vars {
        console.line(&format!("  {} = {}", printable(name), printable(value)))?;
    }
    for step in &plan.steps {
        say_step(step, console)?;
    }
    Ok(0)
}

/// Prints a planned step with all its texts.
pub fn say_step(step: &Step, console: &mut Console<'_>) -> Result<(), CliError> {
    console.line("")?;
    console.line(&format!("{}  {}", console.bold(&printable(&step.id)), printable(&step.title)))?;
    let mut facts = vec![words::kind(&step.kind)];
    facts.extend((!step.needs.is_empty()).then(|| format!("after {}", step.needs.join(", "))));
    facts.extend(step.parent.as_ref().map(|group| format!("part of {group}")));
    facts.extend(step.gate.as_ref().map(words::gate));
    facts.extend(step.timeout_seconds.map(|seconds| format!("at most {seconds} seconds")));
    facts.extend((step.retries > 0).then(|| format!("tried again {} times", step.retries)));
    facts.extend(step.agent.as_ref().map(|agent| format!("by {agent}")));
    facts.extend(step.formula.as_ref().map(|formula| format!("its worker follows {formula}")));
    console.line(&format!("  {}", printable(&facts.join("; "))))?;
    for check in &step.acceptance {
        console.line(&format!("  done when this passes: {}", printable(&acceptance(check))))?;
    }
    for line in printable_lines(step.description.trim()).lines() {
        console.line(format!("  {line}").trim_end())?;
    }
    Ok(())
}

fn acceptance(check: &Acceptance) -> String {
    words::acceptance(check)
}
