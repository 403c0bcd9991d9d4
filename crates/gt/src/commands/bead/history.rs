//! `gt bead history`: the changes of a bead, from the audit log.

use clap::Args;
use gt_ledger::Event;
use gt_town::Error;
use gt_town::work::beads;
use serde::Serialize;
use serde_json::Value;

use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Show what changed in a bead, when, and by whom
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// The bead
    id: String,
    /// Show at most this many changes, the newest; 0: all
    #[arg(long, short = 'n', default_value_t = 0)]
    limit: u32,
}

/// One change of a bead, or an event about it.
#[derive(Serialize)]
struct Step<'e> {
    /// Time of the change.
    at: jiff::Timestamp,
    /// Actor that made it.
    actor: &'e str,
    /// Operation that made it.
    verb: &'e str,
    /// Kind of event.
    event: &'e str,
    /// Part of the bead that it concerns, if not the bead itself: an attempt's branch, a merge request.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'e str>,
    /// Fields that it changed.
    changes: Vec<Change<'e>>,
}

/// A field that changed.
#[derive(Serialize)]
struct Change<'e> {
    field: &'e str,
    before: &'e Value,
    after: &'e Value,
}

/// Characters of a value that are shown.
const SHOWN_CHARS: usize = 100;

/// Runs `gt bead history`.
pub fn history(args: &HistoryArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let limit = if args.limit == 0 { u32::MAX } else { args.limit };
    let (id, events) = context.town.ledger.read(|view| {
        let id = beads::resolve(view, &args.id)?;
        let events = view.last_events(Some(&id), limit)?;
        Ok::<_, Error>((id, events))
    })?;
    let steps: Vec<Step<'_>> = events.iter().map(|event| step(event, id.as_str())).collect();
    if console.is_json() {
        return console.document(&serde_json::json!(steps));
    }
    for step in &steps {
        say(step, console)?;
    }
    let is_begun = |step: &Step<'_>| matches!(step.event, "bead-created" | "bead-imported");
    if (steps.len() as u64) < u64::from(limit) && !steps.first().is_some_and(is_begun) {
        console.note("earlier events are deleted: gt help recovery says how long they are kept")?;
    }
    Ok(0)
}

fn step<'e>(event: &'e Event, id: &str) -> Step<'e> {
    let Event { actor, verb, event: name, subject, .. } = event;
    let subject = Some(subject.as_str()).filter(|subject| *subject != id);
    Step { at: event.at, actor, verb, event: name, subject, changes: changes(event) }
}

/// Returns what an event changed: all fields of a new bead, else those that differ.
fn changes(event: &Event) -> Vec<Change<'_>> {
    static NOTHING: Value = Value::Null;
    let Some(Value::Object(after)) = &event.after else { return Vec::new() };
    let was = |field: &str| event.before.as_ref().and_then(|before| before.get(field)).unwrap_or(&NOTHING);
    let all = after.iter().map(|(field, after)| Change { field, before: was(field), after });
    all.filter(|change| !(is_nothing(change.before) && is_nothing(change.after))).collect()
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn say(step: &Step<'_>, console: &mut Console<'_>) -> Result<(), CliError> {
    let subject = step.subject.map(|subject| format!(" ({subject})")).unwrap_or_default();
    console.line(&printable(&format!("{}  {}{subject}  by {}", step.at, step.event, step.actor)))?;
    for Change { field, before, after } in &step.changes {
        let text = if is_nothing(before) {
            format!("{field}: {}", shown(after))
        } else {
            format!("{field}: {} -> {}", shown(before), shown(after))
        };
        console.line(&format!("  {}", printable(&text)))?;
    }
    Ok(())
}

/// Returns the beginning of a value, on one line.
fn shown(value: &Value) -> String {
    let text = match value {
        value if is_nothing(value) => "nothing".to_owned(),
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    let short: String = text.chars().take(SHOWN_CHARS).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}
