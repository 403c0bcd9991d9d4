//! Parses YAML into JSON values, with limits. The files belong to the project, so they can contain anything.

use std::borrow::Cow;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// Maximum number of values in a document. Repeated values (aliases) count each time.
const VALUES: usize = 50_000;

/// Maximum nesting depth.
const DEPTH: usize = 40;

/// A collection that is being parsed.
enum Open {
    List(Vec<Value>),
    Table(Map<String, Value>, Option<String>),
}

#[derive(Default)]
struct Loader {
    open: Vec<(Open, usize)>,
    /// Values of anchors, by number.
    anchors: Vec<(usize, Value)>,
    count: usize,
    done: Option<Value>,
}

/// Returns the first document of a text; `None` if it is not YAML or exceeds the limits.
pub fn parse(text: &str) -> Option<Value> {
    read(text, 1)?.pop()
}

/// Returns all documents of a text; `None` if it is not YAML or exceeds the limits.
pub fn documents(text: &str) -> Option<Vec<Value>> {
    read(text, usize::MAX)
}

fn read(text: &str, most: usize) -> Option<Vec<Value>> {
    let mut loader = Loader::default();
    let mut documents = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.ok()?;
        match event {
            Event::Scalar(text, style, anchor, _) => loader.put(scalar(text, style), anchor)?,
            Event::Alias(anchor) => {
                let value = loader.anchors.iter().rev().find(|(known, _)| *known == anchor)?.1.clone();
                loader.put(value, 0)?;
            }
            Event::SequenceStart(anchor, _) => loader.begin(Open::List(Vec::new()), anchor)?,
            Event::MappingStart(anchor, _) => loader.begin(Open::Table(Map::new(), None), anchor)?,
            Event::SequenceEnd | Event::MappingEnd => loader.end()?,
            Event::DocumentEnd => {
                documents.extend(loader.done.take());
                if documents.len() >= most {
                    break;
                }
            }
            _ => {}
        }
    }
    Some(documents)
}

impl Loader {
    fn begin(&mut self, open: Open, anchor: usize) -> Option<()> {
        self.open.push((open, anchor));
        (self.open.len() <= DEPTH).then_some(())
    }

    fn end(&mut self) -> Option<()> {
        let (open, anchor) = self.open.pop()?;
        let value = match open {
            Open::List(list) => Value::Array(list),
            Open::Table(table, _) => Value::Object(table),
        };
        self.put(value, anchor)
    }

    fn put(&mut self, value: Value, anchor: usize) -> Option<()> {
        self.count += size(&value);
        if self.count > VALUES {
            return None;
        }
        if anchor > 0 {
            self.anchors.push((anchor, value.clone()));
        }
        match self.open.last_mut() {
            None => self.done = Some(value),
            Some((Open::List(list), _)) => list.push(value),
            Some((Open::Table(_, key @ None), _)) => *key = Some(key_text(&value)),
            Some((Open::Table(table, key), _)) => {
                let key = key.take()?;
                match (key.as_str(), value) {
                    // A merged value does not replace an explicit one.
                    ("<<", Value::Object(merged)) => {
                        for (key, value) in merged {
                            table.entry(key).or_insert(value);
                        }
                    }
                    // Cirrus uses the same key for all its tasks.
                    ("task", value) if table.contains_key("task") => {
                        _ = table.insert(format!("task#{}", table.len()), value);
                    }
                    (_, value) => _ = table.insert(key, value),
                }
            }
        }
        Some(())
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(size).sum::<usize>(),
        Value::Object(table) => 1 + table.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

fn key_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Parses a plain word, which can mean something other than text. `on` stays text, because GitHub uses it as a key.
fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> Value {
    match (style, text.as_ref()) {
        (ScalarStyle::Plain, "" | "~" | "null") => Value::Null,
        (ScalarStyle::Plain, "true") => Value::Bool(true),
        (ScalarStyle::Plain, "false") => Value::Bool(false),
        _ => Value::String(text.into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_ci_files_use_is_read() {
        let text = "on: [push]\njobs:\n  test: &t\n    steps:\n      - run: |\n          cargo test\n          x\n      - {run: 'a: b', if: false}\n  more:\n    <<: *t\n    name: 1.10\n    steps: []\n";
        let steps = json!([{"run": "cargo test\nx\n"}, {"run": "a: b", "if": false}]);
        let expected =
            json!({"on": ["push"], "jobs": {"test": {"steps": steps}, "more": {"steps": [], "name": "1.10"}}});
        assert_eq!(parse(text), Some(expected));
        assert_eq!(parse("a: [1"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_small_text_makes_no_large_value() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for at in 1..12 {
            let below = vec![format!("*a{}", at - 1); 10].join(", ");
            bomb.push_str(&format!("a{at}: &a{at} [{below}]\n"));
        }
        assert_eq!(parse(&bomb), None);
        assert_eq!(parse(&"[".repeat(100_000)), None);
        assert!(parse(&"- ".repeat(30)).is_some());
        assert_eq!(parse(&"- ".repeat(3_000)), None);
    }
}
