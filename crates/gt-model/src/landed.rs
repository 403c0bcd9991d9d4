//! Decides whether what a branch has is the work of an attempt, and what is to be said of work that lands as nobody's.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::id::Sha;

/// A commit of a branch that was not known from elsewhere, with what tells who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchCommit {
    /// Its id.
    pub commit: Sha,
    /// The name of its committer: of what a worker's git commits, the worker's address.
    pub committer: String,
    /// Its parents.
    pub parents: usize,
    /// When its author says that it was written, in seconds since the epoch. A rebase keeps that.
    pub authored_at: i64,
}

/// Who made the commits that a branch has beyond what was known from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A worker of the bead made one at least.
    Made,
    /// They carry a name that is no worker's, and no record says where they were made.
    Unclear,
    /// There is none, or other workers or the town made them.
    Others,
}

impl Origin {
    /// The word in the ledger.
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

/// The name that the town itself commits under.
pub const TOWN: &str = "Gas Town";

/// Decides whose a branch's commits are. `own` are the addresses of the bead's workers, `made_here` what the worktree's own
/// record says was made in it: a worker's git may be told to commit under another name.
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

/// Why a merge request can't land as its bead's own work, so that a person has to decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// Which doubt.
    pub kind: DoubtKind,
    /// The commit of the trunk that may have the work.
    pub by: Option<Sha>,
    /// The facts, in one line.
    pub why: String,
}

/// What is doubted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoubtKind {
    /// It changes nothing at all.
    Empty,
    /// The trunk has what it changes, and it can't be told that this is the bead's own work.
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
