//! `gt mol status`.

use clap::Args;
use gt_town::Error;
use gt_town::work::{beads, hook};
use serde_json::json;

use crate::console::{Console, Table};
use crate::context::Context;
use crate::error::CliResult;

/// Show the steps of a bead's molecule, and which are done
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The bead [default: the one on your hook]
    bead: Option<String>,
}

/// Runs `gt mol status`.
pub fn status(args: &StatusArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let StatusArgs { bead } = args;
    let town = &context.town;
    let attempt = match bead {
        Some(text) => town.ledger.read(|view| {
            let id = beads::resolve(view, text)?;
            let attempt = view.attempts_on(&id)?.pop();
            attempt.ok_or_else(|| Error::Unknown { what: "molecule of", name: id.0 })
        })?,
        None => match hook::hook(town, &context.caller)? {
            Some(hook) => hook.attempt,
            None => return Err(Error::Unknown { what: "molecule", name: "on your hook".to_owned() }.into()),
        },
    };
    let steps = town.ledger.read(|view| view.steps(attempt.id).map_err(Error::from))?;
    if console.is_json() {
        let document = json!({ "schema": "gt.molecule/1", "attempt": attempt, "steps": steps });
        return console.document(&document);
    }
    console.line(&format!("{} attempt {}: {}", attempt.bead, attempt.number, attempt.formula))?;
    let mut table = Table::new(&["STEP", "DONE", "TITLE"]);
    for step in steps {
        table.row([step.step.id, step.done_at.map(|at| at.to_string()).unwrap_or_default(), step.step.title]);
    }
    console.table(&table)?;
    Ok(0)
}
