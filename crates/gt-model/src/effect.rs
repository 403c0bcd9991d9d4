//! Effects: acts on the outside world that the ledger has decided.
//!
//! An effect is recorded in the transaction that decides it and is run afterwards, by the deacon or a person's `gt`,
//! as often as it takes. How to tell that one has happened, and how it is undone, is the table in docs/design/effects.md.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::id::{AttemptId, IncarnationId, MrId, RigName, Sha};

/// One act on the outside world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Effect {
    /// Fetch the trunk and settle on which commit an attempt is based.
    FetchBase {
        /// For whom.
        attempt: AttemptId,
    },
    /// Fetch the rig's remote.
    Fetch {
        /// Which rig.
        rig: RigName,
    },
    /// Add an attempt's worktree on its branch.
    AddWorktree {
        /// Whose.
        attempt: AttemptId,
    },
    /// Set an attempt's worktree up as the rig says.
    SetUp {
        /// Whose.
        attempt: AttemptId,
    },
    /// Start an incarnation's session.
    StartSession {
        /// Whose.
        incarnation: IncarnationId,
    },
    /// End an incarnation's session.
    EndSession {
        /// Whose.
        incarnation: IncarnationId,
    },
    /// Snapshot an attempt's worktree while it is worked in.
    Snapshot {
        /// Whose.
        attempt: AttemptId,
    },
    /// Snapshot an attempt's worktree and move it into the archive.
    ArchiveWorktree {
        /// Whose.
        attempt: AttemptId,
    },
    /// Pin a merge request's head by a ref of ours.
    PinMr {
        /// Which.
        mr: MrId,
    },
    /// Move the remote's trunk to a landing's commit.
    Land {
        /// The landing's row id.
        landing: i64,
    },
    /// Delete an attempt's branch; the pinned refs stay.
    DropBranch {
        /// Whose.
        attempt: AttemptId,
    },
    /// Put the mayor's reading worktree of a rig at the trunk.
    ReadTrunk {
        /// Which rig.
        rig: RigName,
    },
    /// Add the worktree of a crew member's workspace.
    AddCrew {
        /// Whose.
        crew: Address,
    },
    /// Snapshot a crew member's workspace and move it into the archive.
    ArchiveCrew {
        /// Whose.
        crew: Address,
    },
    /// Put a ref of the rig back to where we know it was (or remove it), since somebody else moved it.
    UndoRef {
        /// Which rig.
        rig: RigName,
        /// The ref's full name.
        name: String,
        /// Where it was found.
        found: Option<Sha>,
        /// Where it belongs; `None`: it does not belong at all.
        to: Option<Sha>,
    },
}

impl Effect {
    /// Its name in tables, logs and fault points.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::FetchBase { .. } => "fetch-base",
            Self::Fetch { .. } => "fetch",
            Self::AddWorktree { .. } => "add-worktree",
            Self::SetUp { .. } => "set-up",
            Self::StartSession { .. } => "start-session",
            Self::EndSession { .. } => "end-session",
            Self::Snapshot { .. } => "snapshot",
            Self::ArchiveWorktree { .. } => "archive-worktree",
            Self::PinMr { .. } => "pin-mr",
            Self::Land { .. } => "land",
            Self::DropBranch { .. } => "drop-branch",
            Self::ReadTrunk { .. } => "read-trunk",
            Self::AddCrew { .. } => "add-crew",
            Self::ArchiveCrew { .. } => "archive-crew",
            Self::UndoRef { .. } => "undo-ref",
        }
    }

    /// What is to be done, in words.
    pub fn words(&self) -> &'static str {
        match self {
            Self::FetchBase { .. } => "fetch the trunk to start from",
            Self::Fetch { .. } => "fetch the remote",
            Self::AddWorktree { .. } => "make the worktree",
            Self::SetUp { .. } => "set up the worktree",
            Self::StartSession { .. } => "start the session",
            Self::EndSession { .. } => "end the session",
            Self::Snapshot { .. } => "take a snapshot",
            Self::ArchiveWorktree { .. } => "put the worktree into the archive",
            Self::PinMr { .. } => "keep what was submitted",
            Self::Land { .. } => "land on the trunk",
            Self::DropBranch { .. } => "delete the worker's branch",
            Self::ReadTrunk { .. } => "put the mayor's worktree at the trunk",
            Self::AddCrew { .. } => "make the workspace",
            Self::ArchiveCrew { .. } => "put the workspace into the archive",
            Self::UndoRef { .. } => "put a ref back",
        }
    }

    /// Every kind, for tests that go through all of them.
    pub const KINDS: &'static [&'static str] = &[
        "fetch-base",
        "fetch",
        "add-worktree",
        "set-up",
        "start-session",
        "end-session",
        "snapshot",
        "archive-worktree",
        "pin-mr",
        "land",
        "drop-branch",
        "read-trunk",
        "add-crew",
        "archive-crew",
        "undo-ref",
    ];
}

/// What becomes of an effect that failed for the `tries`-th time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// Try again when this much time was observed to pass.
    RetryAfter(std::time::Duration),
    /// Give up: a condition tells a person, and a verb starts it over.
    GiveUp,
}

/// Tries before an effect is given up: with the pauses of [`after_failure`], about four minutes.
pub const EFFECT_TRIES: u32 = 8;

/// Longest pause between two tries, in seconds.
const LONGEST_PAUSE_S: u64 = 60;

/// Decides what follows a failure: doubling pauses from one second, then an end that a person sees.
pub fn after_failure(tries: u32) -> AfterFailure {
    if tries >= EFFECT_TRIES {
        return AfterFailure::GiveUp;
    }
    AfterFailure::RetryAfter(pause_after(tries))
}

/// The pause after so many failures in a row: 1, 2, 4 … 60 s.
pub fn pause_after(failures: u32) -> std::time::Duration {
    let seconds = 2_u64.saturating_pow(failures.saturating_sub(1)).min(LONGEST_PAUSE_S);
    std::time::Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_then_end() {
        let pauses: Vec<AfterFailure> = (1..=EFFECT_TRIES).map(after_failure).collect();
        assert_eq!(pauses[0], AfterFailure::RetryAfter(std::time::Duration::from_secs(1)));
        assert_eq!(pauses[6], AfterFailure::RetryAfter(std::time::Duration::from_mins(1)));
        assert_eq!(pauses[7], AfterFailure::GiveUp);
        assert_eq!(pause_after(u32::MAX), std::time::Duration::from_mins(1));
    }
}
