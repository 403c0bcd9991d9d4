//! `gt step done`.

use clap::Args;
use gt_town::work::hook;
use serde_json::json;

use crate::commands::hook::{say_step, step_json};
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Close a step once its checks pass, and print the next one
#[derive(Debug, Args)]
pub struct DoneArgs {
    /// The step [default: the current one]
    step: Option<String>,
    /// What is worth knowing
    #[arg(long)]
    note: Option<String>,
}

/// Runs `gt step done`.
pub fn done(args: &DoneArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let DoneArgs { step, note } = args;
    let done = hook::step_done(&context.town, &context.caller, step.as_deref(), note.as_deref())?;
    if console.is_json() {
        let next = done.next.as_ref().map(|next| step_json(next, done.of));
        let document = json!({ "schema": "gt.step-done/1", "closed": done.closed.step.id, "next": next, "waits_for": done.waits_for });
        return console.document(&document);
    }
    console.say(&format!("step {} is done", done.closed.step.id))?;
    match &done.next {
        Some(next) => say_step(next, done.of, console)?,
        None => console.line(&hook::without_step(done.waits_for.as_deref()))?,
    }
    Ok(0)
}
