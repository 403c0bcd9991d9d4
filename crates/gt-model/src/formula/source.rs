//! Texts of formula files, places in them, and what is wrong there.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::foreign;

/// Maximum number of findings about one file. A file with more is not a formula.
const FINDING_LIMIT: usize = 100;

/// Maximum number of characters of a line that a finding shows, before and from the marker.
const SHOWN_CHARS: usize = 60;

/// Text of one file.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Path or name that findings show.
    pub file: String,
    /// Content.
    pub text: String,
}

impl Source {
    /// Returns whether the file is named as beads and the Go Gas Town name theirs. There, `version` counts revisions, and a variable
    /// that is not declared stays in the text as it is.
    pub fn is_foreign(&self) -> bool {
        self.file.ends_with(".formula.toml") || self.file.ends_with(".formula.json")
    }
}

/// Range of bytes in a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

/// A place in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// The text.
    pub source: Arc<Source>,
    /// Range in the text.
    pub span: Span,
}

impl At {
    /// Returns an error about this place.
    pub fn error(&self, message: impl Into<String>) -> Finding {
        Finding::new(Severity::Error, self, message.into())
    }

    /// Returns a note that what stands here has no meaning.
    pub fn ignored(&self, message: impl Into<String>) -> Finding {
        Finding::new(Severity::Ignored, self, message.into())
    }

    /// Returns an error about this place. In a file of another system it is a note only.
    pub(super) fn error_unless_foreign(&self, message: impl Into<String>) -> Finding {
        if self.source.is_foreign() { self.ignored(message) } else { self.error(message) }
    }

    /// Narrows the place to the first occurrence of a piece in it, if there is one.
    #[must_use]
    pub fn within(&self, piece: &str) -> Self {
        let here = self.source.text.get(self.span.start..self.span.end).unwrap_or_default();
        let span = here.find(piece).map_or(self.span, |at| {
            let start = self.span.start + at;
            Span { start, end: start + piece.len() }
        });
        Self { source: Arc::clone(&self.source), span }
    }
}

/// Text as written, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub value: String,
    /// Its place.
    pub at: At,
}

/// Weight of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The formula can't be used.
    Error,
    /// The key has no meaning here. It is known from other systems, and the formula works without it.
    Ignored,
}

/// Something to say about a place in a formula.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its weight.
    pub severity: Severity,
    /// File, as in [`Source::file`].
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Message.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The part of the line that is shown.
    text: String,
    /// Number of characters of `text` before the marker.
    before: usize,
    /// Length of the marker in characters.
    marked: usize,
}

impl Finding {
    fn new(severity: Severity, at: &At, message: String) -> Self {
        let text = &at.source.text;
        let start = at.span.start.min(text.len());
        let (before, rest) = text.split_at_checked(start).unwrap_or((text, ""));
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let left: Vec<char> = before[line_start..].chars().collect();
        let line_rest = rest.split('\n').next().unwrap_or_default();
        let span = rest.get(..at.span.end.saturating_sub(start)).unwrap_or(rest);
        let marked = span.split('\n').next().unwrap_or_default().trim_end().chars().count();
        let skipped = left.len().saturating_sub(SHOWN_CHARS);
        let shown = left[skipped..].iter().copied().chain(line_rest.chars().take(SHOWN_CHARS));
        Self {
            severity,
            file: at.source.file.clone(),
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: left.len() + 1,
            message,
            hint: None,
            text: foreign::one_line(shown.collect::<String>().trim_end()),
            before: left.len() - skipped,
            marked: marked.clamp(1, SHOWN_CHARS),
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the nearest of the known words, if there is one.
    #[must_use]
    pub fn nearest<'k>(self, word: &str, known: impl IntoIterator<Item = &'k str>) -> Self {
        match crate::vocabulary::nearest(word, known) {
            Some(nearest) => self.hint(format!("did you mean `{nearest}`?")),
            None => self,
        }
    }
}

impl fmt::Display for Finding {
    /// Writes the message, the place, and the line with a marker under the place. No character of the file reaches the terminal
    /// that the terminal would act on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let ignored = if self.severity == Severity::Ignored { "ignored: " } else { "" };
        writeln!(f, "{ignored}{}", foreign::one_line(&self.message))?;
        writeln!(f, "{margin}--> {}:{}:{}", foreign::one_line(&self.file), self.line, self.column)?;
        writeln!(f, "{margin} |\n{number} | {}", self.text)?;
        write!(f, "{margin} | {}{}", " ".repeat(self.before), "^".repeat(self.marked))?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n{margin} = {}", foreign::one_line(hint)))
    }
}

/// A formula that can't be used: at least one finding is an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", shown(.0))]
pub struct FormulaError(pub Vec<Finding>);

fn shown(findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl From<Finding> for FormulaError {
    fn from(finding: Finding) -> Self {
        Self(vec![finding])
    }
}

/// Collects findings, up to a limit.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn push(&mut self, finding: Finding) {
        if self.0.len() < FINDING_LIMIT {
            self.0.push(finding);
        }
    }

    pub(super) fn append(&mut self, more: Vec<Finding>) {
        more.into_iter().for_each(|finding| self.push(finding));
    }

    /// Returns what was collected, in the order of the places.
    pub(super) fn sorted(mut self) -> Vec<Finding> {
        self.0.sort_by(|one, other| (&one.file, one.line, one.column).cmp(&(&other.file, other.line, other.column)));
        self.0
    }

    /// Returns the value, or all findings if one of them is an error.
    pub(super) fn or<T>(self, value: T) -> Result<(T, Vec<Finding>), FormulaError> {
        let findings = self.sorted();
        match findings.iter().any(|finding| finding.severity == Severity::Error) {
            true => Err(FormulaError(findings)),
            false => Ok((value, findings)),
        }
    }
}
