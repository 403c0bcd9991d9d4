//! Conditions on variables, as in `when`.

use super::source::{At, Finding, Text};
use super::text::Scope;

/// Maximum length of a condition, in bytes.
const CONDITION_LIMIT: usize = 2000;

/// A condition: one of the lists of tests passes as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    any: Vec<Vec<Test>>,
    /// Place of the condition.
    pub at: At,
}

/// One test of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Test {
    pub var: String,
    pub is: Is,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Is {
    Set,
    Unset,
    Equal(String),
    Unequal(String),
}

impl Condition {
    pub(super) fn parse(text: &Text) -> Result<Self, Finding> {
        let wrong = |why: &str| {
            let hint =
                "write `{{name}}`, `!{{name}}`, `{{name}} == value` or `{{name}} != value`, joined by `and` and `or`";
            text.at.error(format!("this condition can't be read: {why}")).hint(hint)
        };
        if text.value.len() > CONDITION_LIMIT {
            return Err(wrong(&format!("it is longer than {CONDITION_LIMIT} bytes")));
        }
        let all = |part: &str| split(part, "and", "&&").into_iter().map(test).collect::<Option<Vec<_>>>();
        let any = split(&text.value, "or", "||").into_iter().map(all).collect::<Option<Vec<_>>>();
        Ok(Self { any: any.ok_or_else(|| wrong("a test is not complete"))?, at: text.at.clone() })
    }

    pub(super) fn tests(&self) -> impl Iterator<Item = &Test> {
        self.any.iter().flatten()
    }

    /// Returns whether it holds. The caller has checked that all variables are declared.
    pub(super) fn holds(&self, scope: &Scope) -> bool {
        self.any.iter().any(|all| all.iter().all(|test| test.passes(scope)))
    }
}

impl Test {
    fn passes(&self, scope: &Scope) -> bool {
        let value = scope.var(&self.var).unwrap_or_default();
        let is_set = !["", "false", "0"].contains(&value);
        match &self.is {
            Is::Set => is_set,
            Is::Unset => !is_set,
            Is::Equal(other) => value == other,
            Is::Unequal(other) => value != other,
        }
    }
}

/// Splits a condition at a word or its sign, outside of quotes.
fn split<'t>(text: &'t str, word: &str, sign: &str) -> Vec<&'t str> {
    let mut parts = Vec::new();
    let (mut start, mut quote) = (0, None);
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if at >= start => {
                if let Some(length) = joins(text, at, word, sign) {
                    parts.push(&text[start..at]);
                    start = at + length;
                }
            }
            None => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Returns the length of the joining word or sign at a place.
fn joins(text: &str, at: usize, word: &str, sign: &str) -> Option<usize> {
    let rest = &text[at..];
    if rest.starts_with(sign) {
        return Some(sign.len());
    }
    let is_space = |c: Option<char>| c.is_some_and(char::is_whitespace);
    let whole =
        is_space(text[..at].chars().next_back()) && is_space(rest.get(word.len()..).and_then(|r| r.chars().next()));
    (rest.starts_with(word) && whole).then_some(word.len())
}

fn test(text: &str) -> Option<Test> {
    let text = text.trim();
    let compared = |sign: &str| text.split_once(sign).map(|(var, value)| (name(var), unquoted(value)));
    if let Some((var, value)) = compared("!=") {
        return Some(Test { var: var?, is: Is::Unequal(value) });
    }
    if let Some((var, value)) = compared("==") {
        return Some(Test { var: var?, is: Is::Equal(value) });
    }
    let (text, is) = match text.strip_prefix('!').or_else(|| text.strip_prefix("not ")) {
        Some(rest) => (rest, Is::Unset),
        None => (text, Is::Set),
    };
    Some(Test { var: name(text)?, is })
}

/// Reads `{{name}}` or `name`.
fn name(text: &str) -> Option<String> {
    let text = text.trim();
    let inside = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or(text).trim();
    let inside = inside.strip_prefix('.').unwrap_or(inside);
    inside.split('.').all(super::text::is_name).then(|| inside.to_owned())
}

fn unquoted(text: &str) -> String {
    let text = text.trim();
    let quoted = ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
    quoted.unwrap_or(text).to_owned()
}
