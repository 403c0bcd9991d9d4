//! The query language: `status=open AND (priority<2 OR label=urgent) AND NOT updated>7d login`.
//!
//! A query is tests of fields (`field op value`), words to search for, AND, OR, NOT and parentheses. What stands side by
//! side is joined by AND. Parsing resolves all times, so that a query means the same whoever carries it out.

mod parse;
mod time;

use std::fmt;

use jiff::Timestamp;

pub use parse::parse;
pub use time::{future, moment};

/// Longest query, in bytes: a thousand times what a person types.
pub const QUERY_LIMIT: usize = 64 * 1024;

/// How deep parentheses and NOTs may lie in each other; a parser that recurses needs a bound.
pub const QUERY_DEPTH: usize = 64;

/// Most tests and words of one query; databases bound the size of an expression too.
pub const QUERY_TESTS: usize = 400;

/// A query that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// What it asks.
    pub expr: Expr,
    /// When it was asked: what relative times counted from, and what `ready` is about.
    pub now: Timestamp,
}

/// What a query asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// All of these hold.
    And(Vec<Expr>),
    /// One of these holds.
    Or(Vec<Expr>),
    /// This does not hold.
    Not(Box<Expr>),
    /// A field is so.
    Test(Test),
    /// The bead's texts hold these words.
    Text(String),
}

/// A test of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Which field.
    pub field: Field,
    /// How it is compared.
    pub op: Op,
    /// With what.
    pub value: Value,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `=`: is the value, or one of a list.
    Is,
    /// `!=`: is not the value, nor one of a list.
    IsNot,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `~`: contains the text, whatever its case.
    Holds,
}

/// What a field is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// One of these texts.
    Texts(Vec<String>),
    /// One of these numbers.
    Numbers(Vec<i64>),
    /// Yes or no.
    Flag(bool),
    /// From the first instant until just before the second: a day, or one instant.
    Time(Timestamp, Timestamp),
    /// `none`: nothing is there.
    Nothing,
}

/// What kind of values a field has.
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
    /// Yes or no.
    Flag,
}

/// Defines the fields with their names, the first one being the name that is shown.
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

            /// All names of fields, aliases too.
            pub const NAMES: &[&str] = &[$($name, $($alias,)*)*];

            /// The field of that name, whatever its case.
            pub fn named(name: &str) -> Option<Self> {
                match name.to_ascii_lowercase().as_str() {
                    $($name $(| $alias)* => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What kind of values it has.
            pub fn kind(self) -> Kind {
                match self {
                    $(Self::$variant => Kind::$kind,)*
                }
            }
        }
    };
}

fields! {
    /// Its id.
    Id: Text = "id",
    /// Its id's part before the last dash.
    Prefix: Text = "prefix",
    /// Its title.
    Title: Text = "title",
    /// What is to be done.
    Description: Text = "description" | "desc",
    /// How it is to be done.
    Design: Text = "design",
    /// When it is done.
    Acceptance: Text = "acceptance" | "acceptance_criteria",
    /// What was found on the way.
    Notes: Text = "notes" | "note",
    /// Its state.
    Status: Text = "status",
    /// Its kind.
    Type: Text = "type" | "issue_type",
    /// Who holds it.
    Assignee: Text = "assignee",
    /// Who made it.
    CreatedBy: Text = "created_by" | "creator",
    /// Who owns it.
    Owner: Text = "owner",
    /// Why it was closed.
    CloseReason: Text = "close_reason" | "reason",
    /// Its parents.
    Parent: Texts = "parent",
    /// Its labels.
    Label: Texts = "label" | "labels",
    /// What it depends on, in whatever way.
    DependsOn: Texts = "depends_on" | "dep" | "deps",
    /// What was remarked.
    Comment: Texts = "comment" | "comments",
    /// What tools have written there: `key=value` for a key that has this value, `key` for one that is there.
    Metadata: Texts = "metadata" | "meta",
    /// 0 (critical) to 4.
    Priority: Number = "priority",
    /// When it was made.
    Created: Time = "created" | "created_at",
    /// When it was last changed.
    Updated: Time = "updated" | "updated_at",
    /// When it was closed.
    Closed: Time = "closed" | "closed_at",
    /// Until when it is put off.
    Deferred: Time = "deferred" | "defer" | "defer_until",
    /// By when it is to be done.
    Due: Time = "due" | "due_at",
    /// Whether it can be worked on now.
    Ready: Flag = "ready",
    /// Whether another bead holds it back.
    Blocked: Flag = "blocked",
    /// Whether it is kept in view.
    Pinned: Flag = "pinned",
    /// Whether it is a pattern for others.
    Template: Flag = "template" | "is_template",
    /// Whether it is gone some day.
    Ephemeral: Flag = "ephemeral" | "wisp",
}

/// Why a text is no query, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// The query.
    pub query: String,
    /// The bytes of it that are wrong; at its end where something is missing.
    pub at: std::ops::Range<usize>,
    /// What is wrong.
    pub what: String,
    /// What may have been meant.
    pub hint: Option<String>,
}

impl std::error::Error for QueryError {}

/// How much of a query an error shows before and after what is wrong, in characters.
const SHOWN_CHARS: usize = 60;

impl fmt::Display for QueryError {
    /// What is wrong; the query, with carets below the place; the hint.
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
