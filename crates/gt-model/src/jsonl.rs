//! The JSONL form of the beads format: one JSON object per line. Reading is lenient; writing has exactly one form for each
//! content.
//!
//! Reading and writing lose nothing. Keys without a field of their own keep their JSON text, times keep their text, and whole
//! records of other kinds keep their line.

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
    /// A record of another kind (`_type` names it: memories, headers), kept unchanged.
    Other {
        /// The line, without its line end.
        line: String,
    },
}

/// Content of a JSONL file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Valid lines, in their order. An id may occur more than once.
    pub records: Vec<Record>,
    /// Invalid lines, in their order.
    pub errors: Vec<LineError>,
}

/// A line that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct LineError {
    /// Number of the line, from 1.
    pub line: usize,
    /// Fault in the line.
    #[source]
    pub fault: Fault,
}

/// Why a line can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes are not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// A marker of a conflict that git could not merge.
    #[error("a git conflict marker")]
    ConflictMarker,
    /// The line is not a JSON object.
    #[error("not a JSON object: {0}")]
    NotJson(String),
    /// Lists and objects are nested more than [`MAX_DEPTH`] levels deep.
    #[error("nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// An escape stands for half a character.
    #[error("an escape of half a character (a lone surrogate)")]
    LoneSurrogate,
    /// The id is missing or empty.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A value has the wrong type for its key.
    #[error("`{key}` is {found}, not {expected}")]
    WrongType {
        /// Key, or a path such as `dependencies[0].type`.
        key: String,
        /// Expected type.
        expected: &'static str,
        /// Type that was found.
        found: &'static str,
    },
    /// A time is not in RFC 3339 form.
    #[error("`{key}` is not an RFC 3339 time: {text:?}")]
    BadTime {
        /// Key of the time.
        key: String,
        /// Beginning of its value.
        text: String,
    },
}

/// Maximum depth of nested lists and objects. serde_json reads the same depth, so every value that is kept as JSON text can be
/// read later.
pub const MAX_DEPTH: usize = 127;

/// The `_type` of a bead, in files where every line has one.
const BEAD_TYPE_TAG: &str = "issue";

/// Keys of a bead, in their written order.
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

/// Keys of a dependency, in their order.
pub(crate) const DEPENDENCY_KEYS: &[&str] =
    &["issue_id", "depends_on_id", "type", "created_at", "created_by", "metadata", "thread_id"];

/// Keys of a comment, in their order.
pub(crate) const COMMENT_KEYS: &[&str] = &["id", "issue_id", "author", "text", "created_at"];

/// Keys whose values follow from other records. They are ignored.
const DERIVED_KEYS: &[&str] = &["dependency_count", "dependent_count", "comment_count", "parent"];

/// Whether a known key with this value may be left out.
fn is_empty(raw: &str) -> bool {
    matches!(raw, "null" | "\"\"" | "[]" | "false")
}

/// Sorts a bead's keys in the order of a [`Rest`]: keys that the format knows come first, in the format's order.
pub fn order_bead_rest(rest: &mut Rest) {
    order_rest(rest, KEYS);
}

/// Sorts the `known` keys to the front, in their order: the order of a [`Rest`].
pub(crate) fn order_rest(rest: &mut Rest, known: &[&str]) {
    rest.sort_by_key(|(key, _)| known.iter().position(|name| name == key).unwrap_or(known.len()));
}

/// Puts JSON on one line. JSON strings contain no raw line ends, so all line ends lie between tokens.
fn on_one_line(raw: &str) -> Cow<'_, str> {
    if raw.contains(['\n', '\r']) { raw.replace(['\n', '\r'], " ").into() } else { raw.into() }
}

#[cfg(test)]
mod tests;
