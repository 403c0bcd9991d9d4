//! `gt bead label`.

use clap::Subcommand;
use gt_ledger::BeadChange;
use gt_town::work::beads;
use serde_json::{Value, json};

use crate::commands::bead::words;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

mod add;
mod list;
mod list_all;
mod remove;

/// Manage labels of beads
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum LabelVerb {
    Add(add::AddArgs),
    #[command(visible_alias = "rm")]
    Remove(remove::RemoveArgs),
    List(list::ListArgs),
    ListAll(list_all::ListAllArgs),
}

/// Runs a verb of `gt bead label`.
pub fn label(verb: &LabelVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        LabelVerb::Add(args) => add::add(args, context, console),
        LabelVerb::Remove(args) => remove::remove(args, context, console),
        LabelVerb::List(args) => list::list(args, context, console),
        LabelVerb::ListAll(args) => list_all::list_all(args, context, console),
    }
}

/// Adds a label to beads, or removes it. The last word is the label.
fn set_label(words: &[String], add: bool, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let Some((label, ids)) = words.split_last() else { return Ok(2) };
    let label = label.trim();
    if ids.is_empty() {
        return Err(CliError::usage("name a bead and a label", "bd label add <bead> <label>"));
    }
    if label.is_empty() {
        return Err(CliError::usage("a label cannot be empty", "bd label add <bead> <label>"));
    }
    let one = vec![label.to_owned()];
    let change = if add {
        BeadChange { add_labels: one, ..BeadChange::default() }
    } else {
        BeadChange { remove_labels: one, ..BeadChange::default() }
    };
    let word = if add { "added" } else { "removed" };
    let ids = beads::resolve_all(&context.town, ids)?;
    for id in &ids {
        beads::update(&context.town, &context.caller, id, &change)?;
    }
    if console.is_json() {
        let list: Vec<Value> = ids.iter().map(|id| json!({ "status": word, "issue_id": id, "label": label })).collect();
        return console.document(&Value::from(list));
    }
    for id in &ids {
        let (id, label) = (printable(id.as_str()), printable(label));
        let as_bd = if add {
            format!("✓ Added label '{label}' to {id}")
        } else {
            format!("✓ Removed label '{label}' from {id}")
        };
        words::say(console, &format!("{id}: label {label} {word}"), &as_bd)?;
    }
    Ok(0)
}
