//! The JSONL record of the beads format: one JSON object a line, read leniently and written in one way.
//!
//! Nothing that a line says is lost on the way through: keys without a field of their own keep their JSON text, times
//! keep theirs, and whole records of other kinds keep their line.

pub(crate) mod check;
mod read;
mod write;

use std::borrow::Cow;

pub use read::{lines_with_nul, parse, parse_line, records};
pub use write::{append_bead, write, write_bead};

use crate::bead::{Bead, Rest};

/// One line of a ledger's JSONL file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A bead.
    Bead(Box<Bead>),
    /// A record of another kind (`_type` says which: memories, headers), kept as it came.
    Other {
        /// The line, without its end.
        line: String,
    },
}

/// All that a JSONL file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The good lines, in their order. An id may occur more than once.
    pub records: Vec<Record>,
    /// The bad lines, in their order.
    pub errors: Vec<LineError>,
}

/// A line that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct LineError {
    /// The line's number, from 1.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub fault: Fault,
}

/// Why a line can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Bytes that are no text.
    #[error("not UTF-8")]
    NotUtf8,
    /// What git leaves behind where it could not merge.
    #[error("a git conflict marker")]
    ConflictMarker,
    /// Not a JSON object.
    #[error("no JSON object: {0}")]
    NotJson(String),
    /// Lists and objects in each other, more than [`MAX_DEPTH`] of them.
    #[error("nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// An escape that stands for half a character.
    #[error("an escape of half a character (a lone surrogate)")]
    LoneSurrogate,
    /// No id, or an empty one.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A value of another kind than its key has.
    #[error("`{key}` is {found}, not {expected}")]
    WrongType {
        /// Where: a key, or a path as `dependencies[0].type`.
        key: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A time that is not RFC 3339.
    #[error("`{key}` is no RFC 3339 time: {text:?}")]
    BadTime {
        /// The key.
        key: String,
        /// The beginning of what it holds.
        text: String,
    },
}

/// How deep lists and objects may lie in each other: as deep as serde_json reads them, so that nothing that is kept as
/// JSON text fails to be read later.
pub const MAX_DEPTH: usize = 127;

/// The `_type` of a bead, in files that give one to every line.
const BEAD_TYPE_TAG: &str = "issue";

/// The keys of a bead in the order in which they are written.
pub(crate) const KEYS: &[&str] = &[
    "_type",
    "id",
    "title",
    "description",
    "design",
    "acceptance_criteria",
    "notes",
    "spec_id",
    "status",
    "priority",
    "issue_type",
    "assignee",
    "owner",
    "estimated_minutes",
    "created_at",
    "created_by",
    "updated_at",
    "started_at",
    "closed_at",
    "close_reason",
    "closed_by_session",
    "due_at",
    "defer_until",
    "external_ref",
    "source_system",
    "metadata",
    "compaction_level",
    "compacted_at",
    "compacted_at_commit",
    "original_size",
    "labels",
    "dependencies",
    "comments",
    "sender",
    "ephemeral",
    "no_history",
    "wisp_type",
    "pinned",
    "is_template",
    "bonded_from",
    "await_type",
    "await_id",
    "timeout",
    "waiters",
    "source_formula",
    "source_location",
    "mol_type",
    "work_type",
    "event_kind",
    "actor",
    "target",
    "payload",
    "deleted_at",
    "deleted_by",
    "delete_reason",
    "original_type",
    "hook_bead",
    "role_bead",
    "agent_state",
    "last_activity",
    "role_type",
    "rig",
    "holder",
    "creator",
    "validations",
    "quality_score",
    "crystallizes",
    "wisp",
];

/// The keys of a dependency, in their order.
pub(crate) const DEPENDENCY_KEYS: &[&str] =
    &["issue_id", "depends_on_id", "type", "created_at", "created_by", "metadata", "thread_id"];

/// The keys of a comment, in their order.
pub(crate) const COMMENT_KEYS: &[&str] = &["id", "issue_id", "author", "text", "created_at"];

/// Keys that only say what other records say; ignored.
const DERIVED_KEYS: &[&str] = &["dependency_count", "dependent_count", "comment_count", "parent"];

/// Whether a key that we know may be left out with this value.
fn is_empty(raw: &str) -> bool {
    matches!(raw, "null" | "\"\"" | "[]" | "false")
}

/// Puts keys of a bead in the order of a [`Rest`]: those that the format knows in front, in their order.
pub fn order_bead_rest(rest: &mut Rest) {
    order_rest(rest, KEYS);
}

/// Puts the `known` keys in front, in their order: the order of a [`Rest`].
pub(crate) fn order_rest(rest: &mut Rest, known: &[&str]) {
    rest.sort_by_key(|(key, _)| known.iter().position(|name| name == key).unwrap_or(known.len()));
}

/// `raw` JSON on one line. Strings hold no bare line ends, so all of them lie between the tokens.
fn on_one_line(raw: &str) -> Cow<'_, str> {
    if raw.contains(['\n', '\r']) { raw.replace(['\n', '\r'], " ").into() } else { raw.into() }
}

#[cfg(test)]
mod tests;
