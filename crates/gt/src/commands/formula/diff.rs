//! `gt formula diff`.

use clap::Args;
use gt_town::town::shipped::{self, Shipped, State};
use serde_json::json;

use crate::console::{Console, printable_lines};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Show how the town's formulas differ from those that this gt ships
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The formula [default: all that differ]
    formula: Option<String>,
}

/// Runs `gt formula diff`.
pub fn diff(args: &DiffArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let mut all = shipped::states(&context.town)?;
    if let Some(name) = &args.formula {
        all.retain(|formula| formula.name == *name);
        if all.is_empty() {
            return Err(CliError::Usage {
                what: format!("gt ships no formula `{name}`"),
                hint: format!("gt formula which {name} says where it is from"),
            });
        }
    }
    if console.is_json() {
        let facts = all.iter().map(|one| json!({ "name": one.name, "state": one.state, "diff": text(one) }));
        return console.facts("gt.formula-diff/1", "formulas", facts.collect::<Vec<_>>());
    }
    for formula in &all {
        if args.formula.is_some() || !matches!(formula.state, State::Same | State::Unwritten) {
            console.line(&format!("{}: {}", formula.name, words(formula.state)))?;
        }
        if let Some(text) = text(formula) {
            console.line(printable_lines(&text).trim_end_matches('\n'))?;
        }
    }
    Ok(0)
}

fn text(formula: &Shipped) -> Option<String> {
    let theirs = formula.theirs.as_deref().filter(|theirs| *theirs != formula.ours)?;
    let mut options = diffy::DiffOptions::new();
    options.set_original_filename("shipped").set_modified_filename("yours");
    Some(options.create_patch(formula.ours, theirs).to_string())
}

fn words(state: State) -> &'static str {
    match state {
        State::Same => "as this gt ships it",
        State::Older => "as an older gt wrote it; gt up brings it up to date",
        State::Edited => "you edited it",
        State::EditedOutdated => {
            "you edited an older one; this gt ships a newer text, which applies if you remove the file"
        }
        State::Removed => "you removed the file, so the shipped text applies",
        State::Unwritten => "not written yet; gt up writes it",
    }
}
