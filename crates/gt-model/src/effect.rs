//! Effects: actions on the outside world that the ledger has decided on.
//!
//! The transaction that decides on an effect records it. Afterwards the deacon, or the `gt` process of a person, runs it, and
//! retries it until it succeeds or is given up. The table in docs/design/effects.md says for each kind how to tell that it has
//! happened and how to undo it.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::id::{AttemptId, IncarnationId, MrId, RigName, Sha};

/// One action on the outside world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Effect {
    /// Fetch the trunk, and choose the commit that an attempt starts from.
    FetchBase {
        /// Attempt that starts.
        attempt: AttemptId,
    },
    /// Fetch the rig's remote.
    Fetch {
        /// Rig whose remote is fetched.
        rig: RigName,
    },
    /// Add an attempt's worktree on its branch.
    AddWorktree {
        /// Attempt that owns the worktree.
        attempt: AttemptId,
    },
    /// Run the rig's set-up commands in an attempt's worktree.
    SetUp {
        /// Attempt that owns the worktree.
        attempt: AttemptId,
    },
    /// Start an incarnation's session.
    StartSession {
        /// Incarnation to start.
        incarnation: IncarnationId,
    },
    /// End an incarnation's session.
    EndSession {
        /// Incarnation to end.
        incarnation: IncarnationId,
    },
    /// Snapshot an attempt's worktree while its worker works in it.
    Snapshot {
        /// Attempt that owns the worktree.
        attempt: AttemptId,
    },
    /// Snapshot an attempt's worktree and move it to the archive.
    ArchiveWorktree {
        /// Attempt that owns the worktree.
        attempt: AttemptId,
    },
    /// Pin a merge request's head with a ref.
    PinMr {
        /// Merge request to pin.
        mr: MrId,
    },
    /// Move the remote's trunk to a landing's commit.
    Land {
        /// Row id of the landing.
        landing: i64,
    },
    /// Delete an attempt's branch. Pinned refs stay.
    DropBranch {
        /// Attempt that owns the branch.
        attempt: AttemptId,
    },
    /// Check out the trunk in the mayor's reading worktree of a rig.
    ReadTrunk {
        /// Rig that the worktree belongs to.
        rig: RigName,
    },
    /// Add the worktree of a crew member's workspace.
    AddCrew {
        /// Address of the crew member.
        crew: Address,
    },
    /// Snapshot a crew member's workspace and move it to the archive.
    ArchiveCrew {
        /// Address of the crew member.
        crew: Address,
    },
    /// Undo a change of a rig's ref that neither the town nor its workers made: move the ref back to its known commit, or delete
    /// it.
    UndoRef {
        /// Rig that the ref belongs to.
        rig: RigName,
        /// Full name of the ref.
        name: String,
        /// Commit that the ref was found at.
        found: Option<Sha>,
        /// Commit that the ref should be at; `None` if it should not exist.
        to: Option<Sha>,
    },
}

impl Effect {
    /// Returns its name in tables, logs and fault points.
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

    /// Returns the attempt that the effect belongs to; `None` for effects of rigs, sessions and merge requests.
    pub fn attempt(&self) -> Option<AttemptId> {
        match self {
            Self::FetchBase { attempt }
            | Self::AddWorktree { attempt }
            | Self::SetUp { attempt }
            | Self::Snapshot { attempt }
            | Self::ArchiveWorktree { attempt }
            | Self::DropBranch { attempt } => Some(*attempt),
            _ => None,
        }
    }

    /// Describes the action for people.
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

    /// Names of all kinds, for tests that cover each.
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

/// Consequence of an effect's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// Try again after this much observed time.
    RetryAfter(std::time::Duration),
    /// Give up. A condition tells a person, who can start the effect again with a verb.
    GiveUp,
}

/// Number of tries before an effect is given up. With the pauses of [`after_failure`] they take about four minutes.
pub const EFFECT_TRIES: u32 = 8;

/// Longest pause between two tries, in seconds.
const LONGEST_PAUSE_S: u64 = 60;

/// Decides what follows the failure of try number `tries`: a retry after a pause, or giving up. Pauses start at one second and
/// double.
pub fn after_failure(tries: u32) -> AfterFailure {
    if tries >= EFFECT_TRIES {
        return AfterFailure::GiveUp;
    }
    AfterFailure::RetryAfter(pause_after(tries))
}

/// Returns the pause after `failures` failures in a row: 1, 2, 4 … 60 s.
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
