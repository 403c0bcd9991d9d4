//! Reads JSONL. It is lenient about form, and strict about the types of values on which the engine's decisions depend.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::check::{check, has_nul, without_nul};
use super::{BEAD_TYPE_TAG, COMMENT_KEYS, DEPENDENCY_KEYS, DERIVED_KEYS, KEYS};
use super::{Fault, LineError, Parsed, Record, is_empty, on_one_line};
use crate::bead::{Bead, BeadType, Comment, DepType, Dependency, Rest, Stamp, Status};
use crate::id::BeadId;

/// Time of a bead without any time: Go's zero time, which other tools for this format write.
const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// How many characters of an invalid time an error shows.
const SHOWN_CHARS: usize = 40;

/// Reads a whole file, each line on its own: an invalid line does not affect the valid ones.
pub fn parse(text: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    for record in records(text) {
        match record {
            Ok(record) => parsed.records.push(record),
            Err(error) => parsed.errors.push(error),
        }
    }
    parsed
}

/// Reads a file line by line, so that the records of a large file are never in memory all at once.
pub fn records(text: &[u8]) -> impl Iterator<Item = Result<Record, LineError>> {
    (1..).zip(text.split(|byte| *byte == b'\n')).filter_map(|(line, bytes)| {
        let record = std::str::from_utf8(bytes).map_err(|_| Fault::NotUtf8).and_then(record);
        record.map_err(|fault| LineError { line, fault }).transpose()
    })
}

/// Reads one line, with or without its line end. Returns `None` for a blank line. An error always names line 1.
pub fn parse_line(line: &str) -> Result<Option<Record>, LineError> {
    record(line).map_err(|fault| LineError { line: 1, fault })
}

/// Returns the numbers of lines with an escaped NUL character, to report them. Such a character is read as `\u{fffd}`.
pub fn lines_with_nul(text: &[u8]) -> impl Iterator<Item = usize> {
    let lines = (1..).zip(text.split(|byte| *byte == b'\n'));
    let has_nul = |bytes: &[u8]| bytes.contains(&b'\\') && std::str::from_utf8(bytes).is_ok_and(has_nul);
    lines.filter(move |(_, bytes)| has_nul(bytes)).map(|(line, _)| line)
}

/// Reads the record on this line; `None` if the line is blank.
fn record(line: &str) -> Result<Option<Record>, Fault> {
    let line = line.trim_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    if line.is_empty() {
        return Ok(None);
    }
    if is_conflict_marker(line) {
        return Err(Fault::ConflictMarker);
    }
    let line = &*without_nul(line);
    let mut object = Object::read(line, String::new())?;
    check(line)?;
    match object.peek::<String>("_type", "a string")? {
        Some(tag) if !tag.is_empty() && tag != BEAD_TYPE_TAG => {
            Ok(Some(Record::Other { line: on_one_line(line).into_owned() }))
        }
        _ => Ok(Some(Record::Bead(Box::new(bead(&mut object)?)))),
    }
}

/// Whether git wrote this line for a merge that was not finished.
fn is_conflict_marker(line: &str) -> bool {
    let words = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];
    words.iter().any(|word| line.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')))
}

/// Reads a bead from `object`.
fn bead(object: &mut Object<'_>) -> Result<Bead, Fault> {
    for key in DERIVED_KEYS {
        object.take(key);
    }
    let id = object.id("id")?;
    let (created_at, updated_at) = required_times(object)?;
    Ok(Bead {
        title: object.text("title")?,
        description: object.text("description")?,
        design: object.text("design")?,
        acceptance_criteria: object.text("acceptance_criteria")?,
        notes: object.text("notes")?,
        status: object.word("status")?.map_or(Status::Open, |word| Status::from(word.as_str())),
        // The format defines no default, so the number's own default applies.
        priority: object.typed("priority", "a whole number")?.unwrap_or_default(),
        issue_type: object.word("issue_type")?.map_or(BeadType::Task, |word| BeadType::from(word.as_str())),
        assignee: object.word("assignee")?,
        created_at,
        created_by: object.word("created_by")?,
        updated_at,
        closed_at: object.stamp("closed_at")?,
        close_reason: object.word("close_reason")?,
        defer_until: object.stamp("defer_until")?,
        pinned: object.flag("pinned")?,
        is_template: object.flag("is_template")?,
        ephemeral: ephemeral(object)?,
        labels: object
            .typed::<Vec<Option<String>>>("labels", "a list of strings")?
            .into_iter()
            .flatten()
            .flatten()
            .collect(),
        dependencies: object.list("dependencies", |item| dependency(item, &id))?,
        comments: object.list("comments", comment)?,
        rest: object.rest(KEYS),
        id,
    })
}

/// Reads the times of creation and last change. If one is missing, the other replaces it.
fn required_times(object: &mut Object<'_>) -> Result<(Stamp, Stamp), Fault> {
    match (object.stamp("created_at")?, object.stamp("updated_at")?) {
        (Some(created), Some(updated)) => Ok((created, updated)),
        (Some(only), None) | (None, Some(only)) => Ok((only.clone(), only)),
        (None, None) => {
            let zero = stamp("created_at", ZERO_TIME)?;
            Ok((zero.clone(), zero))
        }
    }
}

/// Reads whether the bead is ephemeral, under either name. If only the old name says so, it stays in the rest and is written
/// back.
fn ephemeral(object: &mut Object<'_>) -> Result<bool, Fault> {
    let by_old_name = object.peek::<bool>("wisp", "true or false")?;
    match object.typed("ephemeral", "true or false")? {
        Some(by_name) => {
            object.take("wisp");
            Ok(by_name)
        }
        None => Ok(by_old_name.unwrap_or_default()),
    }
}

/// Reads an edge from the bead `owner`.
fn dependency(object: &mut Object<'_>, owner: &BeadId) -> Result<Dependency, Fault> {
    Ok(Dependency {
        issue_id: object.word("issue_id")?.map_or_else(|| owner.clone(), BeadId),
        depends_on_id: object.id("depends_on_id")?,
        kind: DepType::from(object.text("type")?.as_str()),
        created_at: object.word("created_at")?,
        rest: object.rest(DEPENDENCY_KEYS),
    })
}

/// Reads a comment.
fn comment(object: &mut Object<'_>) -> Result<Comment, Fault> {
    let id = object.take("id").unwrap_or_default();
    let is_integer = !id.is_empty() && id.strip_prefix('-').unwrap_or(id).bytes().all(|b| b.is_ascii_digit());
    if !(id.is_empty() || id.starts_with('"') || is_integer) {
        return Err(object.wrong_type("id", "a whole number or a string", id));
    }
    Ok(Comment {
        id: id.to_owned(),
        author: object.text("author")?,
        text: object.text("text")?,
        created_at: object.text("created_at")?,
        rest: object.rest(COMMENT_KEYS),
    })
}

/// Reads the time under `key`.
fn stamp(key: &str, text: &str) -> Result<Stamp, Fault> {
    let bad = |_| Fault::BadTime { key: key.to_owned(), text: text.chars().take(SHOWN_CHARS).collect() };
    Stamp::parse(text).map_err(bad)
}

/// Returns the type of this JSON text, in words.
fn kind(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// A JSON object from which values are taken by key. The other values keep their text and order.
struct Object<'a> {
    /// Path of the object in its line. The paths of its keys start with it.
    path: String,
    /// Keys and values. The value is `None` once it was taken.
    entries: Vec<(Cow<'a, str>, Option<&'a str>)>,
    /// Position of each key in `entries`, if there are too many entries for a linear search.
    places: HashMap<Cow<'a, str>, usize>,
}

/// Up to how many entries are searched linearly. Beads have fewer.
const LOOKED_THROUGH: usize = 40;

impl<'a> Object<'a> {
    fn read(raw: &'a str, path: String) -> Result<Self, Fault> {
        let entries = serde_json::from_str::<Entries<'_>>(raw).map_err(|error| not_json(&error))?;
        let mut object = Self { path, entries: Vec::with_capacity(entries.0.len()), places: HashMap::new() };
        for (key, value) in entries.0 {
            object.put(key, value);
        }
        Ok(object)
    }

    fn place(&self, key: &str) -> Option<usize> {
        if self.entries.len() > LOOKED_THROUGH {
            return self.places.get(key).copied();
        }
        self.entries.iter().position(|(name, _)| name == key)
    }

    /// Adds a value. The last value of a key wins.
    fn put(&mut self, key: Cow<'a, str>, value: &'a str) {
        if let Some(place) = self.place(&key) {
            self.entries[place].1 = Some(value);
            return;
        }
        self.entries.push((key, Some(value)));
        if self.entries.len() > LOOKED_THROUGH {
            for (place, (key, _)) in self.entries.iter().enumerate().skip(self.places.len()) {
                self.places.insert(key.clone(), place);
            }
        }
    }

    /// Takes the text of a value. `null` counts as absent.
    fn take(&mut self, key: &str) -> Option<&'a str> {
        let place = self.place(key)?;
        self.entries[place].1.take().filter(|raw| *raw != "null")
    }

    /// Reads a value without taking it.
    fn peek<T: DeserializeOwned>(&self, key: &str, expected: &'static str) -> Result<Option<T>, Fault> {
        let raw = self.place(key).and_then(|place| self.entries[place].1);
        raw.filter(|raw| *raw != "null").map(|raw| self.decode(key, expected, raw)).transpose()
    }

    fn typed<T: DeserializeOwned>(&mut self, key: &str, expected: &'static str) -> Result<Option<T>, Fault> {
        self.take(key).map(|raw| self.decode(key, expected, raw)).transpose()
    }

    fn decode<T: DeserializeOwned>(&self, key: &str, expected: &'static str, raw: &str) -> Result<T, Fault> {
        serde_json::from_str(raw).map_err(|_| self.wrong_type(key, expected, raw))
    }

    fn wrong_type(&self, key: &str, expected: &'static str, raw: &str) -> Fault {
        // The message `a list, not a list of strings` would not say what is wrong in the list.
        let found = if expected.starts_with(kind(raw)) { "one of other values" } else { kind(raw) };
        Fault::WrongType { key: format!("{}{key}", self.path), expected, found }
    }

    fn text(&mut self, key: &str) -> Result<String, Fault> {
        Ok(self.typed(key, "a string")?.unwrap_or_default())
    }

    /// Takes a text that is not empty.
    fn word(&mut self, key: &str) -> Result<Option<String>, Fault> {
        Ok(Some(self.text(key)?).filter(|text| !text.is_empty()))
    }

    fn id(&mut self, key: &str) -> Result<BeadId, Fault> {
        let word = self.word(key)?;
        word.map(BeadId).ok_or_else(|| Fault::Missing(format!("{}{key}", self.path)))
    }

    fn stamp(&mut self, key: &str) -> Result<Option<Stamp>, Fault> {
        self.word(key)?.map(|text| stamp(key, &text)).transpose()
    }

    fn flag(&mut self, key: &str) -> Result<bool, Fault> {
        Ok(self.typed(key, "true or false")?.unwrap_or_default())
    }

    /// Takes a list of objects and reads each with `read`. Skips nulls.
    fn list<T>(&mut self, key: &str, read: impl Fn(&mut Object<'_>) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
        let Some(raw) = self.take(key) else { return Ok(Vec::new()) };
        let items: Vec<&RawValue> =
            serde_json::from_str(raw).map_err(|_| self.wrong_type(key, "a list of objects", raw))?;
        let mut list = Vec::with_capacity(items.len());
        for (at, item) in items.into_iter().map(RawValue::get).enumerate().filter(|(_, item)| *item != "null") {
            let place = format!("{key}[{at}]");
            if !item.starts_with('{') {
                return Err(self.wrong_type(&place, "an object", item));
            }
            list.push(read(&mut Object::read(item, format!("{place}."))?)?);
        }
        Ok(list)
    }

    /// Returns all values that were not taken. The `known` keys come first in their order, so that equal content gives equal
    /// results; known keys that may be left out are dropped. The others follow in their original order.
    fn rest(&mut self, known: &[&str]) -> Rest {
        let place = |key: &str| known.iter().position(|name| *name == key);
        let left = self.entries.drain(..).filter_map(|(key, value)| Some((key, value?)));
        let mut rest: Rest = left
            .filter(|(key, raw)| !is_empty(raw) || place(key).is_none())
            .map(|(key, raw)| (key.into_owned(), on_one_line(raw).into_owned()))
            .collect();
        rest.sort_by_cached_key(|(key, _)| place(key).unwrap_or(known.len()));
        rest
    }
}

/// Returns serde_json's message without the line number, which is always 1.
fn not_json(error: &serde_json::Error) -> Fault {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    Fault::NotJson(format!("{what} at column {}", error.column()))
}

/// A key: borrowed from the text, or owned if it had escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Entries of a JSON object in their original order, with values as text.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor).map(Entries)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Vec<(Cow<'de, str>, &'de str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((Key(key), value)) = map.next_entry::<Key<'_>, &RawValue>()? {
            entries.push((key, value.get()));
        }
        Ok(entries)
    }
}
