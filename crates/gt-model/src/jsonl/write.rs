//! Writes JSONL in exactly one form for each content, so that equal ledgers are equal files.

use std::borrow::Cow;

use super::{COMMENT_KEYS, DEPENDENCY_KEYS, DERIVED_KEYS, KEYS, Record, is_empty, on_one_line};
use crate::bead::{Bead, Comment, Dependency, Rest};

/// Returns the whole file: first records of other kinds in their order, then the beads by id in byte order.
pub fn write(records: &[Record]) -> String {
    let mut others = Vec::new();
    let mut beads = Vec::new();
    for record in records {
        match record {
            Record::Bead(bead) => beads.push(bead),
            Record::Other { line } => others.push(on_one_line(line).into_owned()),
        }
    }
    // The sort is stable: equal ids (in files with unmerged sides) keep their order.
    beads.sort_by(|a, b| a.id.cmp(&b.id));
    let lines = others.into_iter().chain(beads.into_iter().map(|bead| write_bead(bead)));
    lines.flat_map(|line| [line, "\n".to_owned()]).collect()
}

/// Returns the bead's line, without its line end.
pub fn write_bead(bead: &Bead) -> String {
    let mut text = String::new();
    append_bead(&mut text, bead);
    text
}

/// Appends the bead's line, without its line end.
pub fn append_bead(text: &mut String, bead: &Bead) {
    let mut line = Line::new(text, &bead.rest);
    for key in KEYS {
        write_key(&mut line, bead, key);
    }
    line.finish(&[KEYS, DERIVED_KEYS]);
}

/// Writes the value of `bead` under `key`.
fn write_key(line: &mut Line<'_, '_>, bead: &Bead, key: &'static str) {
    match key {
        "id" => line.text(key, bead.id.as_str()),
        "title" => line.text(key, &bead.title),
        "description" => line.word(key, &bead.description),
        "design" => line.word(key, &bead.design),
        "acceptance_criteria" => line.word(key, &bead.acceptance_criteria),
        "notes" => line.word(key, &bead.notes),
        "status" => line.text(key, bead.status.as_str()),
        "priority" => line.raw(key, &bead.priority.to_string()),
        "issue_type" => line.text(key, bead.issue_type.as_str()),
        "assignee" => line.word(key, bead.assignee.as_deref().unwrap_or_default()),
        "created_at" => line.text(key, &bead.created_at.text),
        "created_by" => line.word(key, bead.created_by.as_deref().unwrap_or_default()),
        "updated_at" => line.text(key, &bead.updated_at.text),
        "closed_at" => line.word(key, bead.closed_at.as_ref().map_or("", |stamp| &stamp.text)),
        "close_reason" => line.word(key, bead.close_reason.as_deref().unwrap_or_default()),
        "defer_until" => line.word(key, bead.defer_until.as_ref().map_or("", |stamp| &stamp.text)),
        "pinned" => line.flag(key, bead.pinned),
        "is_template" => line.flag(key, bead.is_template),
        "ephemeral" => line.flag(key, bead.ephemeral && line.kept("wisp").is_none()),
        "wisp" if !bead.ephemeral => {}
        "labels" => line.list(key, &bead.labels, |text, label| append_quoted(text, label)),
        "dependencies" => line.list(key, &bead.dependencies, append_dependency),
        "comments" => line.list(key, &bead.comments, append_comment),
        _ => line.rest(key),
    }
}

/// Appends an edge as JSON.
fn append_dependency(text: &mut String, dependency: &Dependency) {
    let mut line = Line::new(text, &dependency.rest);
    for key in DEPENDENCY_KEYS {
        match *key {
            "issue_id" => line.text(key, dependency.issue_id.as_str()),
            "depends_on_id" => line.text(key, dependency.depends_on_id.as_str()),
            "type" => line.word(key, dependency.kind.as_str()),
            "created_at" => line.word(key, dependency.created_at.as_deref().unwrap_or_default()),
            _ => line.rest(key),
        }
    }
    line.finish(&[DEPENDENCY_KEYS]);
}

/// Appends a comment as JSON.
fn append_comment(text: &mut String, comment: &Comment) {
    let mut line = Line::new(text, &comment.rest);
    for key in COMMENT_KEYS {
        match *key {
            "id" if !comment.id.is_empty() => line.raw(key, &comment.id),
            "author" => line.text(key, &comment.author),
            "text" => line.text(key, &comment.text),
            "created_at" => line.word(key, &comment.created_at),
            _ => line.rest(key),
        }
    }
    line.finish(&[COMMENT_KEYS]);
}

/// Appends `text` as a JSON string. Replaces NUL, which can't be read back, with the replacement character.
fn append_quoted(to: &mut String, text: &str) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        to.push('"');
        to.push_str(text);
        to.push('"');
        return;
    }
    let text = if text.contains('\0') { Cow::from(text.replace('\0', "\u{fffd}")) } else { Cow::from(text) };
    // This never fails, because every text can be written as JSON.
    to.push_str(&serde_json::to_string(&text).unwrap_or_default());
}

/// A JSON object that is being written.
struct Line<'t, 'a> {
    /// Text to append to.
    text: &'t mut String,
    /// Position of its first key in the text.
    first: usize,
    /// Keys without a field of their own.
    rest: &'a Rest,
}

impl<'t, 'a> Line<'t, 'a> {
    fn new(text: &'t mut String, rest: &'a Rest) -> Self {
        text.push('{');
        Self { first: text.len(), text, rest }
    }

    fn key(&mut self, key: &str) {
        if self.text.len() > self.first {
            self.text.push(',');
        }
        append_quoted(self.text, key);
        self.text.push(':');
    }

    /// Writes a value that is already JSON.
    fn raw(&mut self, key: &str, raw: &str) {
        self.key(key);
        self.text.push_str(&on_one_line(raw));
    }

    /// Writes a text, even if it is empty.
    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        append_quoted(self.text, text);
    }

    /// Writes a text unless it is empty.
    fn word(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.text(key, text);
        }
    }

    fn flag(&mut self, key: &str, flag: bool) {
        if flag {
            self.raw(key, "true");
        }
    }

    fn list<T>(&mut self, key: &str, items: &[T], append: impl Fn(&mut String, &T)) {
        for (at, item) in items.iter().enumerate() {
            if at == 0 {
                self.key(key);
            }
            self.text.push(if at == 0 { '[' } else { ',' });
            append(self.text, item);
        }
        if !items.is_empty() {
            self.text.push(']');
        }
    }

    /// Returns the value of a known key from the rest; `None` if it may be left out.
    fn kept(&self, key: &str) -> Option<&'a str> {
        let found = self.rest.iter().rfind(|(name, _)| name == key);
        found.map(|(_, raw)| raw.as_str()).filter(|raw| !is_empty(raw))
    }

    /// Writes a key that the format knows but that has no field.
    fn rest(&mut self, key: &str) {
        if let Some(raw) = self.kept(key) {
            self.raw(key, raw);
        }
    }

    /// Writes the keys that are in none of the `known` lists, and the end of the object.
    fn finish(mut self, known: &[&[&str]]) {
        let unknown = |key: &str| !known.iter().any(|keys| keys.contains(&key));
        for (key, raw) in self.rest.iter().filter(|(key, _)| unknown(key)) {
            self.raw(key, raw);
        }
        self.text.push('}');
    }
}
