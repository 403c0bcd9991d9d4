//! Settings of a rig's worktrees.

use std::path::PathBuf;

use gt_model::keep::Keep;
use serde::{Deserialize, Serialize};

use super::is_false;

/// What a fresh worktree of a rig needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorktreeSettings {
    /// A command line of the overseer's, run by `sh -c` in each new worktree before its session starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
    /// Seconds that it may take.
    pub setup_timeout_seconds: u64,
    /// Files and folders that git does not hold, copied from `from`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub copy: Vec<String>,
    /// Large folders, copied likewise, sharing the disk's blocks where the file system can.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clone: Vec<String>,
    /// The overseer's own checkout: where they are copied from, and what no gate may test in the worktree's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<PathBuf>,
    /// Whether submodules are checked out, recursively.
    #[serde(skip_serializing_if = "is_false")]
    pub submodules: bool,
    /// Whether the project has large files that git-lfs holds.
    #[serde(skip_serializing_if = "is_false")]
    pub lfs: bool,
    /// Megabytes that must be free before a worktree is set up; 0: any.
    pub min_free_disk_mb: u64,
    /// Folders that a build or an install makes again, such as `target`: new worktrees get a copy, archives leave them out.
    #[serde(skip_serializing_if = "is_rebuildable_by_default")]
    pub rebuildable: Keep,
    /// Megabytes that a warm copy may have, from which fresh worktrees get what is rebuildable; 0: there is none.
    #[serde(skip_serializing_if = "is_default_warm_limit")]
    pub warm_limit_mb: u64,
    /// Set-ups of this rig that run at once.
    #[serde(skip_serializing_if = "is_default_at_once")]
    pub at_once: u32,
}

/// What `rebuildable` is where nobody says otherwise.
const REBUILDABLE: &[&str] = &["target", "node_modules", ".venv"];

fn default_rebuildable() -> Keep {
    let names = REBUILDABLE.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    // Each of them is a plain name, so that none is refused.
    Keep::try_from(names).unwrap_or_default()
}

fn is_rebuildable_by_default(rebuildable: &Keep) -> bool {
    *rebuildable == default_rebuildable()
}

/// What `warm_limit_mb` is where nobody says otherwise.
const WARM_LIMIT_MB: u64 = 4096;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_default_warm_limit(megabytes: &u64) -> bool {
    *megabytes == WARM_LIMIT_MB
}

/// What `at_once` is where nobody says otherwise.
const AT_ONCE: u32 = 2;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_default_at_once(set_ups: &u32) -> bool {
    *set_ups == AT_ONCE
}

impl Default for WorktreeSettings {
    fn default() -> Self {
        Self {
            setup: None,
            setup_timeout_seconds: 900,
            copy: Vec::new(),
            clone: Vec::new(),
            from: None,
            submodules: false,
            lfs: false,
            min_free_disk_mb: 0,
            rebuildable: default_rebuildable(),
            warm_limit_mb: WARM_LIMIT_MB,
            at_once: AT_ONCE,
        }
    }
}

impl WorktreeSettings {
    /// Whether anything is to be done at all.
    pub fn is_empty(&self) -> bool {
        let nothing_from_git = !self.submodules && !self.lfs;
        let nothing_copied = self.copy.is_empty() && self.clone.is_empty();
        let nothing_said = self.setup.is_none() && self.from.is_none();
        nothing_said && nothing_copied && nothing_from_git && self.min_free_disk_mb == 0
    }
}
