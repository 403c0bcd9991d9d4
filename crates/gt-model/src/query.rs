//! The query language: `status=open AND (priority<2 OR label=urgent) AND NOT updated>7d login`.
//!
//! A query consists of tests of fields (`field op value`), words to search for, AND, OR, NOT and parentheses. Terms next to each
//! other are joined by AND. Parsing resolves all times, so a parsed query has one meaning, whichever code runs it.

mod parse;
mod time;

use std::fmt;

use jiff::Timestamp;

pub use parse::parse;
pub use time::{future, moment};

/// Maximum length of a query, in bytes: a thousand times what a person types.
pub const QUERY_LIMIT: usize = 64 * 1024;

/// Maximum depth of parentheses and NOTs. A recursive parser needs a limit.
pub const QUERY_DEPTH: usize = 64;

/// Maximum number of tests and words in a query. Databases limit the size of expressions too.
pub const QUERY_TESTS: usize = 400;

/// A parsed query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Condition of the query.
    pub expr: Expr,
    /// Time of the query. Relative times count from it, and `ready` refers to it.
    pub now: Timestamp,
}

/// Condition of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// All of these are true.
    And(Vec<Expr>),
    /// At least one of these is true.
    Or(Vec<Expr>),
    /// This is false.
    Not(Box<Expr>),
    /// A field passes a test.
    Test(Test),
    /// The bead's texts contain these words.
    Text(String),
}

/// A test of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Field to test.
    pub field: Field,
    /// Comparison operator.
    pub op: Op,
    /// Value to compare with.
    pub value: Value,
}

/// Comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `=`: equals the value, or one of a list.
    Is,
    /// `!=`: equals neither the value nor any of a list.
    IsNot,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `~`: contains the text; case is ignored.
    Holds,
}

/// Value that a field is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// One of these texts.
    Texts(Vec<String>),
    /// One of these numbers.
    Numbers(Vec<i64>),
    /// True or false.
    Flag(bool),
    /// From the first instant until just before the second: a day, or one instant.
    Time(Timestamp, Timestamp),
    /// `none`: the field is empty.
    Nothing,
}

/// Type of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One text.
    Text,
    /// Several texts.
    Texts,
    /// A whole number.
    Number,
    /// A point in time.
    Time,
    /// True or false.
    Flag,
}

/// Defines the fields with their names. The first name is the one that is shown.
macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident: $kind:ident = $name:literal $(| $alias:literal)*,)*) => {
        /// A field that a query can test.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Field {
            $($(#[$doc])* $variant,)*
        }

        impl Field {
            /// All fields.
            pub const ALL: &[Field] = &[$(Field::$variant,)*];

            /// All names of fields, including aliases.
            pub const NAMES: &[&str] = &[$($name, $($alias,)*)*];

            /// Returns the field with this name; case is ignored.
            pub fn named(name: &str) -> Option<Self> {
                match name.to_ascii_lowercase().as_str() {
                    $($name $(| $alias)* => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Returns its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Returns the type of its values.
            pub fn kind(self) -> Kind {
                match self {
                    $(Self::$variant => Kind::$kind,)*
                }
            }
        }
    };
}

fields! {
    /// Id.
    Id: Text = "id",
    /// Part of the id before the last dash.
    Prefix: Text = "prefix",
    /// Title.
    Title: Text = "title",
    /// Work to do.
    Description: Text = "description" | "desc",
    /// Intended way to do the work.
    Design: Text = "design",
    /// Conditions under which the work is done.
    Acceptance: Text = "acceptance" | "acceptance_criteria",
    /// Notes made during the work.
    Notes: Text = "notes" | "note",
    /// Status.
    Status: Text = "status",
    /// Type.
    Type: Text = "type" | "issue_type",
    /// Agent or person that holds it.
    Assignee: Text = "assignee",
    /// Agent or person that created it.
    CreatedBy: Text = "created_by" | "creator",
    /// Owner.
    Owner: Text = "owner",
    /// Reason for closing it.
    CloseReason: Text = "close_reason" | "reason",
    /// Parents.
    Parent: Texts = "parent",
    /// Labels.
    Label: Texts = "label" | "labels",
    /// Beads that it depends on, by any kind of edge.
    DependsOn: Texts = "depends_on" | "dep" | "deps",
    /// Texts of comments.
    Comment: Texts = "comment" | "comments",
    /// Data that tools have added: `key=value` for a key with this value, `key` for a key with any value.
    Metadata: Texts = "metadata" | "meta",
    /// Priority from 0 (critical) to 4.
    Priority: Number = "priority",
    /// Time of creation.
    Created: Time = "created" | "created_at",
    /// Time of the last change.
    Updated: Time = "updated" | "updated_at",
    /// Time of closing.
    Closed: Time = "closed" | "closed_at",
    /// Time until which it is deferred.
    Deferred: Time = "deferred" | "defer" | "defer_until",
    /// Due time.
    Due: Time = "due" | "due_at",
    /// Whether it can be worked on now.
    Ready: Flag = "ready",
    /// Whether another bead blocks it.
    Blocked: Flag = "blocked",
    /// Whether it is pinned.
    Pinned: Flag = "pinned",
    /// Whether it is a template for other beads.
    Template: Flag = "template" | "is_template",
    /// Whether it is temporary.
    Ephemeral: Flag = "ephemeral" | "wisp",
}

/// Why and where a text is not a valid query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// The query.
    pub query: String,
    /// Range of the wrong bytes; empty, at the end of the query, if something is missing.
    pub at: std::ops::Range<usize>,
    /// Description of the fault.
    pub what: String,
    /// Query part that the person may have meant.
    pub hint: Option<String>,
}

impl std::error::Error for QueryError {}

/// How many characters of a query an error shows before and after the fault.
const SHOWN_CHARS: usize = 60;

impl fmt::Display for QueryError {
    /// Writes the fault, then the query with carets below the place, then the hint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |text: &str| text.replace(char::is_control, " ");
        let (before, rest) = self.query.split_at(self.at.start);
        let (wrong, after) = rest.split_at(self.at.len());
        let skipped = before.chars().count().saturating_sub(SHOWN_CHARS);
        let before: String = before.chars().skip(skipped).collect();
        let wrong: String = wrong.chars().take(SHOWN_CHARS).collect();
        let after: String = after.chars().take(SHOWN_CHARS).collect();
        writeln!(f, "{}", self.what)?;
        writeln!(f, "  {}{}{}", plain(&before), plain(&wrong), plain(&after))?;
        write!(f, "  {}{}", " ".repeat(before.chars().count()), "^".repeat(wrong.chars().count().max(1)))?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n{hint}"))
    }
}

#[cfg(test)]
mod tests;
