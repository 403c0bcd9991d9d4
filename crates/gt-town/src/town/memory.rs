//! Memories: small texts, each with a key, that every later session is shown.
//!
//! They are stored in the format of the Go `bd` (`{"_type":"memory",…}`). So they travel with the beads through import, export
//! and sync.

use std::collections::BTreeMap;

use gt_ledger::{Tx, View};
use serde_json::{Value, json};

use crate::town::error::{Error, Result};
use crate::town::{Caller, Town};

/// Longest allowed key, in bytes.
const KEY_LIMIT: usize = 100;

/// Longest allowed text, in bytes.
const TEXT_LIMIT: usize = 64 * 1024;

/// Number of words of a text that make up its key.
const KEY_WORDS: usize = 8;

/// One stored memory.
struct Kept {
    prefix: String,
    line: String,
    key: String,
    text: String,
}

fn read(prefix: &str, line: String) -> Option<Kept> {
    let record: Value = serde_json::from_str(&line).ok()?;
    let text = |key: &str| record.get(key).and_then(Value::as_str).map(str::to_owned);
    if text("_type")? != "memory" {
        return None;
    }
    let (key, text) = (text("key")?, text("value")?);
    Some(Kept { prefix: prefix.to_owned(), line, key, text })
}

fn records(view: &View<'_>) -> Result<Vec<Kept>> {
    let mut kept = Vec::new();
    for prefix in view.foreign_prefixes()? {
        kept.extend(view.foreign_records(&prefix)?.into_iter().filter_map(|line| read(&prefix, line)));
    }
    Ok(kept)
}

/// Returns all memories by key.
pub fn all(view: &View<'_>) -> Result<BTreeMap<String, String>> {
    Ok(records(view)?.into_iter().map(|kept| (kept.key, kept.text)).collect())
}

/// Makes a key from the first words of a text.
pub fn key_of(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut key = String::new();
    for word in words.take(KEY_WORDS).filter(|word| word.len() <= KEY_LIMIT) {
        if key.len() + word.len() >= KEY_LIMIT {
            break;
        }
        if !key.is_empty() {
            key.push('-');
        }
        key.push_str(word);
    }
    key
}

/// Stores a memory. Returns true if it replaced another memory with that key.
pub fn remember(town: &Town, caller: &Caller, prefix: &str, key: &str, text: &str) -> Result<bool> {
    let usage =
        |what: String| Error::Usage { what, hint: "gt bead remember \"what\" --key what-it-is-called".to_owned() };
    if text.trim().is_empty() || text.len() > TEXT_LIMIT || text.contains('\0') {
        return Err(usage(format!("a remembered text has at most {TEXT_LIMIT} bytes")));
    }
    if key.is_empty() || key.len() > KEY_LIMIT || key.contains(char::is_control) {
        return Err(usage(format!("a key has one line of at most {KEY_LIMIT} bytes")));
    }
    let record = json!({ "_type": "memory", "key": key, "value": text }).to_string();
    town.ledger.write(&caller.name(), "remember", |tx| {
        let gone = drop_key(tx, key)?;
        tx.keep_foreign_record(prefix, &record)?;
        Ok(gone.is_some())
    })
}

/// Removes a memory and returns its text.
pub fn forget(town: &Town, caller: &Caller, key: &str) -> Result<Option<String>> {
    town.ledger.write(&caller.name(), "forget memory", |tx| drop_key(tx, key))
}

fn drop_key(tx: &Tx<'_>, key: &str) -> Result<Option<String>> {
    let mut gone = None;
    for kept in records(tx)?.into_iter().filter(|kept| kept.key == key) {
        tx.drop_foreign_record(&kept.prefix, &kept.line)?;
        gone = Some(kept.text);
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_from_the_first_words() {
        for (text, key) in [
            ("Always run the tests first!", "always-run-the-tests-first"),
            ("one two three four five six seven eight nine", "one-two-three-four-five-six-seven-eight"),
            ("  Größe: 3 km ", "größe-3-km"),
            ("--- …", ""),
            (&"x".repeat(300), ""),
        ] {
            assert_eq!(key_of(text), key, "{text}");
        }
    }
}
