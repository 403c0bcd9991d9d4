//! Typed reading of a tree. Each wrong key or value becomes a finding with its place.

use std::sync::Arc;

use super::keys::{Foreign, Section};
use super::node::{Entry, Node, Value};
use super::source::{At, Findings, Source, Span, Text};
use super::{RULE_LIMIT, vars};

pub(super) struct Reader {
    pub source: Arc<Source>,
    pub findings: Findings,
    /// Number of steps read so far.
    pub steps: usize,
}

/// Entries of a table whose keys are known.
#[derive(Clone, Copy)]
pub(super) struct Fields<'n> {
    pub section: &'static Section,
    entries: &'n [Entry<'n>],
    pub span: Span,
}

impl<'n> Fields<'n> {
    /// Returns the entries of a key, also under other systems' names for it.
    pub fn all(self, name: &'static str) -> impl Iterator<Item = &'n Entry<'n>> {
        debug_assert!(self.section.key(name).is_some() || self.section.foreign(name).is_some(), "{name}");
        self.entries.iter().filter(move |entry| entry.own.get() == name)
    }

    pub fn get(self, name: &'static str) -> Option<&'n Entry<'n>> {
        self.all(name).next()
    }
}

impl Reader {
    pub fn new(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source), findings: Findings::default(), steps: 0 }
    }

    pub fn at(&self, span: Span) -> At {
        At { source: Arc::clone(&self.source), span }
    }

    pub fn error(&mut self, span: Span, message: impl Into<String>) {
        let finding = self.at(span).error(message);
        self.findings.push(finding);
    }

    fn wrong(&mut self, fields: Fields<'_>, entry: &Entry<'_>) {
        let holds = fields.section.key(entry.own.get()).map_or("value of another kind", |key| key.holds);
        self.error(entry.node.span, format!("`{}` is a {holds}", entry.key));
    }

    /// Returns the fields of a table. Reports its unknown keys.
    pub fn fields<'n>(&mut self, node: &'n Node<'n>, section: &'static Section, what: &str) -> Option<Fields<'n>> {
        let Value::Table(entries) = &node.value else {
            self.error(node.span, format!("`{what}` is a table"));
            return None;
        };
        for entry in entries {
            self.check_key(section, entry);
        }
        Some(Fields { section, entries, span: node.span })
    }

    fn check_key(&mut self, section: &'static Section, entry: &Entry<'_>) {
        let (key, at) = (entry.key.as_ref(), self.at(entry.key_span));
        if let Some(key) = section.key(key) {
            return entry.own.set(key.name);
        }
        if self.findings.is_full() {
            return;
        }
        match section.foreign(key) {
            Some((_, Foreign::Named(own))) => entry.own.set(own),
            Some((name, Foreign::Read(_))) => entry.own.set(name),
            Some((_, Foreign::Ignored(why))) => {
                self.findings.push(at.ignored(format!("`{key}` has no meaning here")).hint(why));
            }
            Some((_, Foreign::Refused(instead))) => {
                self.findings.push(at.error(format!("`{key}` has no meaning here")).hint(instead));
            }
            None => self.findings.push(at.error(format!("unknown key `{key}`")).nearest(key, section.names())),
        }
    }

    /// Reports that a required key is missing.
    pub fn missing(&mut self, fields: Fields<'_>, name: &str) {
        self.error(fields.span, format!("`{name}` is missing"));
    }

    /// Reports that a value is missing or of another kind, unless it is there.
    pub fn required<T>(&mut self, fields: Fields<'_>, name: &'static str, value: Option<T>) -> Option<T> {
        if value.is_none() && fields.get(name).is_none() {
            self.missing(fields, name);
        }
        value
    }

    pub fn text_of(&self, node: &Node<'_>) -> Option<Text> {
        match &node.value {
            Value::Text(text) => Some(Text { value: text.clone().into_owned(), at: self.at(node.span) }),
            _ => None,
        }
    }

    /// Reads the value of a key with `read`. Reports a value for which it returns `None`.
    pub fn value<'n, T>(
        &mut self,
        fields: Fields<'n>,
        name: &'static str,
        read: impl FnOnce(&mut Self, &'n Node<'n>) -> Option<T>,
    ) -> Option<T> {
        let entry = fields.get(name)?;
        let value = read(self, &entry.node);
        if value.is_none() {
            self.wrong(fields, entry);
        }
        value
    }

    pub fn text(&mut self, fields: Fields<'_>, name: &'static str) -> Option<Text> {
        self.value(fields, name, |reader, node| reader.text_of(node))
    }

    /// Returns a text without its place.
    pub fn plain(&mut self, fields: Fields<'_>, name: &'static str) -> Option<String> {
        self.text(fields, name).map(|text| text.value)
    }

    pub fn bool(&mut self, fields: Fields<'_>, name: &'static str) -> Option<bool> {
        self.value(fields, name, |_, node| match node.value {
            Value::Bool(value) => Some(value),
            _ => None,
        })
    }

    /// Reads a whole number within limits.
    pub fn number(&mut self, fields: Fields<'_>, name: &'static str, limits: (i64, i64)) -> Option<i64> {
        let entry = fields.get(name)?;
        let Value::Integer(number) = entry.node.value else {
            self.wrong(fields, entry);
            return None;
        };
        if !(limits.0..=limits.1).contains(&number) {
            self.error(entry.node.span, format!("`{name}` is a number from {} to {}", limits.0, limits.1));
            return None;
        }
        Some(number)
    }

    pub fn seconds(&mut self, fields: Fields<'_>, name: &'static str) -> Option<u64> {
        let text = self.text(fields, name)?;
        let seconds = vars::seconds(&text.value);
        if seconds.is_none() {
            let finding = text.at.error(format!("`{name}` is a duration, such as 90s, 10m, 2h or 1d"));
            self.findings.push(finding);
        }
        seconds
    }

    /// Returns the texts of a list. Reports items that are no texts.
    pub fn texts_of(&mut self, node: &Node<'_>) -> Option<Vec<Text>> {
        match &node.value {
            Value::List(items) => items.iter().map(|item| self.text_of(item)).collect(),
            _ => None,
        }
    }

    /// Reads lists of texts under a key and under other systems' names for it, one after the other.
    pub fn texts(&mut self, fields: Fields<'_>, name: &'static str) -> Option<Vec<Text>> {
        let mut all = None;
        for entry in fields.all(name) {
            match self.texts_of(&entry.node) {
                Some(texts) => all.get_or_insert_with(Vec::new).extend(texts),
                None => self.wrong(fields, entry),
            }
        }
        all
    }

    /// Reads a table of texts: names and values.
    pub fn pairs(&mut self, fields: Fields<'_>, name: &'static str) -> Vec<(Text, Text)> {
        let pairs = self.value(fields, name, |reader, node| {
            let Value::Table(entries) = &node.value else { return None };
            let pair = |entry: &Entry<'_>| {
                let name = Text { value: entry.key.clone().into_owned(), at: reader.at(entry.key_span) };
                reader.scalar(&entry.node).map(|value| (name, value))
            };
            entries.iter().map(pair).collect()
        });
        pairs.unwrap_or_default()
    }

    /// Returns a text, number or bool as text.
    pub fn scalar(&self, node: &Node<'_>) -> Option<Text> {
        let value = match &node.value {
            Value::Text(text) => text.clone().into_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Decimal(number) => number.clone().into_owned(),
            Value::Bool(value) => value.to_string(),
            Value::List(_) | Value::Table(_) | Value::Other => return None,
        };
        Some(Text { value, at: self.at(node.span) })
    }

    /// Returns the items of a list of rules, which are few.
    pub fn rules<'n>(&mut self, fields: Fields<'n>, name: &'static str) -> Vec<&'n Node<'n>> {
        let mut items = self.items(fields, name);
        if let Some(one_more) = items.get(RULE_LIMIT) {
            self.error(one_more.span, format!("`{name}` has more than {RULE_LIMIT} items"));
            items.truncate(RULE_LIMIT);
        }
        items
    }

    /// Returns the items of a list of tables. A table stands for a list of one.
    pub fn items<'n>(&mut self, fields: Fields<'n>, name: &'static str) -> Vec<&'n Node<'n>> {
        let mut all = Vec::new();
        for entry in fields.all(name) {
            match &entry.node.value {
                Value::List(items) => all.extend(items),
                Value::Table(_) => all.push(&entry.node),
                _ => self.wrong(fields, entry),
            }
        }
        all
    }
}
