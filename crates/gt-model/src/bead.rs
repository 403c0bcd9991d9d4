//! A bead: one record of the ledger, in the words of the beads format.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::BeadId;

/// A point in time as it was written: the instant for comparing, the text for writing it back unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// RFC 3339 with any offset and up to nine digits of a second.
    pub text: String,
    /// The instant that `text` means.
    pub at: Timestamp,
}

impl Stamp {
    /// Reads an RFC 3339 text. The last day of all, which stands for `never` in some ledgers, lies beyond what jiff's
    /// instants reach; it counts as their end.
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

/// Defines an enum of known words plus `Other`, which keeps any unknown word as it came.
macro_rules! open_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
            /// A word that is not ours: kept and shown, never guessed at.
            Other(String),
        }

        impl $name {
            /// All words that are ours.
            pub const KNOWN: &'static [&'static str] = &[$($word,)*];

            /// The word in the JSONL format.
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
    /// What state a bead is in.
    Status {
        /// Waiting to be done.
        Open = "open",
        /// A worker's session is on it, or its merge request is in the queue.
        InProgress = "in_progress",
        /// Marked as blocked by a person; derived blocking needs no status.
        Blocked = "blocked",
        /// Put off until later.
        Deferred = "deferred",
        /// Done or given up; `closed_at` is set.
        Closed = "closed",
        /// Kept in view, never ready.
        Pinned = "pinned",
        /// Claimed for a worker whose session has not started yet.
        Hooked = "hooked",
        /// Deleted, kept for merges.
        Tombstone = "tombstone",
    }
}

open_words! {
    /// What kind of thing a bead is.
    BeadType {
        /// Something broken.
        Bug = "bug",
        /// Something new.
        Feature = "feature",
        /// Work of any kind; the default.
        Task = "task",
        /// A parent of other work.
        Epic = "epic",
        /// Upkeep.
        Chore = "chore",
        /// Something that was decided.
        Decision = "decision",
        /// Mail.
        Message = "message",
        /// A poured formula.
        Molecule = "molecule",
        /// Something that a step waits for.
        Gate = "gate",
        /// A question to be answered by trying.
        Spike = "spike",
        /// A user's story.
        Story = "story",
        /// A point on the way.
        Milestone = "milestone",
        /// Something that happened.
        Event = "event",
        /// An agent's own record.
        Agent = "agent",
        /// A role's own record.
        Role = "role",
        /// A rig's own record.
        Rig = "rig",
        /// A named bundle of beads.
        Convoy = "convoy",
        /// A submitted branch.
        MergeRequest = "merge-request",
        /// A place that one worker at a time may hold.
        Slot = "slot",
    }
}

impl BeadType {
    /// Whether a worker can be put on a bead of this type. Epics are work only on request.
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
    /// What a dependency means. The first four hold work back, all others only inform.
    DepType {
        /// The other bead must be closed first.
        Blocks = "blocks",
        /// The other bead is the parent; a child waits while its parent is held back.
        ParentChild = "parent-child",
        /// Waits until the other one fails.
        ConditionalBlocks = "conditional-blocks",
        /// Waits for the children of the other one.
        WaitsFor = "waits-for",
        /// Gas Town's older word for [`DepType::Blocks`].
        MergeBlocks = "merge-blocks",
        /// A convoy's member.
        Tracks = "tracks",
        /// See also.
        Related = "related",
        /// Found while working on the other one.
        DiscoveredFrom = "discovered-from",
        /// Answers the other one.
        RepliesTo = "replies-to",
        /// Has to do with the other one.
        RelatesTo = "relates-to",
        /// Says the same as the other one.
        Duplicates = "duplicates",
        /// Takes the place of the other one.
        Supersedes = "supersedes",
        /// Was written by the other one.
        AuthoredBy = "authored-by",
        /// Is the other one's to do.
        AssignedTo = "assigned-to",
        /// Was approved by the other one.
        ApprovedBy = "approved-by",
        /// Vouches for the other one.
        Attests = "attests",
        /// Holds until the other one is closed; says so only.
        Until = "until",
        /// Came about by the other one.
        CausedBy = "caused-by",
        /// Checks the other one.
        Validates = "validates",
        /// Was handed down by the other one.
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
    /// What the edge means.
    pub kind: DepType,
    /// When the edge was made, as it was written; absent in some old files.
    pub created_at: Option<String>,
    /// All other keys, as they came: `created_by`, `metadata`, `thread_id`, unknown ones.
    pub rest: Rest,
}

/// A remark on a bead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// The id as JSON (an integer or a string).
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// What it says.
    pub text: String,
    /// When, as it was written.
    pub created_at: String,
    /// All other keys, as they came.
    pub rest: Rest,
}

/// Keys that have no field of their own, each once, with its value as the JSON text that it came in: those that the
/// format knows in its order, then the others in the order they came.
pub type Rest = Vec<(String, String)>;

/// One record of the ledger. Fields that the engine decides by are typed; everything else is in `rest`, unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bead {
    /// Its id, unique in a town.
    pub id: BeadId,
    /// One line that says what it is.
    pub title: String,
    /// What is to be done.
    pub description: String,
    /// How it is to be done.
    pub design: String,
    /// When it is done.
    pub acceptance_criteria: String,
    /// What was found on the way.
    pub notes: String,
    /// Its state.
    pub status: Status,
    /// 0 (critical) to 4; other numbers are kept.
    pub priority: i64,
    /// Its kind.
    pub issue_type: BeadType,
    /// Who holds it.
    pub assignee: Option<String>,
    /// When it was made.
    pub created_at: Stamp,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it was last changed.
    pub updated_at: Stamp,
    /// When it was closed; set exactly when the status is `closed`, in ledgers that we write.
    pub closed_at: Option<Stamp>,
    /// Why it was closed.
    pub close_reason: Option<String>,
    /// Not ready before this time.
    pub defer_until: Option<Stamp>,
    /// Kept in view, never ready.
    pub pinned: bool,
    /// A pattern for other beads, never ready.
    pub is_template: bool,
    /// Not exported, and gone some day.
    pub ephemeral: bool,
    /// Labels in the order they came.
    pub labels: Vec<String>,
    /// Edges from this bead, in the order they came.
    pub dependencies: Vec<Dependency>,
    /// Remarks, in the order they came.
    pub comments: Vec<Comment>,
    /// All other keys, as they came.
    pub rest: Rest,
}

impl Bead {
    /// A new open task.
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
