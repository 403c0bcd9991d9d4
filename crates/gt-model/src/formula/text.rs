//! Texts with variables: `{{name}}`, and `{name}` for what an expansion or an aspect gives.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::source::{At, Finding, Text};
use super::{FILE_LIMIT, TEXT_LIMIT};

/// Part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    Plain(&'t str),
    /// `{{name}}`.
    Var {
        name: &'t str,
        whole: &'t str,
    },
    /// `{name}`: stays as it is where it has no meaning.
    Given {
        name: &'t str,
        whole: &'t str,
    },
}

/// Splits a text. `{{{{` stands for `{{`.
pub(super) fn pieces(text: &str) -> Pieces<'_> {
    Pieces { rest: text }
}

pub(super) struct Pieces<'t> {
    rest: &'t str,
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        let rest = self.rest;
        if rest.is_empty() {
            return None;
        }
        let (piece, length) = match rest.find('{') {
            Some(0) => braces(rest),
            Some(at) => (Piece::Plain(&rest[..at]), at),
            None => (Piece::Plain(rest), rest.len()),
        };
        self.rest = &rest[length..];
        Some(piece)
    }
}

/// Returns the piece that starts with `{`, and its length.
fn braces(text: &str) -> (Piece<'_>, usize) {
    if text.starts_with("{{{{") {
        return (Piece::Plain(&text[..2]), 4);
    }
    if let Some(inside) = text.strip_prefix("{{") {
        return match inside.find("}}") {
            Some(end) => {
                let name = inside[..end].trim();
                let whole = &text[..end + 4];
                (Piece::Var { name: name.strip_prefix('.').unwrap_or(name), whole }, whole.len())
            }
            None => (Piece::Plain(text), text.len()),
        };
    }
    let name_end = text[1..].find(|c: char| !is_name_char(c) && c != '.').map_or(text.len(), |at| at + 1);
    match text[name_end..].starts_with('}') && name_end > 1 {
        true => (Piece::Given { name: &text[1..name_end], whole: &text[..=name_end] }, name_end + 1),
        false => (Piece::Plain(&text[..1]), 1),
    }
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// Returns whether a text can be the name of a variable.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(is_name_char)
}

/// Returns the name of the environment variable that holds a variable's value for `run` steps.
pub fn env_name(var: &str) -> String {
    format!("GT_VAR_{}", var.replace(['-', '.'], "_"))
}

/// Value of a variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Value {
    pub text: String,
    /// Items, if it is a list.
    pub items: Option<Vec<String>>,
}

impl Value {
    pub fn list(items: Vec<String>) -> Self {
        Self { text: items.join(", "), items: Some(items) }
    }
}

/// Names that texts may use, with their values.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// Variables of the formula.
    pub vars: Rc<BTreeMap<String, Value>>,
    /// Names of a round, a leg or an output: `{{item}}`.
    locals: Vec<(&'static str, Rc<str>)>,
    /// Names in single braces: `{target}`.
    given: Vec<(String, Rc<str>)>,
    /// Bytes of all texts so far, shared by all scopes of a plan.
    bytes: Rc<Cell<usize>>,
}

/// Bytes that each text takes, beside its content.
const TEXT_COST: usize = 64;

impl Scope {
    pub fn new(vars: BTreeMap<String, Value>) -> Self {
        Self { vars: Rc::new(vars), ..Self::default() }
    }

    /// Returns a scope with other variables, for another formula of the same plan.
    #[must_use]
    pub fn of(&self, vars: BTreeMap<String, Value>) -> Self {
        Self { bytes: Rc::clone(&self.bytes), ..Self::new(vars) }
    }

    /// Counts a text of the plan. Fails if all together are too large.
    pub fn charge(&self, bytes: usize, at: &At) -> Result<(), Finding> {
        self.bytes.set(self.bytes.get().saturating_add(bytes).saturating_add(TEXT_COST));
        if self.bytes.get() > TEXT_LIMIT {
            return Err(at.error(format!("the texts of the plan have more than {TEXT_LIMIT} bytes")));
        }
        Ok(())
    }

    #[must_use]
    pub fn with(&self, name: &'static str, value: impl Into<Rc<str>>) -> Self {
        let mut scope = self.clone();
        scope.locals.retain(|(known, _)| *known != name);
        scope.locals.push((name, value.into()));
        scope
    }

    #[must_use]
    pub fn giving(&self, name: &str, value: impl Into<Rc<str>>) -> Self {
        let mut scope = self.clone();
        scope.given.retain(|(known, _)| known != name);
        scope.given.push((name.to_owned(), value.into()));
        scope
    }

    pub fn var(&self, name: &str) -> Option<&str> {
        let local = self.locals.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_ref());
        local.or_else(|| self.vars.get(name).map(|value| value.text.as_str()))
    }

    fn given(&self, name: &str) -> Option<&str> {
        self.given.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    /// Returns all names that a program gets in its environment, with their values.
    pub fn environment(&self, at: &At) -> Result<BTreeMap<String, String>, Finding> {
        let vars = self.vars.iter().map(|(name, value)| (name.as_str(), value.text.as_str()));
        let locals = self.locals.iter().map(|(name, value)| (*name, value.as_ref()));
        let one = |(name, value): (&str, &str)| {
            self.charge(name.len() + value.len(), at)?;
            Ok((env_name(name), value.to_owned()))
        };
        vars.chain(locals).map(one).collect()
    }

    /// Replaces all names in a text. A value is data: nothing in it is replaced.
    pub fn fill(&self, text: &Text) -> Result<String, Finding> {
        let mut out = String::with_capacity(text.value.len());
        for piece in pieces(&text.value) {
            match piece {
                Piece::Plain(plain) => out.push_str(plain),
                Piece::Var { name, whole } => match self.var(name) {
                    Some(value) => out.push_str(value),
                    None if text.at.source.is_foreign() => out.push_str(whole),
                    None => return Err(self.unknown(text, name, whole)),
                },
                Piece::Given { name, whole } => out.push_str(self.given(name).unwrap_or(whole)),
            }
            if out.len() > FILE_LIMIT {
                return Err(text.at.error(format!("the text has more than {FILE_LIMIT} bytes with its values")));
            }
        }
        self.charge(out.len(), &text.at)?;
        Ok(out)
    }

    fn unknown(&self, text: &Text, name: &str, whole: &str) -> Finding {
        undeclared(text, name, whole, self.vars.keys().map(String::as_str))
    }
}

/// Returns the error about a variable that is not declared.
pub(super) fn undeclared<'k>(
    text: &Text,
    name: &str,
    whole: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Finding {
    let at = text.at.within(whole);
    if text.at.source.is_foreign() {
        return at.ignored(format!("`{whole}` is not declared under [vars], so it stays as it is"));
    }
    if !name.split('.').all(is_name) {
        return at.error(format!("`{whole}` is not a variable")).hint("write `{{{{` for two braces in a text");
    }
    at.error(format!("`{{{{{name}}}}}` is not declared under [vars]")).nearest(name, known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_splits_into_what_was_written() {
        let check = |text: &str, expected: &[&str]| {
            let names: Vec<String> = pieces(text)
                .map(|piece| match piece {
                    Piece::Plain(plain) => plain.to_owned(),
                    Piece::Var { name, .. } => format!("var {name}"),
                    Piece::Given { name, .. } => format!("given {name}"),
                })
                .collect();
            assert_eq!(names, expected, "{text}");
        };
        check("", &[]);
        check("a {{ b }} c", &["a ", "var b", " c"]);
        check("{{.b}}{target.title}", &["var b", "given target.title"]);
        check("${{{{ x }}", &["$", "{{", " x }}"]);
        check("{{open", &["{{open"]);
        check("{ x }{}{é}{", &["{", " x }", "{", "}", "{", "é}", "{"]);
    }
}
