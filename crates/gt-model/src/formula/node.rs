//! TOML and JSON as one tree with places.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use toml::de::{DeTable, DeValue};

use super::source::Span;

/// Maximum depth of a tree. A formula needs about ten levels: children of children.
pub(super) const DEPTH_LIMIT: usize = 32;

/// A value.
#[derive(Clone, Debug)]
pub(super) struct Node<'t> {
    pub span: Span,
    pub value: Value<'t>,
}

#[derive(Clone, Debug)]
pub(super) enum Value<'t> {
    Text(Cow<'t, str>),
    Integer(i64),
    /// Number with a fraction, as written.
    Decimal(Cow<'t, str>),
    Bool(bool),
    List(Vec<Node<'t>>),
    /// Entries in written order.
    Table(Vec<Entry<'t>>),
    /// Anything else: a date, null.
    Other,
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry<'t> {
    pub key: Cow<'t, str>,
    pub key_span: Span,
    /// Our name for the key. Empty until the table is read, and if there is none.
    pub own: Cell<&'static str>,
    pub node: Node<'t>,
}

/// Fault in the form of a text.
#[derive(Debug)]
pub(super) struct Malformed {
    pub message: String,
    pub span: Span,
}

impl Malformed {
    fn new(message: impl Into<String>, span: impl Into<Span>) -> Self {
        Self { message: message.into(), span: span.into() }
    }

    fn deep(span: Span) -> Self {
        Self::new(format!("more than {DEPTH_LIMIT} levels deep"), span.start..span.start + 1)
    }
}

/// Parses TOML, or JSON if the text starts with `{`.
pub(super) fn parse(text: &str) -> Result<Node<'_>, Malformed> {
    if text.trim_start().starts_with('{') { json(text) } else { toml(text) }
}

fn toml(text: &str) -> Result<Node<'_>, Malformed> {
    let document = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        Malformed::new(error.message().to_owned(), span)
    })?;
    Ok(Node { span: Span { start: 0, end: 0 }, value: of_table(document.into_inner(), 0)? })
}

fn of_table(table: DeTable<'_>, depth: usize) -> Result<Value<'_>, Malformed> {
    let entries = table.into_iter().map(|(key, value)| {
        let key_span = key.span().into();
        let node = of_toml(value.span(), value.into_inner(), depth + 1)?;
        Ok(Entry { key: key.into_inner(), key_span, own: Cell::default(), node })
    });
    let mut entries: Vec<Entry<'_>> = entries.collect::<Result<_, _>>()?;
    entries.sort_by_key(|entry| entry.key_span.start);
    Ok(Value::Table(entries))
}

fn of_toml(span: Range<usize>, value: DeValue<'_>, depth: usize) -> Result<Node<'_>, Malformed> {
    let span = Span::from(span);
    if depth > DEPTH_LIMIT {
        return Err(Malformed::deep(span));
    }
    let value = match value {
        DeValue::String(text) => Value::Text(text),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => return Err(Malformed::new("the number is too large", span.start..span.end)),
        },
        DeValue::Float(number) => Value::Decimal(Cow::Owned(number.as_str().to_owned())),
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Datetime(_) => Value::Other,
        DeValue::Array(items) => {
            let items = items.into_iter().map(|item| of_toml(item.span(), item.into_inner(), depth + 1));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => of_table(table, depth)?,
    };
    Ok(Node { span, value })
}

/// Entries of a JSON object: each value is the slice of the text that it was written as.
struct Object<'t>(Vec<(Cow<'t, str>, &'t RawValue)>);

impl<'de: 't, 't> Deserialize<'de> for Object<'t> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    entries.push((key, map.next_value()?));
                }
                Ok(Object(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[derive(Deserialize)]
struct Key<'t>(#[serde(borrow)] Cow<'t, str>);

/// A text of JSON, in which slices have places.
#[derive(Clone, Copy)]
struct Json<'t>(&'t str);

fn json(text: &str) -> Result<Node<'_>, Malformed> {
    Json(text).node(text.trim(), 0)
}

impl<'t> Json<'t> {
    /// Returns the place of a slice of the text.
    fn span(self, slice: &str) -> Span {
        let start = (slice.as_ptr() as usize).saturating_sub(self.0.as_ptr() as usize).min(self.0.len());
        Span { start, end: (start + slice.len()).min(self.0.len()) }
    }

    fn read<T: Deserialize<'t>>(self, slice: &'t str) -> Result<T, Malformed> {
        serde_json::from_str(slice).map_err(|error| {
            let start = self.span(slice).start + offset(slice, error.line(), error.column());
            let text = error.to_string();
            let message = text.split(" at line ").next().unwrap_or_default();
            Malformed::new(message, start..start + 1)
        })
    }

    fn node(self, slice: &'t str, depth: usize) -> Result<Node<'t>, Malformed> {
        let span = self.span(slice);
        if depth > DEPTH_LIMIT {
            return Err(Malformed::deep(span));
        }
        let value = match slice.as_bytes().first() {
            Some(b'{') => Value::Table(self.entries(slice, depth)?),
            Some(b'[') => {
                let items: Vec<&RawValue> = self.read(slice)?;
                let items = items.into_iter().map(|item| self.node(item.get(), depth + 1));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            Some(b'"') => Value::Text(self.read::<Key<'t>>(slice)?.0),
            Some(b't' | b'f') => Value::Bool(self.read(slice)?),
            Some(b'n') => Value::Other,
            _ => self.number(slice)?,
        };
        Ok(Node { span, value })
    }

    fn number(self, slice: &'t str) -> Result<Value<'t>, Malformed> {
        let number: serde_json::Number = self.read(slice)?;
        Ok(number.as_i64().map_or(Value::Decimal(Cow::Borrowed(slice)), Value::Integer))
    }

    fn entries(self, slice: &'t str, depth: usize) -> Result<Vec<Entry<'t>>, Malformed> {
        let Object(entries) = self.read(slice)?;
        let entries = entries.into_iter().map(|(key, value)| {
            let node = self.node(value.get(), depth + 1)?;
            let key_span = match &key {
                Cow::Borrowed(key) => self.span(key),
                Cow::Owned(_) => node.span,
            };
            Ok(Entry { key, key_span, own: Cell::default(), node })
        });
        let entries: Vec<Entry<'_>> = entries.collect::<Result<_, _>>()?;
        refuse_double(&entries)?;
        Ok(entries)
    }
}

fn refuse_double(entries: &[Entry<'_>]) -> Result<(), Malformed> {
    let mut seen = std::collections::BTreeSet::new();
    match entries.iter().find(|entry| !seen.insert(entry.key.as_ref())) {
        Some(entry) => Err(Malformed { message: "this key is written twice".to_owned(), span: entry.key_span }),
        None => Ok(()),
    }
}

/// Returns the offset of a line and a column, both from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (before + column.saturating_sub(1)).min(text.len())
}
