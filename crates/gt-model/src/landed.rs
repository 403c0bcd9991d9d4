//! Decides whether the commits of a branch are the work of an attempt. Defines the doubts about work that is not.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::id::Sha;

/// A commit of a branch that is not known from elsewhere, with the facts that tell who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchCommit {
    /// Id of the commit.
    pub commit: Sha,
    /// Name of its committer. A worker's git commits under the worker's address.
    pub committer: String,
    /// Number of its parents.
    pub parents: usize,
    /// Time when its author wrote it, in seconds since the epoch. A rebase preserves this time.
    pub authored_at: i64,
}

/// Maker of the commits of a branch that are not known from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A worker of the bead made at least one of them.
    Made,
    /// Their committer is no worker, and no record says where they were made.
    Unclear,
    /// There are none, or other workers or the town made them.
    Others,
}

impl Origin {
    /// Returns the word that the ledger stores.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Unclear => "unclear",
            Self::Others => "others",
        }
    }

    /// Reads the ledger's word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Made, Self::Unclear, Self::Others].into_iter().find(|origin| origin.as_str() == word)
    }
}

/// Name under which the town itself commits.
pub const TOWN: &str = "Gas Town";

/// Decides who made a branch's commits. `own` contains the addresses of the bead's workers. `made_here` contains the commits that
/// were made in the worktree according to its own record, because a worker's git may commit under another name.
pub fn origin(commits: &[BranchCommit], own: &[String], made_here: &BTreeSet<Sha>) -> Origin {
    let origins = commits.iter().map(|commit| {
        if own.contains(&commit.committer) || made_here.contains(&commit.commit) {
            Origin::Made
        } else if commit.committer == TOWN || Address::parse(&commit.committer).is_ok() {
            Origin::Others
        } else {
            Origin::Unclear
        }
    });
    origins.min_by_key(|origin| *origin as u8).unwrap_or(Origin::Others)
}

/// Why a merge request can't land as its bead's own work, so that a person must decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// Kind of doubt.
    pub kind: DoubtKind,
    /// Trunk commit that may already contain the work.
    pub by: Option<Sha>,
    /// Facts, in one line.
    pub why: String,
}

/// Kind of doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoubtKind {
    /// The merge request changes nothing.
    Empty,
    /// The trunk already has its changes, and gt can't tell whether they are the bead's own work.
    MaybeLanded,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_commit_of_its_own_is_enough() {
        let own = ["app/polecats/amber".to_owned(), "app/polecats/basalt".to_owned()];
        let check = |committers: &[&str], here: &[&str], expected: Origin| {
            let commit = |name: &&str| BranchCommit {
                commit: Sha::from(*name),
                committer: (*name).to_owned(),
                parents: 1,
                authored_at: 0,
            };
            let commits: Vec<BranchCommit> = committers.iter().map(commit).collect();
            let here = here.iter().map(|id| Sha::from(*id)).collect();
            assert_eq!(origin(&commits, &own, &here), expected, "{committers:?}");
        };
        check(&[], &[], Origin::Others);
        check(&["app/polecats/amber"], &[], Origin::Made);
        check(&["app/polecats/basalt"], &[], Origin::Made);
        check(&["app/polecats/cinder"], &[], Origin::Others);
        check(&["app/crew/max"], &[], Origin::Others);
        check(&[TOWN], &[], Origin::Others);
        check(&["Ann Author"], &[], Origin::Unclear);
        check(&["Ann Author"], &["Ann Author"], Origin::Made);
        check(&["app/polecats/cinder"], &["app/polecats/cinder"], Origin::Made);
        check(&["app/polecats/cinder", "Ann Author"], &[], Origin::Unclear);
        check(&["app/polecats/cinder", "Ann Author", "app/polecats/amber"], &[], Origin::Made);
    }

    #[test]
    fn the_ledgers_words_are_read_back() {
        for origin in [Origin::Made, Origin::Unclear, Origin::Others] {
            assert_eq!(Origin::parse(origin.as_str()), Some(origin));
        }
        assert_eq!(Origin::parse("mine"), None);
    }
}
