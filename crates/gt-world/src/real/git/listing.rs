//! The files of a tree, as git lists them, verified by the tree's own id.
//!
//! Git does not check a loose object's content when it reads one, and agents can write objects. So this module hashes git's list
//! again: only the tree with this id gives this id.

use std::collections::BTreeMap;
use std::ops::Bound;

use gt_model::id::{Sha, hex};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::Git;
use super::command::{Place, shown};
use super::refs::object;
use crate::{WorldError, WorldResult};

/// The mode with which a tree holds a repository inside the repository.
pub(super) const SUBMODULE: u32 = 0o160_000;

/// The mode of a symbolic link.
pub(super) const LINK: u32 = 0o120_000;

/// The modes of a file, and of an executable one.
pub(super) const FILE: u32 = 0o100_644;
pub(super) const PROGRAM: u32 = 0o100_755;

/// Limit on the nesting of trees.
const DEPTH_LIMIT: usize = 1000;

/// The hash function for a repository's object ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl Format {
    /// Returns the format of an id.
    pub(super) fn of(id: &Sha) -> Self {
        if id.as_str().len() == 64 { Self::Sha256 } else { Self::Sha1 }
    }

    /// Returns the id of an object.
    pub(super) fn id(self, kind: &str, content: &[u8]) -> Vec<u8> {
        let mut hash = Hash::begin(self, kind, content.len() as u64);
        hash.feed(content);
        hash.end()
    }
}

/// The hash of an object that is fed piece by piece.
pub(super) enum Hash {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hash {
    /// Begins with the header that git writes before an object's content.
    pub(super) fn begin(format: Format, kind: &str, length: u64) -> Self {
        let mut hash = match format {
            Format::Sha1 => Self::Sha1(Sha1::default()),
            Format::Sha256 => Self::Sha256(Sha256::default()),
        };
        hash.feed(format!("{kind} {length}\0").as_bytes());
        hash
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
        }
    }

    pub(super) fn end(self) -> Vec<u8> {
        match self {
            Self::Sha1(hash) => hash.finalize().to_vec(),
            Self::Sha256(hash) => hash.finalize().to_vec(),
        }
    }
}

/// One file of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The mode in the tree.
    pub(super) mode: u32,
    /// The object's id.
    pub(super) id: Vec<u8>,
}

impl Entry {
    /// Returns the mode that git would write today. Old trees may have other ones.
    pub(super) fn plain_mode(&self) -> u32 {
        match self.mode & 0o170_000 {
            0o100_000 if self.mode & 0o100 != 0 => PROGRAM,
            0o100_000 => FILE,
            _ => self.mode,
        }
    }
}

/// The entry of a tree at a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum At<'a> {
    /// A file, a link or a submodule.
    Entry(&'a Entry),
    /// A folder that holds such entries.
    Folder,
    /// Nothing.
    Nothing,
}

/// All files of a tree, by their paths.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    /// The tree's id.
    pub(super) tree: Sha,
    pub(super) format: Format,
    pub(super) entries: BTreeMap<Vec<u8>, Entry>,
}

impl Listing {
    /// Lists the files of a tree. An error where objects of the repository do not match their ids.
    pub(super) fn of(git: &Git, place: &Place, tree: &Sha) -> WorldResult<Self> {
        let answer = git.question(place, "ls-tree").args(["-r", "-z", "--full-tree", object(tree)?]).ok()?;
        let entries = answer.fields().map(entry).collect::<Option<BTreeMap<_, _>>>();
        let lies = || lies(git, place, tree);
        let mut listing = Self { tree: tree.clone(), format: Format::of(tree), entries: entries.ok_or_else(lies)? };
        if listing.tree_id() != *tree {
            // Some old tools wrote modes in another form, which gives the tree another id.
            listing.entries.clear();
            listing.read(git, place, tree, b"", DEPTH_LIMIT)?;
        }
        if listing.entries.keys().all(|path| is_inside(path)) { Ok(listing) } else { Err(lies()) }
    }

    /// Lists the files of a commit's tree, in the same way.
    pub(super) fn of_commit(git: &Git, place: &Place, commit: &Sha) -> WorldResult<Self> {
        let content = git.question(place, "cat-file").args(["commit", object(commit)?]).ok()?.stdout;
        let id = Format::of(commit).id("commit", &content);
        let text = shown(&content);
        let tree = text.lines().next().and_then(|line| line.strip_prefix("tree ")).map(Sha::from);
        match tree {
            Some(tree) if hex(&id) == commit.as_str() => Self::of(git, place, &tree),
            _ => Err(lies(git, place, commit)),
        }
    }

    /// Reads a tree object by object.
    fn read(&mut self, git: &Git, place: &Place, tree: &Sha, above: &[u8], depth: usize) -> WorldResult<()> {
        let content = git.question(place, "cat-file").args(["tree", object(tree)?]).ok()?.stdout;
        let parts = parts(&content, self.format);
        let (true, Some(parts)) = (hex(&self.format.id("tree", &content)) == tree.as_str() && depth > 0, parts) else {
            return Err(lies(git, place, tree));
        };
        for (mode, name, id) in parts {
            let path = joined(above, name);
            if mode == 0o40_000 {
                self.read(git, place, &Sha::from(hex(id)), &path, depth - 1)?;
            } else {
                self.entries.insert(path, Entry { mode, id: id.to_vec() });
            }
        }
        Ok(())
    }

    /// Returns the id of the tree that these files make.
    pub(super) fn tree_id(&self) -> Sha {
        let entries: Vec<_> = self.entries.iter().collect();
        Sha::from(hex(&tree_id(&entries, 0, self.format)))
    }

    /// Returns the entry of the tree at a path.
    pub(super) fn at(&self, path: &[u8]) -> At<'_> {
        if let Some(entry) = self.entries.get(path) {
            return At::Entry(entry);
        }
        let below = joined(path, b"");
        let next = self.entries.range::<[u8], _>((Bound::Excluded(&below[..]), Bound::Unbounded)).next();
        if next.is_some_and(|(path, _)| path.starts_with(&below)) { At::Folder } else { At::Nothing }
    }
}

fn lies(git: &Git, place: &Place, id: &Sha) -> WorldError {
    let text = format!("the object {id} does not match its id: it is damaged, or a program has changed it");
    git.question(place, "ls-tree").failed(text)
}

/// Returns the path with a name appended.
pub(super) fn joined(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() }
}

/// Parses `<mode> <kind> <id>`, a tab, and the path.
fn entry(field: &[u8]) -> Option<(Vec<u8>, Entry)> {
    let tab = field.iter().position(|byte| *byte == b'\t')?;
    let facts = std::str::from_utf8(&field[..tab]).ok()?;
    let mut facts = facts.split(' ');
    let mode = u32::from_str_radix(facts.next()?, 8).ok()?;
    let id = bytes_of(facts.nth(1)?)?;
    Some((field[tab + 1..].to_vec(), Entry { mode, id }))
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// An entry of a tree object: mode, name, and the id's bytes.
type Part<'c> = (u32, &'c [u8], &'c [u8]);

/// Parses the entries of a tree object: each is `<mode> <name>`, a NUL, and the id's bytes.
fn parts(content: &[u8], format: Format) -> Option<Vec<Part<'_>>> {
    let length = if format == Format::Sha1 { 20 } else { 32 };
    let (mut rest, mut parts) = (content, Vec::new());
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == 0)?;
        let blank = rest[..end].iter().position(|byte| *byte == b' ')?;
        let mode = u32::from_str_radix(std::str::from_utf8(&rest[..blank]).ok()?, 8).ok()?;
        let id = rest.get(end + 1..end + 1 + length)?;
        parts.push((mode, &rest[blank + 1..end], id));
        rest = &rest[end + 1 + length..];
    }
    Some(parts)
}

/// Whether a path stays inside the worktree and outside git's own folder.
fn is_inside(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').all(|name| ![&b""[..], b".", b"..", b".git"].contains(&name))
}

/// Returns the id of the tree of entries that share the first `from` bytes of their paths. The entries are sorted by path, so
/// those of one folder are adjacent, in git's own order.
fn tree_id(entries: &[(&Vec<u8>, &Entry)], from: usize, format: Format) -> Vec<u8> {
    let (mut content, mut rest) = (Vec::new(), entries);
    let mut add = |mode: u32, name: &[u8], id: &[u8]| {
        content.extend_from_slice(format!("{mode:o} ").as_bytes());
        content.extend_from_slice(name);
        content.push(0);
        content.extend_from_slice(id);
    };
    while let Some((path, entry)) = rest.first() {
        let name = &path[from..];
        let Some(end) = name.iter().position(|byte| *byte == b'/') else {
            add(entry.mode, name, &entry.id);
            rest = &rest[1..];
            continue;
        };
        let folder = &path[..from + end + 1];
        let (inside, others) = rest.split_at(rest.iter().take_while(|(path, _)| path.starts_with(folder)).count());
        add(0o40_000, &name[..end], &tree_id(inside, folder.len(), format));
        rest = others;
    }
    format.id("tree", &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_elsewhere_are_no_files_of_a_tree() {
        for (path, expected) in
            [("a/b", true), ("a/..b", true), ("../a", false), ("a/../b", false), ("a/.git/b", false), ("a//b", false)]
        {
            assert_eq!(is_inside(path.as_bytes()), expected, "{path}");
        }
    }

    #[test]
    fn folders_are_told_from_files_with_a_like_name() {
        let entry = Entry { mode: FILE, id: vec![0; 20] };
        let names = ["a.b", "a/x", "ab"].map(|name| (name.as_bytes().to_vec(), entry.clone()));
        let listing = Listing { tree: "".into(), format: Format::Sha1, entries: BTreeMap::from(names) };
        assert!(matches!(listing.at(b"a"), At::Folder));
        assert!(matches!(listing.at(b"a/x"), At::Entry(_)));
        assert!(matches!(listing.at(b"a."), At::Nothing) && matches!(listing.at(b"a/"), At::Nothing));
    }
}
