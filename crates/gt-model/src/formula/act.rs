//! Named acts of the engine: the closed set of words behind `gt:`.

use serde::{Deserialize, Serialize};

/// Defines the acts with their names. The documentation of an act is what `gt` and the reference say about it.
macro_rules! acts {
    ($(#[doc = $doc:literal] $variant:ident = $name:literal,)*) => {
        /// A named act of the engine. In a formula it is written `gt:<name>`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Act {
            $(#[doc = $doc] #[serde(rename = $name)] $variant,)*
        }

        impl Act {
            /// All acts.
            pub const ALL: &[Act] = &[$(Act::$variant,)*];

            /// Returns the name after `gt:`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Returns one sentence on what the act does or checks.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $doc.trim_ascii(),)*
                }
            }
        }
    };
}

acts! {
    /// Passes if the worktree is on the attempt's own branch.
    OwnBranch = "own-branch",
    /// Passes if the worktree has no uncommitted changes.
    Clean = "clean",
    /// Passes if the branch has commits that its base does not have.
    Commits = "commits",
    /// Passes if every gate of the rig passes in the worktree.
    Gates = "gates",
    /// Passes if the branch contains the trunk as it was last fetched.
    Rebased = "rebased",
}

impl Act {
    /// Returns the act with this name (without `gt:`).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|act| act.name() == name)
    }
}
