//! Parses words and times that people type about beads.

use gt_model::bead::{BeadType, DepType, Status};
use gt_model::id::BeadId;
use gt_model::query;
use gt_model::vocabulary::{self, UnknownWord};
use gt_town::sync::solo::{self, ADDED_STATUSES, ADDED_TYPES};
use gt_town::work::beads;
use jiff::{Timestamp, Zoned};

use crate::console::Console;
use crate::context::Context;
use crate::error::CliError;

fn added(key: &str, context: &Context<'_>) -> Result<Vec<String>, CliError> {
    Ok(context.town.ledger.read(|view| solo::added_words(view, key))?)
}

fn refusal(error: &UnknownWord, adding: Option<&str>) -> CliError {
    let more = adding.map(|key| format!("; to add one: bd config set {key} <word>,<word>")).unwrap_or_default();
    CliError::Usage { what: error.to_string(), hint: format!("{}{more}", error.hint()) }
}

/// Parses a status.
pub fn status(word: &str, context: &Context<'_>) -> Result<Status, CliError> {
    vocabulary::status(word, &added(ADDED_STATUSES, context)?).map_err(|error| refusal(&error, Some(ADDED_STATUSES)))
}

/// Parses a type of bead.
pub fn bead_type(word: &str, context: &Context<'_>) -> Result<BeadType, CliError> {
    vocabulary::bead_type(word, &added(ADDED_TYPES, context)?).map_err(|error| refusal(&error, Some(ADDED_TYPES)))
}

/// Parses the statuses of a filter. Accepts unknown words that an import brought in with a bead.
pub fn statuses_to_find(words: &[String], context: &Context<'_>) -> Result<Vec<String>, CliError> {
    to_find(words, context, |word| Ok(status(word, context)?.as_str().to_owned()))
}

/// Parses the types of a filter. Accepts unknown words that an import brought in with a bead.
pub fn types_to_find(words: &[String], context: &Context<'_>) -> Result<Vec<String>, CliError> {
    to_find(words, context, |word| Ok(bead_type(word, context)?.as_str().to_owned()))
}

fn to_find(
    words: &[String],
    context: &Context<'_>,
    known: impl Fn(&str) -> Result<String, CliError>,
) -> Result<Vec<String>, CliError> {
    let found: Result<Vec<String>, CliError> = words.iter().map(|word| known(word)).collect();
    let Err(error) = found else { return found };
    let odd = context.town.ledger.read(solo::odd_words)?;
    let as_it_is = |word: &String| odd.iter().any(|odd| odd.error.word == *word).then(|| word.clone());
    words.iter().map(|word| as_it_is(word).or_else(|| known(word).ok())).collect::<Option<_>>().ok_or(error)
}

/// Parses the type of a dependency between two beads that are both named.
pub fn dep_type(word: &str) -> Result<DepType, CliError> {
    vocabulary::dep_type(word).map_err(|error| refusal(&error, None))
}

/// Edges between a new bead and others.
#[derive(Default)]
pub struct Edges {
    /// Beads on which it depends, each with the type of dependency.
    pub dependencies: Vec<(DepType, BeadId)>,
    /// Beads that wait for it.
    pub holds_back: Vec<BeadId>,
}

/// Parses edges, each `id` (which must be closed first) or `word:id`.
pub fn edges(texts: &[String], context: &Context<'_>) -> Result<Edges, CliError> {
    let mut edges = Edges::default();
    for text in texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
        let (word, id) = text.split_once(':').unwrap_or(("depends-on", text));
        let wording = vocabulary::wording(word).map_err(|error| refusal(&error, None))?;
        let id = context.town.ledger.read(|view| beads::resolve(view, id.trim()))?;
        if wording.is_reversed {
            edges.holds_back.push(id);
        } else {
            edges.dependencies.push((wording.kind, id));
        }
    }
    Ok(edges)
}

/// Parses edges, each `id` or `type:id`, as in a file of beads: there `blocks` is a type like any other.
pub fn dependencies(texts: &[String], context: &Context<'_>) -> Result<Vec<(DepType, BeadId)>, CliError> {
    let one = |text: &str| {
        let (kind, id) = text.split_once(':').unwrap_or(("blocks", text));
        Ok((dep_type(kind)?, context.town.ledger.read(|view| beads::resolve(view, id.trim()))?))
    };
    texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).map(one).collect()
}

/// Returns the present time in the caller's time zone.
pub fn now(context: &Context<'_>) -> Zoned {
    let world = context.town.world();
    world.clock().now().to_zoned(world.clock().zone())
}

/// Parses the value of a flag as the end of a wait.
pub fn future(flag: &str, text: &str, context: &Context<'_>) -> Result<Timestamp, CliError> {
    query::future(text, &now(context)).ok_or_else(|| CliError::Usage {
        what: format!("invalid {flag} format: `{text}` is not a time"),
        hint: TIME_HINT.to_owned(),
    })
}

/// Warns about times in the past. Ignores texts that are no times, which [`future`] refuses.
pub fn warn_of_past(texts: &[Option<&str>], context: &Context<'_>, console: &mut Console<'_>) -> Result<(), CliError> {
    let now = now(context);
    for text in texts.iter().copied().flatten() {
        if let Some(at) = query::future(text, &now).filter(|at| *at < now.timestamp()) {
            let local = at.to_zoned(now.time_zone().clone());
            console.note(&format!("warning: `{text}` is in the past: {}", local.strftime("%Y-%m-%d %H:%M %Z")))?;
        }
    }
    Ok(())
}

/// Parses a text as a span of time for looking back.
pub fn moment(text: &str, context: &Context<'_>) -> Result<(Timestamp, Timestamp), CliError> {
    query::moment(text, &now(context))
        .ok_or_else(|| CliError::Usage { what: format!("`{text}` is not a time"), hint: TIME_HINT.to_owned() })
}

/// Hint on how to type times.
const TIME_HINT: &str = "use a date (2026-02-01), a date and time (\"2026-02-01 10:00\", local unless it names a zone), today, \
                         tomorrow, \"next monday\", \"in 3 days\", 7d (ago) or +6h (from now)";
