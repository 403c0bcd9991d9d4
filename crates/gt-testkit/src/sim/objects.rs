//! Commits and trees, addressed by their content.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gt_model::id::{Sha, hex};
use sha2::{Digest, Sha256};

/// Contents of a file.
pub(super) type Blob = Arc<[u8]>;
/// A whole tree, as a flat map.
pub(super) type Tree = BTreeMap<String, Blob>;

/// Number of digits of an object's id, as many as git prints.
const ID_DIGITS: usize = 40;

/// Author of a commit, with the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Name.
    pub name: String,
    /// Mail address.
    pub mail: String,
    /// The time, in seconds since the epoch.
    pub seconds: i64,
}

/// Facts of a commit, for tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitFacts {
    /// Its id.
    pub id: Sha,
    /// Its parents.
    pub parents: Vec<Sha>,
    /// Its author.
    pub author: Author,
    /// Its message.
    pub message: String,
}

/// A commit.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) parents: Vec<Sha>,
    pub(super) tree: Sha,
    pub(super) author: Author,
    pub(super) message: String,
}

/// All objects of all repositories. Each repository itself knows which commits it has.
#[derive(Default)]
pub(super) struct Objects {
    blobs: BTreeMap<Sha, Blob>,
    trees: BTreeMap<Sha, Arc<Tree>>,
    commits: BTreeMap<Sha, Arc<Commit>>,
}

impl Objects {
    /// Adds a file's content, so that its id is known.
    pub(super) fn add_blob(&mut self, content: &Blob) -> Sha {
        let mut hash = Sha256::new();
        feed(&mut hash, b"blob");
        feed(&mut hash, content);
        let id = finish(hash);
        self.blobs.entry(id.clone()).or_insert_with(|| content.clone());
        id
    }

    pub(super) fn blob(&self, id: &Sha) -> Option<Blob> {
        self.blobs.get(id).cloned()
    }

    pub(super) fn add_tree(&mut self, tree: Tree) -> Sha {
        let id = tree_id(&tree);
        self.trees.entry(id.clone()).or_insert_with(|| Arc::new(tree));
        id
    }

    pub(super) fn add_commit(&mut self, commit: Commit) -> Sha {
        let id = commit_id(&commit);
        self.commits.entry(id.clone()).or_insert_with(|| Arc::new(commit));
        id
    }

    /// Adds a tree and a commit of it.
    pub(super) fn add(&mut self, tree: Tree, parents: Vec<Sha>, author: Author, message: &str) -> Sha {
        let tree = self.add_tree(tree);
        self.add_commit(Commit { parents, tree, author, message: message.to_owned() })
    }

    pub(super) fn commit(&self, id: &Sha) -> Option<&Arc<Commit>> {
        self.commits.get(id)
    }

    /// Returns the files of a commit; an empty tree for an unknown commit.
    pub(super) fn files_of(&self, commit: &Sha) -> Arc<Tree> {
        self.commit(commit).and_then(|commit| self.trees.get(&commit.tree)).cloned().unwrap_or_default()
    }

    /// Returns the files of a tree.
    pub(super) fn tree(&self, id: &Sha) -> Option<&Arc<Tree>> {
        self.trees.get(id)
    }

    /// Returns a commit and all its ancestors.
    pub(super) fn history(&self, head: &Sha) -> BTreeSet<Sha> {
        let mut seen = BTreeSet::new();
        let mut open = vec![head];
        while let Some(id) = open.pop() {
            if let Some(commit) = self.commits.get(id)
                && seen.insert(id.clone())
            {
                open.extend(&commit.parents);
            }
        }
        seen
    }

    /// Returns the nearest common ancestor. If there are several (criss-cross merges), it is always the same one.
    pub(super) fn merge_base(&self, one: &Sha, other: &Sha) -> Option<Sha> {
        let theirs = self.history(other);
        let common: BTreeSet<Sha> = self.history(one).into_iter().filter(|id| theirs.contains(id)).collect();
        let farther: BTreeSet<&Sha> = common.iter().flat_map(|id| self.parents(id)).collect();
        common.iter().find(|id| !farther.contains(id)).cloned()
    }

    /// Returns the commits that `head` has and `base` lacks, parents first.
    pub(super) fn since(&self, base: &Sha, head: &Sha) -> Vec<Sha> {
        let mut done = self.history(base);
        let mut order = Vec::new();
        let mut open = vec![(head, false)];
        while let Some((id, parents_done)) = open.pop() {
            if parents_done {
                order.push(id.clone());
            } else if done.insert(id.clone()) {
                open.push((id, true));
                open.extend(self.parents(id).iter().rev().map(|parent| (parent, false)));
            }
        }
        order
    }

    pub(super) fn facts(&self, id: &Sha) -> Option<CommitFacts> {
        let commit = self.commits.get(id)?;
        Some(CommitFacts {
            id: id.clone(),
            parents: commit.parents.clone(),
            author: commit.author.clone(),
            message: commit.message.clone(),
        })
    }

    fn parents(&self, id: &Sha) -> &[Sha] {
        self.commits.get(id).map(|commit| commit.parents.as_slice()).unwrap_or_default()
    }
}

pub(super) fn tree_id(tree: &Tree) -> Sha {
    let mut hash = Sha256::new();
    for (path, content) in tree {
        feed(&mut hash, path.as_bytes());
        feed(&mut hash, content);
    }
    finish(hash)
}

fn commit_id(commit: &Commit) -> Sha {
    let mut hash = Sha256::new();
    feed(&mut hash, commit.tree.0.as_bytes());
    for parent in &commit.parents {
        feed(&mut hash, parent.0.as_bytes());
    }
    let Author { name, mail, seconds } = &commit.author;
    for field in [name, mail, &seconds.to_string(), &commit.message] {
        feed(&mut hash, field.as_bytes());
    }
    finish(hash)
}

/// Hashes a field with its length, so that two different lists of fields never give the same input.
fn feed(hash: &mut Sha256, field: &[u8]) {
    hash.update(field.len().to_le_bytes());
    hash.update(field);
}

fn finish(hash: Sha256) -> Sha {
    let mut digits = hex(&hash.finalize());
    digits.truncate(ID_DIGITS);
    Sha(digits)
}
