//! Variables of a formula and their values.

use regex_lite::Regex;
use serde::Serialize;

use super::source::At;
use super::text::Value;

/// Maximum length of a value, in bytes.
pub(super) const VALUE_LIMIT: usize = 64 * 1024;

/// Maximum length of a pattern, in bytes.
pub(super) const PATTERN_LIMIT: usize = 500;

/// Type of a variable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VarKind {
    /// Any text.
    #[default]
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// One of the given values.
    Enum,
    /// Texts.
    List,
}

impl VarKind {
    /// Returns the type with this name, including names that other systems use.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::String,
            "number" | "int" | "integer" => Self::Number,
            "bool" | "boolean" => Self::Bool,
            "enum" => Self::Enum,
            "list" => Self::List,
            _ => return None,
        })
    }
}

/// Default of a variable, as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum DefaultValue {
    /// A text, or a number or bool as text.
    Text(String),
    /// A list.
    Items(Vec<String>),
}

/// A variable of a formula.
#[derive(Clone, Debug)]
pub struct Var {
    /// Meaning, for people.
    pub description: String,
    /// Type.
    pub kind: VarKind,
    /// Whether a value must be given.
    pub required: bool,
    /// Value if none is given.
    pub default: Option<DefaultValue>,
    /// Values of an enum.
    pub values: Vec<String>,
    /// Regular expression that a value matches as a whole.
    pub pattern: Option<String>,
    /// Place of the declaration.
    pub at: At,
}

impl Var {
    /// Returns the value from what is given or the default. The error says what is wrong.
    pub(super) fn value(&self, given: Option<&str>) -> Result<Value, String> {
        let value = match (given, &self.default) {
            (Some(given), _) => self.of_text(given)?,
            (None, Some(DefaultValue::Text(text))) if self.required && text.is_empty() => {
                return Err("needs a value".to_owned());
            }
            (None, Some(DefaultValue::Text(text))) => self.of_text(text)?,
            (None, Some(DefaultValue::Items(items))) => Value::list(items.clone()),
            (None, None) if self.required => return Err("needs a value".to_owned()),
            (None, None) => return Ok(self.empty()),
        };
        self.check(&value).map(|()| value)
    }

    fn empty(&self) -> Value {
        if self.kind == VarKind::List { Value::list(Vec::new()) } else { Value::default() }
    }

    fn of_text(&self, text: &str) -> Result<Value, String> {
        if text.len() > VALUE_LIMIT {
            return Err(format!("has {} bytes; the limit is {VALUE_LIMIT}", text.len()));
        }
        Ok(match self.kind {
            VarKind::List => Value::list(items(text)?),
            _ => Value { text: text.to_owned(), items: None },
        })
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        let text = value.text.as_str();
        match self.kind {
            VarKind::Number if text.parse::<f64>().is_ok_and(f64::is_finite) => {}
            VarKind::Number => return Err(format!("is a number, not `{}`", shown(text))),
            VarKind::Bool if ["true", "false"].contains(&text) => {}
            VarKind::Bool => return Err(format!("is true or false, not `{}`", shown(text))),
            VarKind::Enum if self.values.iter().any(|known| known == text) => {}
            VarKind::Enum => return Err(format!("is one of {}, not `{}`", self.values.join(", "), shown(text))),
            VarKind::String | VarKind::List => {}
        }
        let Some(pattern) = &self.pattern else { return Ok(()) };
        let pattern = compile(pattern)?;
        let items = value.items.as_deref().unwrap_or(std::slice::from_ref(&value.text));
        match items.iter().find(|item| !pattern.is_match(item)) {
            Some(item) => Err(format!(
                "does not match its pattern `{}`: `{}`",
                self.pattern.as_deref().unwrap_or_default(),
                shown(item)
            )),
            None => Ok(()),
        }
    }

    /// Returns a value that the variable may have, as it could be given.
    pub(super) fn sample_text(&self) -> String {
        let value = self.sample();
        match &value.items {
            Some(items) => serde_json::json!(items).to_string(),
            None => value.text,
        }
    }

    /// Returns a value that the variable may have, to plan without values. Patterns are not considered.
    pub(super) fn sample(&self) -> Value {
        if let Ok(value) = self.value(None) {
            return value;
        }
        match self.kind {
            VarKind::String => Value { text: "x".to_owned(), items: None },
            VarKind::Number => Value { text: "1".to_owned(), items: None },
            VarKind::Bool => Value { text: "true".to_owned(), items: None },
            VarKind::Enum => Value { text: self.values.first().cloned().unwrap_or_default(), items: None },
            VarKind::List => Value::list(vec!["x".to_owned()]),
        }
    }
}

/// Compiles a pattern that matches texts as a whole.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_LIMIT {
        return Err(format!("has a pattern of {} bytes; the limit is {PATTERN_LIMIT}", pattern.len()));
    }
    Regex::new(&format!("^(?:{pattern})$")).map_err(|error| format!("has a pattern that can't be used: {error}"))
}

/// Reads the items of a list: JSON if the text starts with `[`, else separated by commas.
fn items(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim();
    if text.starts_with('[') {
        return serde_json::from_str(text).map_err(|_| "is a list: a,b or [\"a\", \"b\"]".to_owned());
    }
    Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
}

fn shown(text: &str) -> &str {
    crate::foreign::cut(text, 60)
}

/// Units of durations, in seconds.
const UNITS: &[(char, u64)] = &[('s', 1), ('m', 60), ('h', 60 * 60), ('d', 24 * 60 * 60)];

/// Longest duration: a year.
const LONGEST_SECONDS: u64 = 366 * 24 * 60 * 60;

/// Parses a duration such as `90s`, `10m`, `2h`, `1d` or `1h30m`, in seconds. It is at least a second.
pub fn seconds(text: &str) -> Option<u64> {
    let mut total: u64 = 0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].chars().next()?;
        let (_, length) = UNITS.iter().find(|(known, _)| *known == unit)?;
        total = total.checked_add(number.checked_mul(*length)?)?;
        rest = &rest[digits + unit.len_utf8()..];
    }
    (1..=LONGEST_SECONDS).contains(&total).then_some(total)
}
