//! Settings of a rig's worktrees.

use std::path::PathBuf;

use gt_model::keep::Keep;
use serde::{Deserialize, Serialize};

use super::is_false;

/// Needs of a rig's new worktrees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorktreeSettings {
    /// Command line that the overseer wrote. `sh -c` runs it in each new worktree before the session starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
    /// Time limit of `setup` in seconds.
    pub setup_timeout_seconds: u64,
    /// Untracked files and folders that are copied from `from`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub copy: Vec<String>,
    /// Large untracked folders that are copied from `from`. The copies share disk blocks if the file system can.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clone: Vec<String>,
    /// The overseer's own checkout. It is the source of copies, and no gate may test it in place of the worktree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<PathBuf>,
    /// Whether submodules are checked out, recursively.
    #[serde(skip_serializing_if = "is_false")]
    pub submodules: bool,
    /// Whether the project stores large files with git-lfs.
    #[serde(skip_serializing_if = "is_false")]
    pub lfs: bool,
    /// Megabytes that must be free before a worktree is set up; 0: no check.
    pub min_free_disk_mb: u64,
    /// Folders that a build or install can recreate, such as `target`. New worktrees get a copy; archives omit them.
    #[serde(skip_serializing_if = "is_rebuildable_by_default")]
    pub rebuildable: Keep,
    /// Size limit in megabytes of the warm copy, from which new worktrees get their rebuildable folders; 0: no warm copy.
    #[serde(skip_serializing_if = "is_default_warm_limit")]
    pub warm_limit_mb: u64,
    /// Maximum number of concurrent set-ups in this rig.
    #[serde(skip_serializing_if = "is_default_at_once")]
    pub at_once: u32,
}

/// Default of `rebuildable`.
const REBUILDABLE: &[&str] = &["target", "node_modules", ".venv"];

fn default_rebuildable() -> Keep {
    let names = REBUILDABLE.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    // Each of them is a plain name, so `try_from` refuses none.
    Keep::try_from(names).unwrap_or_default()
}

fn is_rebuildable_by_default(rebuildable: &Keep) -> bool {
    *rebuildable == default_rebuildable()
}

/// Default of `warm_limit_mb`.
const WARM_LIMIT_MB: u64 = 4096;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_default_warm_limit(megabytes: &u64) -> bool {
    *megabytes == WARM_LIMIT_MB
}

/// Default of `at_once`.
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
    /// Whether a new worktree needs nothing.
    pub fn is_empty(&self) -> bool {
        let nothing_from_git = !self.submodules && !self.lfs;
        let nothing_copied = self.copy.is_empty() && self.clone.is_empty();
        let nothing_said = self.setup.is_none() && self.from.is_none();
        nothing_said && nothing_copied && nothing_from_git && self.min_free_disk_mb == 0
    }
}
