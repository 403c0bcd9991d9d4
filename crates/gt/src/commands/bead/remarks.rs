//! Verbs that add texts to a bead, or change them in an editor: remarks, notes.

use std::path::PathBuf;

use gt_ledger::BeadChange;
use gt_model::bead::{Bead, DepType};
use gt_model::id::BeadId;
use gt_town::work::beads;
use serde_json::{Value, json};

use super::change::{text_of, usage};
use super::shapes;
use super::words;
use crate::cli::EditArgs;
use crate::console::{Console, printable, printable_lines};
use crate::context::{Context, text_or_stdin};
use crate::editor;
use crate::error::{CliError, CliResult};

/// Source of a text: words, standard input, or a file.
pub struct Source {
    /// Words of the command line.
    pub words: Vec<String>,
    /// Whether to read standard input.
    pub stdin: bool,
    /// File to read.
    pub file: Option<PathBuf>,
}

impl Source {
    fn text(&self, context: &Context<'_>) -> Result<String, CliError> {
        match &self.file {
            Some(file) => text_of(file, context),
            None if self.stdin => text_or_stdin("-".to_owned()),
            None => text_or_stdin(self.words.join(" ")),
        }
    }
}

fn found(id: &str, context: &Context<'_>) -> Result<Bead, CliError> {
    Ok(context.town.ledger.read(|view| beads::require(view, &beads::resolve(view, id)?))?)
}

/// Runs `comment`, and `comments add`.
pub fn comment(
    id: &str,
    source: &Source,
    author: Option<&str>,
    context: &Context<'_>,
    console: &mut Console<'_>,
) -> CliResult {
    let text = source.text(context)?;
    let id = context.town.ledger.read(|view| beads::resolve(view, id))?;
    let caller = match author {
        Some(name) => context.caller.clone().called(Some(name)),
        None => context.caller.clone(),
    };
    let bead = beads::comment(&context.town, &caller, &id, &text)?;
    if console.is_json() {
        return console.document(&shapes::comments(&bead).pop().unwrap_or_default());
    }
    words::say(console, &format!("remarked on {id}"), &format!("✓ Comment added to {id}"))?;
    Ok(0)
}

/// Runs `comments`.
pub fn comments(
    words: &[String],
    source: Source,
    author: Option<&str>,
    context: &Context<'_>,
    console: &mut Console<'_>,
) -> CliResult {
    let id = match words {
        [add, id, text @ ..] if add == "add" => {
            return comment(id, &Source { words: text.to_vec(), ..source }, author, context, console);
        }
        [id] => id,
        _ => return Err(usage("one bead, please", "bd comments <id>, or bd comments add <id> <text>")),
    };
    let bead = found(id, context)?;
    if console.is_json() {
        return console.document(&Value::from(shapes::comments(&bead)));
    }
    for comment in &bead.comments {
        let (author, at) = (printable(&comment.author), printable(&comment.created_at));
        console.line(&format!("{author} ({at}): {}", printable_lines(&comment.text)))?;
    }
    Ok(0)
}

/// Runs `note`.
pub fn note(id: &str, source: &Source, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let text = source.text(context)?;
    let line = text.trim_end_matches('\n');
    if line.trim().is_empty() {
        return Err(usage("a note is a text", "bd note <id> \"what you found\""));
    }
    let id = context.town.ledger.read(|view| beads::resolve(view, id))?;
    let change = BeadChange { more_notes: Some(line.to_owned()), ..BeadChange::default() };
    let bead = beads::update(&context.town, &context.caller, &id, &change)?;
    if console.is_json() {
        return shapes::print(&shapes::bare(&bead), console);
    }
    let id = printable(bead.id.as_str());
    words::say(console, &format!("noted on {id}"), &format!("✓ Note added to {id}"))?;
    Ok(0)
}

/// Runs `edit`.
pub fn edit(id: &str, which: EditArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let before = found(id, context)?;
    let old = match which {
        EditArgs { title: true, .. } => &before.title,
        EditArgs { design: true, .. } => &before.design,
        EditArgs { notes: true, .. } => &before.notes,
        EditArgs { acceptance: true, .. } => &before.acceptance_criteria,
        _ => &before.description,
    };
    let edited = editor::edit(old, ".md", &context.process.env)?;
    let new = edited.text.trim().to_owned();
    if new == old.trim() {
        console.say("nothing was changed")?;
        return Ok(0);
    }
    let change = match which {
        EditArgs { title: true, .. } => BeadChange { title: Some(new), ..BeadChange::default() },
        EditArgs { design: true, .. } => BeadChange { design: Some(new), ..BeadChange::default() },
        EditArgs { notes: true, .. } => BeadChange { notes: Some(new), ..BeadChange::default() },
        EditArgs { acceptance: true, .. } => BeadChange { acceptance_criteria: Some(new), ..BeadChange::default() },
        _ => BeadChange { description: Some(new), ..BeadChange::default() },
    };
    match beads::update(&context.town, &context.caller, &before.id, &change) {
        Ok(bead) if console.is_json() => shapes::print(&shapes::bare(&bead), console),
        Ok(bead) => {
            console.say(&words::Act::Change.line(&bead, console))?;
            Ok(0)
        }
        Err(error) => {
            let kept = edited.keep()?;
            console.note(&format!("what you wrote is kept in {}", kept.display()))?;
            Err(error.into())
        }
    }
}

/// Type of dependency between a bead and its replacement.
pub const SUPERSEDES: &str = "supersedes";

/// Type of dependency between a bead and its duplicate.
pub const DUPLICATES: &str = "duplicates";

/// Runs `supersede`, and `duplicate`.
pub fn give_up(id: &str, other: &str, kind: &DepType, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let one = |text: &str| context.town.ledger.read(|view| beads::resolve(view, text));
    let (id, other): (BeadId, BeadId) = (one(id)?, one(other)?);
    let is_newer = kind.as_str() == SUPERSEDES;
    beads::close_for(&context.town, &context.caller, &id, &other, kind)?;
    if console.is_json() {
        return console.document(&if is_newer {
            json!({ "superseded": id, "replacement": other, "status": "closed" })
        } else {
            json!({ "duplicate": id, "canonical": other, "status": "closed" })
        });
    }
    let how = if is_newer { "superseded by" } else { "duplicate of" };
    words::say(console, &format!("{id} closed: {how} {other}"), &format!("✓ Marked {id} as {how} {other} (closed)"))?;
    Ok(0)
}
