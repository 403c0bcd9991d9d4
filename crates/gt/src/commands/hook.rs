//! `gt hook`.

use clap::Args;
use gt_ledger::MoleculeStep;
use gt_model::foreign;
use gt_town::work::hook::{self, Hook};
use gt_town::work::prime;
use serde_json::{Value, json};

use crate::cli::Group;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Print your assignment: the bead on your hook
#[derive(Debug, Args)]
#[command(display_order = Group::Agents.order())]
pub struct HookArgs;

/// Runs `gt hook`.
pub fn hook(_args: &HookArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let hook = hook::hook(&context.town, &context.caller)?;
    if console.is_json() {
        return console.facts("gt.hook/1", "hook", hook.as_ref().map(hook_json));
    }
    match hook {
        None => console.line("your hook is empty: end your turn")?,
        Some(hook) => say_hook(&hook, console)?,
    }
    Ok(0)
}

/// Returns an assignment as JSON.
pub fn hook_json(hook: &Hook) -> Value {
    json!({
        "bead": bead_json(hook),
        "attempt": hook.attempt,
        "incarnation": hook.incarnation,
        "step": hook.step.as_ref().map(|step| step_json(step, hook.steps)),
        "waits_for": hook.waits_for,
        "worktree": hook.worktree,
        "trunk_ref": hook.trunk_ref,
    })
}

fn bead_json(hook: &Hook) -> Value {
    json!({
        "id": hook.bead.id,
        "title": hook.bead.title,
        "description": hook.bead.description,
        "acceptance_criteria": hook.bead.acceptance_criteria,
        "priority": hook.bead.priority,
    })
}

/// Returns a step as JSON.
pub fn step_json(step: &MoleculeStep, of: usize) -> Value {
    json!({
        "id": step.step.id,
        "title": step.step.title,
        "description": step.step.description,
        "position": step.position,
        "of": of,
    })
}

fn say_hook(hook: &Hook, console: &mut Console<'_>) -> Result<(), CliError> {
    let bead = &hook.bead;
    console.line(&format!("On your hook: {}  {}", bead.id, printable(&bead.title)))?;
    console.line(&format!("Branch: {}   Trunk: {}", hook.attempt.branch, hook.trunk_ref))?;
    match &hook.step {
        Some(step) => say_step(step, hook.steps, console),
        None => console.line(&hook::without_step(hook.waits_for.as_deref())),
    }
}

/// Prints a step, and how it is checked.
pub fn say_step(step: &MoleculeStep, of: usize, console: &mut Console<'_>) -> Result<(), CliError> {
    let at = step.position + 1;
    console.line(&format!("Step {at} of {of}: {}  {}", step.step.id, printable(&step.step.title)))?;
    // The overseer wrote the formula, so it is not framed as data of others.
    console.line(foreign::lines(&step.step.description).trim())?;
    if !step.step.acceptance.is_empty() {
        let checks: Vec<String> = step.step.acceptance.iter().map(prime::check_text).collect();
        console.line(&format!("Checked when you say it is done: {}", checks.join(", ")))?;
    }
    if step.position as usize + 1 < of {
        console.line(&format!("When it is done: gt step done {}", step.step.id))?;
    }
    Ok(())
}
