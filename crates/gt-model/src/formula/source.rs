//! Texts of formula files, places in them, and what is wrong there.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::foreign;

/// Maximum number of findings about one file. A file with more is not a formula.
const FINDING_LIMIT: usize = 100;

/// Maximum number of characters of a line that a finding shows, before and from the marker.
const SHOWN_CHARS: usize = 60;

/// Maximum number of known words among which the nearest is looked for.
const NEAREST_LIMIT: usize = 1000;

/// Maximum difference in length between a word and the nearest one, in bytes.
const NEAREST_LENGTH: usize = 10;

/// Text of one file.
#[derive(PartialEq, Eq)]
pub struct Source {
    /// Path or name that findings show.
    pub file: String,
    /// Content.
    pub text: String,
}

impl fmt::Debug for Source {
    /// Writes the file, without the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)
    }
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its weight.
    pub severity: Severity,
    /// Its place.
    pub at: At,
    /// Message.
    pub message: String,
    /// Correction to make.
    pub hint: Option<String>,
}

/// Place of a finding, and the part of its line that is shown.
struct Shown {
    line: usize,
    column: usize,
    text: String,
    /// Number of characters of `text` before the marker.
    before: usize,
    /// Length of the marker in characters.
    marked: usize,
}

impl At {
    /// Returns line and column, both from 1. The column counts characters.
    pub fn line_and_column(&self) -> (usize, usize) {
        let (before, _) = self.split();
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.bytes().filter(|byte| *byte == b'\n').count() + 1, before[start..].chars().count() + 1)
    }

    fn split(&self) -> (&str, &str) {
        let text = &self.source.text;
        text.split_at_checked(self.span.start.min(text.len())).unwrap_or((text, ""))
    }

    fn shown(&self) -> Shown {
        let (line, column) = self.line_and_column();
        let (before, rest) = self.split();
        let left: Vec<char> = before[before.rfind('\n').map_or(0, |newline| newline + 1)..].chars().collect();
        let span = rest.get(..self.span.end.saturating_sub(self.span.start)).unwrap_or(rest);
        let marked = span.split('\n').next().unwrap_or_default().trim_end().chars().count();
        let skipped = left.len().saturating_sub(SHOWN_CHARS);
        let right = rest.split('\n').next().unwrap_or_default().chars().take(SHOWN_CHARS);
        let text: String = left[skipped..].iter().copied().chain(right).collect();
        Shown {
            line,
            column,
            text: foreign::one_line(text.trim_end()),
            before: left.len() - skipped,
            marked: marked.clamp(1, SHOWN_CHARS),
        }
    }
}

impl Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'f> {
            severity: Severity,
            file: &'f str,
            line: usize,
            column: usize,
            message: &'f str,
            hint: Option<&'f str>,
        }
        let (line, column) = self.at.line_and_column();
        let (file, message, hint) = (&self.at.source.file, &self.message, self.hint.as_deref());
        Written { severity: self.severity, file, line, column, message, hint }.serialize(serializer)
    }
}

impl Finding {
    fn new(severity: Severity, at: &At, message: String) -> Self {
        Self { severity, at: at.clone(), message, hint: None }
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
        let similar = known.into_iter().filter(|known| known.len().abs_diff(word.len()) <= NEAREST_LENGTH);
        match crate::vocabulary::nearest(word, similar.take(NEAREST_LIMIT)) {
            Some(nearest) => self.hint(format!("did you mean `{nearest}`?")),
            None => self,
        }
    }
}

impl fmt::Display for Finding {
    /// Writes the message, the place, and the line with a marker under the place. No character of the file reaches the terminal
    /// that the terminal would act on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.at.shown();
        let number = shown.line.to_string();
        let margin = " ".repeat(number.len());
        let ignored = if self.severity == Severity::Ignored { "ignored: " } else { "" };
        writeln!(f, "{ignored}{}", foreign::one_line(&self.message))?;
        writeln!(f, "{margin}--> {}:{}:{}", foreign::one_line(&self.at.source.file), shown.line, shown.column)?;
        writeln!(f, "{margin} |\n{number} | {}", shown.text)?;
        write!(f, "{margin} | {}{}", " ".repeat(shown.before), "^".repeat(shown.marked))?;
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
    /// Returns whether more findings would be left out.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= FINDING_LIMIT
    }

    pub(super) fn push(&mut self, finding: Finding) {
        if !self.is_full() {
            self.0.push(finding);
        }
    }

    pub(super) fn append(&mut self, more: Vec<Finding>) {
        more.into_iter().for_each(|finding| self.push(finding));
    }

    /// Returns what was collected, in the order of the places.
    pub(super) fn sorted(mut self) -> Vec<Finding> {
        let place = |finding: &Finding| (finding.at.source.file.clone(), finding.at.span.start);
        self.0.sort_by_cached_key(place);
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
