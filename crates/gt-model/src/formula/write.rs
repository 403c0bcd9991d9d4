//! Writing a tree as TOML.

use std::fmt::Write as _;

use super::node::{Entry, Node, Value};

/// Writes a table as a TOML document: values first, then tables, in the order of their entries.
pub(super) fn toml(root: &Node<'_>) -> String {
    let mut out = String::new();
    if let Value::Table(entries) = &root.value {
        table(entries, "", &mut out);
    }
    out
}

fn table(entries: &[Entry<'_>], path: &str, out: &mut String) {
    let (tables, values): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| is_table(&entry.node.value));
    let is_empty = |entry: &Entry<'_>| matches!(&entry.node.value, Value::Table(entries) if entries.is_empty());
    for entry in values.into_iter().filter(|entry| !is_empty(entry) || path == "vars") {
        writeln!(out, "{} = {}", key(&entry.key), value(&entry.node.value, true)).ok();
    }
    for entry in tables {
        let path = if path.is_empty() { key(&entry.key) } else { format!("{path}.{}", key(&entry.key)) };
        match &entry.node.value {
            Value::Table(entries) => {
                if entries.iter().any(|entry| !is_table(&entry.node.value)) {
                    writeln!(out, "\n[{path}]").ok();
                }
                table(entries, &path, out);
            }
            Value::List(items) => items.iter().for_each(|item| {
                writeln!(out, "\n[[{path}]]").ok();
                if let Value::Table(entries) = &item.value {
                    table(entries, &path, out);
                }
            }),
            _ => {}
        }
    }
}

/// Returns whether a value is written under a header of its own.
fn is_table(value: &Value<'_>) -> bool {
    match value {
        Value::Table(entries) => !entries.is_empty(),
        Value::List(items) => !items.is_empty() && items.iter().all(|item| matches!(item.value, Value::Table(_))),
        _ => false,
    }
}

fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if is_bare { name.to_owned() } else { quoted(name) }
}

fn value(value: &Value<'_>, has_line: bool) -> String {
    match value {
        Value::Text(text) if has_line && text.contains('\n') => long(text),
        Value::Text(text) => quoted(text),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(number) => number.clone().into_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| self::value(&item.value, false)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Table(entries) => {
            let entries =
                entries.iter().map(|entry| format!("{} = {}", key(&entry.key), self::value(&entry.node.value, false)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Other => quoted(""),
    }
}

/// Writes a text over several lines.
fn long(text: &str) -> String {
    let mut out = "\"\"\"\n".to_owned();
    text.chars().for_each(|c| if c == '\n' { out.push(c) } else { escaped(c, &mut out) });
    out + "\"\"\""
}

fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    text.chars().for_each(|c| escaped(c, &mut out));
    out + "\""
}

fn escaped(c: char, out: &mut String) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\t' => out.push('\t'),
        '\n' => out.push_str("\\n"),
        c if c.is_control() => drop(write!(out, "\\u{:04x}", c as u32)),
        c => out.push(c),
    }
}
