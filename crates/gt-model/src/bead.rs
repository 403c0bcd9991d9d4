//! A bead: one record of the ledger, with the terms of the beads format.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::BeadId;

/// A point in time: the instant, to compare by, and the original text, to write back unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// RFC 3339 with any offset and up to nine digits of a second.
    pub text: String,
    /// Instant that `text` stands for.
    pub at: Timestamp,
}

impl Stamp {
    /// Reads an RFC 3339 text. Some ledgers write the last day of the year 9999 for `never`. It lies beyond the range of jiff's
    /// instants, so it becomes their maximum.
    pub fn parse(text: &str) -> Result<Self, jiff::Error> {
        let at = match (text.parse::<Timestamp>(), text.strip_prefix("9999-12-3")) {
            (Err(_), Some(rest)) => format!("9998-12-3{rest}").parse().map(|_: Timestamp| Timestamp::MAX)?,
            (at, _) => at?,
        };
        Ok(Self { text: text.to_owned(), at })
    }
}

impl From<Timestamp> for Stamp {
    fn from(at: Timestamp) -> Self {
        Self { text: at.to_string(), at }
    }
}

/// Defines an enum of known words plus `Other`, which keeps an unknown word unchanged.
macro_rules! open_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
            /// A word that gt does not know: kept and shown as it is.
            Other(String),
        }

        impl $name {
            /// All words that gt knows.
            pub const KNOWN: &'static [&'static str] = &[$($word,)*];

            /// Returns the word of the JSONL format.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Ok(Self::from(String::deserialize(d)?.as_str()))
            }
        }
    };
}

open_words! {
    /// State of a bead.
    Status {
        /// Waiting to be done.
        Open = "open",
        /// A worker's session works on it, or its merge request is in the queue.
        InProgress = "in_progress",
        /// A person marked it as blocked. Beads that others block need no status.
        Blocked = "blocked",
        /// Deferred until later.
        Deferred = "deferred",
        /// Done or given up; `closed_at` is set.
        Closed = "closed",
        /// Stays in view; never ready.
        Pinned = "pinned",
        /// Claimed for a worker whose session has not started yet.
        Hooked = "hooked",
        /// Deleted; kept so that merges know of the deletion.
        Tombstone = "tombstone",
    }
}

open_words! {
    /// Type of a bead.
    BeadType {
        /// A fault to mend.
        Bug = "bug",
        /// A new ability.
        Feature = "feature",
        /// Work of any kind; the default.
        Task = "task",
        /// A parent of other work.
        Epic = "epic",
        /// Maintenance work.
        Chore = "chore",
        /// A decision that was made.
        Decision = "decision",
        /// A mail.
        Message = "message",
        /// A formula that was turned into steps for one bead of work.
        Molecule = "molecule",
        /// A condition that a step waits for.
        Gate = "gate",
        /// A question to answer by experiment.
        Spike = "spike",
        /// A user story.
        Story = "story",
        /// A milestone of other work.
        Milestone = "milestone",
        /// An event that happened.
        Event = "event",
        /// Record of an agent.
        Agent = "agent",
        /// Record of a role.
        Role = "role",
        /// Record of a rig.
        Rig = "rig",
        /// A named group of beads.
        Convoy = "convoy",
        /// A submitted branch.
        MergeRequest = "merge-request",
        /// A resource that one worker at a time may hold.
        Slot = "slot",
    }
}

impl BeadType {
    /// Whether a worker can be assigned to a bead of this type. Epics can be worked on only on request.
    pub fn is_work(&self) -> bool {
        !matches!(
            self,
            Self::MergeRequest
                | Self::Gate
                | Self::Molecule
                | Self::Message
                | Self::Agent
                | Self::Role
                | Self::Rig
                | Self::Convoy
                | Self::Slot
                | Self::Event
                | Self::Epic
        )
    }
}

open_words! {
    /// Meaning of a dependency. The first five hold work back; all others only inform.
    DepType {
        /// The other bead must be closed first.
        Blocks = "blocks",
        /// The other bead is the parent; a child waits while its parent is held back.
        ParentChild = "parent-child",
        /// Waits until the other bead fails.
        ConditionalBlocks = "conditional-blocks",
        /// Waits for the children of the other bead.
        WaitsFor = "waits-for",
        /// Gas Town's older word for [`DepType::Blocks`].
        MergeBlocks = "merge-blocks",
        /// The other bead is a member of this convoy.
        Tracks = "tracks",
        /// The other bead is related.
        Related = "related",
        /// Found during work on the other bead.
        DiscoveredFrom = "discovered-from",
        /// Answers the other bead.
        RepliesTo = "replies-to",
        /// Relates to the other bead.
        RelatesTo = "relates-to",
        /// Is a duplicate of the other bead.
        Duplicates = "duplicates",
        /// Replaces the other bead.
        Supersedes = "supersedes",
        /// The other bead stands for the author.
        AuthoredBy = "authored-by",
        /// The other bead stands for the agent or person that must do this one.
        AssignedTo = "assigned-to",
        /// The other bead stands for the agent or person that approved this one.
        ApprovedBy = "approved-by",
        /// Vouches for the other bead.
        Attests = "attests",
        /// Applies until the other bead is closed. This only informs.
        Until = "until",
        /// Was caused by the other bead.
        CausedBy = "caused-by",
        /// Validates the other bead.
        Validates = "validates",
        /// Was delegated from the other bead.
        DelegatedFrom = "delegated-from",
    }
}

/// An edge from one bead to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The bead that depends.
    pub issue_id: BeadId,
    /// The bead that it depends on; need not exist.
    pub depends_on_id: BeadId,
    /// Meaning of the edge.
    pub kind: DepType,
    /// When the edge was created, as written in the file; absent in some old files.
    pub created_at: Option<String>,
    /// All other keys, unchanged: `created_by`, `metadata`, `thread_id` and unknown ones.
    pub rest: Rest,
}

/// A comment on a bead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Id as JSON: an integer or a string.
    pub id: String,
    /// Person or agent that wrote it.
    pub author: String,
    /// Text of the comment.
    pub text: String,
    /// When it was written, as in the file.
    pub created_at: String,
    /// All other keys, unchanged.
    pub rest: Rest,
}

/// Keys without a field of their own, each once, with the original JSON text of its value. Keys that the format knows come first,
/// in the format's order; the others follow in their original order.
pub type Rest = Vec<(String, String)>;

/// One record of the ledger. Fields that the engine decides by are typed; all others are in `rest`, unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bead {
    /// Id, unique in a town.
    pub id: BeadId,
    /// Title: one line.
    pub title: String,
    /// Work to do.
    pub description: String,
    /// Intended way to do it.
    pub design: String,
    /// Conditions under which it is done.
    pub acceptance_criteria: String,
    /// Notes made during the work.
    pub notes: String,
    /// State of the bead.
    pub status: Status,
    /// Priority from 0 (critical) to 4. Other numbers are kept.
    pub priority: i64,
    /// Type of the bead.
    pub issue_type: BeadType,
    /// Agent or person that holds it.
    pub assignee: Option<String>,
    /// When it was created.
    pub created_at: Stamp,
    /// Agent or person that created it.
    pub created_by: Option<String>,
    /// When it was last changed.
    pub updated_at: Stamp,
    /// When it was closed. In ledgers that gt writes, this is set exactly if the status is `closed`.
    pub closed_at: Option<Stamp>,
    /// Why it was closed.
    pub close_reason: Option<String>,
    /// Time before which it is not ready.
    pub defer_until: Option<Stamp>,
    /// Whether it stays in view. A pinned bead is never ready.
    pub pinned: bool,
    /// Whether it is a template for other beads. A template is never ready.
    pub is_template: bool,
    /// Whether it is temporary: it is not exported and will be deleted some day.
    pub ephemeral: bool,
    /// Labels in their original order.
    pub labels: Vec<String>,
    /// Edges from this bead, in their original order.
    pub dependencies: Vec<Dependency>,
    /// Comments in their original order.
    pub comments: Vec<Comment>,
    /// All other keys, unchanged.
    pub rest: Rest,
}

impl Bead {
    /// Creates an open task.
    pub fn new(id: BeadId, title: &str, now: Timestamp) -> Self {
        Self {
            id,
            title: title.to_owned(),
            description: String::new(),
            design: String::new(),
            acceptance_criteria: String::new(),
            notes: String::new(),
            status: Status::Open,
            priority: 2,
            issue_type: BeadType::Task,
            assignee: None,
            created_at: now.into(),
            created_by: None,
            updated_at: now.into(),
            closed_at: None,
            close_reason: None,
            defer_until: None,
            pinned: false,
            is_template: false,
            ephemeral: false,
            labels: Vec::new(),
            dependencies: Vec::new(),
            comments: Vec::new(),
            rest: Rest::new(),
        }
    }
}
