//! Three-way merges of whole trees.

use std::collections::BTreeSet;

use diffy::{ConflictStyle, IncompleteHunkStyle, MergeOptions};

use super::objects::{Blob, Tree};

/// Result of a merge of trees.
pub(super) enum Merged {
    Clean(Tree),
    Conflict(Vec<String>),
}

/// Rule for changes of the same lines on both sides.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Clash {
    /// Report a conflict.
    Report,
    /// Keep both sides' lines, ours first. Between "changed" and "deleted", keep the change.
    KeepBoth,
}

/// Applies to `ours` what `theirs` changed since `base`.
pub(super) fn merge_trees(base: &Tree, ours: &Tree, theirs: &Tree, clash: Clash) -> Merged {
    let mut merged = Tree::new();
    let mut conflicts = BTreeSet::new();
    let paths: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for path in paths {
        match merge_file(base.get(path), ours.get(path), theirs.get(path), clash) {
            Ok(Some(content)) => drop(merged.insert(path.clone(), content)),
            Ok(None) => {}
            Err(Conflict) => drop(conflicts.insert(path.clone())),
        }
    }
    conflicts.extend(files_used_as_folders(&merged));
    if conflicts.is_empty() { Merged::Clean(merged) } else { Merged::Conflict(conflicts.into_iter().collect()) }
}

/// Both sides changed the same lines.
struct Conflict;

/// Merges one file; `None` is a missing file.
fn merge_file(
    base: Option<&Blob>,
    ours: Option<&Blob>,
    theirs: Option<&Blob>,
    clash: Clash,
) -> Result<Option<Blob>, Conflict> {
    if ours == theirs || base == theirs {
        return Ok(ours.cloned());
    }
    if base == ours {
        return Ok(theirs.cloned());
    }
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => {
            let base = base.map(|base| &**base).unwrap_or_default();
            merge_lines(base, ours, theirs, clash).map(Some)
        }
        (kept, None) | (None, kept) if clash == Clash::KeepBoth => Ok(kept.cloned()),
        _ => Err(Conflict),
    }
}

/// Length of conflict markers. No real file has such long ones, so markers can be told from content.
const MARKER_LENGTH: usize = 61;

fn merge_lines(base: &[u8], ours: &[u8], theirs: &[u8], clash: Clash) -> Result<Blob, Conflict> {
    let mut options = MergeOptions::new();
    options
        .set_conflict_style(ConflictStyle::Merge)
        .set_conflict_marker_length(MARKER_LENGTH)
        .set_incomplete_hunk_style(IncompleteHunkStyle::Git);
    match (options.merge_bytes(base, ours, theirs), clash) {
        (Ok(merged), _) => Ok(merged.into()),
        (Err(marked), Clash::KeepBoth) => Ok(without_markers(&marked)),
        (Err(_), Clash::Report) => Err(Conflict),
    }
}

fn without_markers(marked: &[u8]) -> Blob {
    let markers = ["<", "=", ">"].map(|sign| sign.repeat(MARKER_LENGTH).into_bytes());
    let is_marker = |line: &&[u8]| markers.iter().any(|marker| line.starts_with(marker));
    let lines: Vec<&[u8]> = marked.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_marker(line)).collect();
    lines.concat().into()
}

/// Returns the files at paths that other files use as a folder.
fn files_used_as_folders(tree: &Tree) -> Vec<String> {
    let folders = tree.keys().flat_map(|path| path.match_indices('/').map(|(at, _)| &path[..at]));
    let clashes: BTreeSet<&str> = folders.filter(|folder| tree.contains_key(*folder)).collect();
    clashes.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        files.iter().map(|(path, text)| ((*path).to_owned(), Blob::from(text.as_bytes()))).collect()
    }

    type Case<'a> = &'a [(&'a str, &'a str)];

    #[track_caller]
    fn check(clash: Clash, base: Case, ours: Case, theirs: Case, expected: Result<Case, &[&str]>) {
        match (merge_trees(&tree(base), &tree(ours), &tree(theirs), clash), expected) {
            (Merged::Clean(merged), Ok(expected)) => assert_eq!(merged, tree(expected)),
            (Merged::Conflict(files), Err(expected)) => assert_eq!(files, expected),
            (Merged::Clean(_), Err(files)) => panic!("merged, but expected a conflict in {files:?}"),
            (Merged::Conflict(files), Ok(_)) => panic!("conflict in {files:?}"),
        }
    }

    #[test]
    fn what_does_not_touch_merges() {
        let base: Case = &[("a", "1\n2\n3\n"), ("gone", "x\n")];
        let report = Clash::Report;
        check(report, base, &[("a", "0\n2\n3\n"), ("gone", "x\n")], &[("a", "1\n2\n4\n")], Ok(&[("a", "0\n2\n4\n")]));
        check(report, &[], &[("a", "1\n")], &[("b", "2\n")], Ok(&[("a", "1\n"), ("b", "2\n")]));
        check(report, &[], &[("a", "1\n")], &[("a", "1\n")], Ok(&[("a", "1\n")]));
        check(report, base, &[], base, Ok(&[]));
    }

    #[test]
    fn what_touches_is_a_conflict() {
        let report = Clash::Report;
        check(report, &[("a", "1\n")], &[("a", "2\n")], &[("a", "3\n")], Err(&["a"]));
        check(report, &[], &[("a", "2\n"), ("b", "")], &[("a", "3\n")], Err(&["a"]));
        check(report, &[("a", "1\n")], &[("a", "2\n")], &[], Err(&["a"]));
        check(report, &[("a", "1\n")], &[], &[("a", "2\n")], Err(&["a"]));
        check(report, &[], &[("a/b/c", "2\n")], &[("a", "3\n")], Err(&["a"]));
    }

    #[test]
    fn union_keeps_both_sides_ours_first() {
        let union = Clash::KeepBoth;
        let base: Case = &[("a", "top\nend\n")];
        let (ours, theirs): (Case, Case) = (&[("a", "top\nours\nend\n")], &[("a", "top\ntheirs\nend\n")]);
        check(union, base, ours, theirs, Ok(&[("a", "top\nours\ntheirs\nend\n")]));
        check(union, &[], &[("a", "one")], &[("a", "two")], Ok(&[("a", "one\ntwo\n")]));
        check(union, &[("a", "1\n")], &[], &[("a", "2\n")], Ok(&[("a", "2\n")]));
        check(union, &[("a", "1\n")], &[("a", "2\n")], &[], Ok(&[("a", "2\n")]));
    }
}
