//! Reads git's output about changes: the list of files, then the patch.

use gt_model::id::Sha;
use gt_model::kept::{Entry, FileChange, Hunk};

use super::command::shown;

/// Options that make git print what [`read`] can read.
pub(super) const OPTIONS: &[&str] = &[
    "-r",
    "-M",
    "-z",
    "--raw",
    "--patch",
    "-U0",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--full-index",
    "--abbrev=64",
    "--submodule=short",
    "--src-prefix=a/",
    "--dst-prefix=b/",
];

/// Beginning of the part of a patch that is about one file.
const SECTION: &[u8] = b"diff --git ";

/// The digits of a mode that tell the kind of an entry.
const KIND: std::ops::Range<usize> = 0..2;

/// The kind of an ordinary file, which has lines.
const FILE: &str = "10";

/// Reads the list and the patch. If they do not match (a file's name may look like a patch), no file gets lines.
pub(super) fn read(output: &[u8]) -> Vec<FileChange> {
    let (mut changes, patch) = records(output);
    let sections = sections(patch);
    let expected: usize = changes.iter().map(sections_of).sum();
    if sections.len() != expected {
        return changes;
    }
    let mut sections = sections.into_iter();
    for change in &mut changes {
        let of_it: Vec<_> = sections.by_ref().take(sections_of(change)).collect();
        if let [section] = of_it.as_slice()
            && has_lines(change)
        {
            change.hunks = hunks(section);
        }
    }
    changes
}

/// Reads the list alone.
pub(super) fn records(mut output: &[u8]) -> (Vec<FileChange>, &[u8]) {
    let mut changes = Vec::new();
    while let Some(rest) = output.strip_prefix(b":") {
        let Some((change, rest)) = record(rest) else { break };
        changes.push(change);
        output = rest;
    }
    (changes, output.strip_prefix(b"\0").unwrap_or(output))
}

/// Reads one record: `100644 100644 <old> <new> M`, a NUL, a path, a NUL; a rename has two paths.
fn record(text: &[u8]) -> Option<(FileChange, &[u8])> {
    let (head, rest) = field(text)?;
    let head = shown(head);
    let mut parts = head.split(' ');
    let (old_mode, new_mode) = (parts.next()?, parts.next()?);
    let (old, new, status) = (parts.next()?, parts.next()?, parts.next()?);
    let (first, rest) = field(rest)?;
    let (second, rest) = if status.starts_with(['R', 'C']) { field(rest)? } else { (first, rest) };
    let change = FileChange {
        path: shown(second),
        from: shown(first),
        old: entry(old_mode, old),
        new: entry(new_mode, new),
        hunks: None,
    };
    Some((change, rest))
}

fn field(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| *byte == 0)?;
    Some((&text[..end], &text[end + 1..]))
}

/// Returns the entry of a mode and an id. A mode of zeros means that there is none.
fn entry(mode: &str, id: &str) -> Option<Entry> {
    let there = mode.bytes().any(|digit| digit != b'0');
    there.then(|| Entry { mode: mode.to_owned(), id: Sha::from(id) })
}

fn kind(entry: &Option<Entry>) -> Option<&str> {
    entry.as_ref()?.mode.get(KIND)
}

/// Returns the number of parts in the patch of a change. A change of an entry's kind has two: the end of the old and the
/// beginning of the new one.
fn sections_of(change: &FileChange) -> usize {
    match (kind(&change.old), kind(&change.new)) {
        (Some(old), Some(new)) if old != new => 2,
        _ => 1,
    }
}

fn has_lines(change: &FileChange) -> bool {
    [&change.old, &change.new].into_iter().filter_map(kind).all(|kind| kind == FILE)
}

/// Returns the parts of a patch, each as its lines.
fn sections(patch: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut sections: Vec<Vec<&[u8]>> = Vec::new();
    for line in patch.split(|byte| *byte == b'\n') {
        match sections.last_mut() {
            _ if line.starts_with(SECTION) => sections.push(Vec::new()),
            Some(section) => section.push(line),
            None => {}
        }
    }
    sections
}

/// Returns the hunks of one part; `None` if git shows no lines.
fn hunks(section: &[&[u8]]) -> Option<Vec<Hunk>> {
    let mut hunks: Vec<Hunk> = Vec::new();
    for line in section {
        if line.starts_with(b"@@ ") {
            hunks.push(Hunk { line: first_line(&shown(line))?, added: Vec::new(), removed: Vec::new() });
        } else if let Some(hunk) = hunks.last_mut() {
            match line.split_first() {
                Some((b'+', text)) => hunk.added.push(shown(text)),
                Some((b'-', text)) => hunk.removed.push(shown(text)),
                _ => {}
            }
        } else if line.starts_with(b"Binary files ") {
            return None;
        }
    }
    Some(hunks)
}

/// Returns the first new line number of `@@ -1,2 +3,4 @@`.
fn first_line(header: &str) -> Option<u32> {
    let new = header.split(' ').find_map(|part| part.strip_prefix('+'))?;
    new.split(',').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_looks_like_a_patch_costs_its_file_the_lines_and_no_other_its_place() {
        let list = ":100644 100644 a b M\0x\0:100644 100644 c d M\0y\0\0";
        let patch = "diff --git a/x b/x\nindex\n@@ -1 +2 @@ f()\n-one\n+diff --git a/q b/q\n\\ No newline\n\
                     diff --git a/y b/y\nBinary files a/y and b/y differ\n";
        let changes = read(format!("{list}{patch}").as_bytes());
        let hunk = Hunk { line: 2, added: vec!["diff --git a/q b/q".into()], removed: vec!["one".into()] };
        assert_eq!(changes.iter().map(|c| c.hunks.clone()).collect::<Vec<_>>(), [Some(vec![hunk]), None]);
        let forged = patch.replace("index", "diff --git a/x b/x");
        let changes = read(format!("{list}{forged}").as_bytes());
        assert!(changes.iter().all(|change| change.hunks.is_none()) && changes.len() == 2);
        assert!(read(b"").is_empty() && read(b":broken").is_empty());
    }
}
