//! Fields of beads that several verbs take from flags.

use serde_json::Value;

use super::metadata;
use super::typed;
use crate::context::Context;
use crate::error::CliError;

/// Normalises labels: trimmed, each once, none empty.
pub fn labels(words: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for word in words.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
        if !kept.iter().any(|label| label == word) {
            kept.push(word.to_owned());
        }
    }
    kept
}

/// Parses a due time into its stored form; an empty text clears it.
pub fn due(text: Option<&str>, context: &Context<'_>) -> Result<Option<String>, CliError> {
    let time = |text: &str| {
        if text.is_empty() { Ok(String::new()) } else { typed::future("--due", text, context).map(|at| at.to_string()) }
    };
    text.map(time).transpose()
}

/// Returns the keys without a field of their own.
pub fn rest(
    external_ref: Option<&str>,
    spec_id: Option<&str>,
    estimate: Option<u32>,
    metadata: Option<&str>,
    due: Option<String>,
) -> Result<Vec<(String, Option<String>)>, CliError> {
    let mut rest = Vec::new();
    if let Some(time) = due {
        rest.push(("due_at".to_owned(), Some(Value::from(time).to_string()).filter(|raw| raw != "\"\"")));
    }
    if let Some(minutes) = estimate {
        rest.push(("estimated_minutes".to_owned(), Some(minutes.to_string())));
    }
    for (key, name) in [("external_ref", external_ref), ("spec_id", spec_id)] {
        if let Some(name) = name {
            let value = Some(Value::from(name).to_string()).filter(|_| !name.is_empty());
            rest.push((key.to_owned(), value));
        }
    }
    if let Some(text) = metadata {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| CliError::usage(&format!("--metadata: {error}"), "give JSON"))?;
        rest.push((metadata::KEY.to_owned(), Some(value.to_string())));
    }
    Ok(rest)
}

/// Parses a number of minutes.
pub fn minutes(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "an estimate must be a non-negative number of minutes".to_owned())
}

/// Parses a priority as people write it.
pub fn priority(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['P', 'p']).unwrap_or(text);
    match digits.parse::<i64>() {
        Ok(number @ 0..=4) => Ok(number),
        _ => Err("invalid priority: use 0 (critical) to 4".to_owned()),
    }
}
