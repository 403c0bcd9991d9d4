//! Decides which file of the ledger's branch holds which beads.
//!
//! A short ledger has one file for each prefix. A longer one is split by the ids of its beads, so that a change of one bead adds
//! a small file to git and not the whole ledger. Git packs its objects only occasionally, and a remote packs when it likes.

use std::collections::BTreeMap;

use gt_model::id::{sha256_hex, slug};
use gt_model::jsonl::{self, Record};

/// Folder of the bead files.
const BEADS: &str = "beads/";

/// Suffix of the bead files.
const SUFFIX: &str = ".jsonl";

/// Target size of a part, in bytes.
const PART_BYTES: usize = 32 << 10;

/// Maximum depth of the folders of parts. Each level splits into sixteen.
const MAX_DEPTH: usize = 4;

/// Whether a file holds beads.
pub(super) fn is_beads_file(path: &str) -> bool {
    path.starts_with(BEADS) && path.ends_with(SUFFIX)
}

/// Returns the slug of the prefix that all beads in this file share.
pub(super) fn slug_of_file(path: &str) -> &str {
    let name = path.trim_start_matches(BEADS);
    name.split_once('/').map_or_else(|| name.trim_end_matches(SUFFIX), |(folder, _)| folder)
}

/// Whether this file may hold beads with this prefix.
pub(super) fn belongs(prefix: &str, path: &str) -> bool {
    is_beads_file(path) && slug_of_file(path) == slug(prefix)
}

/// Returns the files for the records of a prefix. The records are given in their order in the files. No file is empty.
pub(super) fn files(prefix: &str, records: &[Record]) -> BTreeMap<String, String> {
    let lines: Vec<String> = records.iter().map(|record| jsonl::write(std::slice::from_ref(record))).collect();
    let depth = depth(lines.iter().map(String::len).sum());
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for (record, line) in records.iter().zip(lines) {
        files.entry(file(prefix, record, depth)).or_default().push_str(&line);
    }
    files
}

/// Returns the folder depth of the parts for a text of so many bytes.
fn depth(bytes: usize) -> usize {
    (0..MAX_DEPTH).find(|depth| bytes.div_ceil(1 << (4 * depth)) <= PART_BYTES).unwrap_or(MAX_DEPTH)
}

/// Returns the file for a record: `beads/gt.jsonl`, `beads/gt/3.jsonl`, `beads/gt/3/f.jsonl` and so on.
fn file(prefix: &str, record: &Record, depth: usize) -> String {
    let key = match record {
        Record::Bead(bead) => bead.id.as_str(),
        Record::Other { line } => line,
    };
    let mut path = format!("{BEADS}{}", slug(prefix));
    for digit in sha256_hex(key).chars().take(depth) {
        path.push('/');
        path.push(digit);
    }
    path + SUFFIX
}

/// One side's texts of the files of a prefix, file by file.
pub(super) type Texts = Vec<(String, Vec<u8>)>;

#[cfg(test)]
mod tests {
    use super::*;

    fn beads(count: usize, text_bytes: usize) -> Vec<Record> {
        let line = |n| format!(r#"{{"id":"gt-{n:05}","title":"{}"}}"#, "x".repeat(text_bytes));
        (0..count).filter_map(|n| jsonl::parse_line(&line(n)).unwrap()).collect()
    }

    #[test]
    fn a_part_is_small_however_long_the_ledger_is() {
        for (count, text_bytes) in [(1, 10), (100, 100), (1000, 100), (3000, 1000), (200, 100_000)] {
            let records = beads(count, text_bytes);
            let files = files("gt", &records);
            let whole: usize = files.values().map(String::len).sum();
            assert_eq!(whole, jsonl::write(&records).len(), "every bead is in one file");
            let largest = files.values().map(String::len).max().unwrap();
            assert!(largest <= 2 * PART_BYTES + 3 * text_bytes, "{largest} of {whole} bytes");
            assert!(files.keys().all(|path| belongs("gt", path)), "{:?}", files.keys());
        }
    }

    #[test]
    fn the_depth_follows_the_length() {
        let table = [(0, 0), (PART_BYTES, 0), (PART_BYTES + 1, 1), (16 * PART_BYTES, 1), (usize::MAX, MAX_DEPTH)];
        for (bytes, expected) in table {
            assert_eq!(depth(bytes), expected, "{bytes}");
        }
    }

    #[test]
    fn a_path_names_its_prefix() {
        let table = [
            ("beads/gt.jsonl", "gt"),
            ("beads/gt/3.jsonl", "gt"),
            ("beads/gt/3/f.jsonl", "gt"),
            ("beads/a.b.jsonl", "a.b"),
        ];
        for (path, expected) in table {
            assert_eq!(slug_of_file(path), expected, "{path}");
            assert!(belongs(expected, path), "{path}");
        }
        for path in ["beads/gt", "towns/gt.jsonl", "beads/gt-1.jsonl"] {
            assert!(!belongs("gt", path), "{path}");
        }
    }

    #[test]
    fn a_short_ledger_is_one_file() {
        assert_eq!(files("gt", &beads(3, 10)).into_keys().collect::<Vec<_>>(), ["beads/gt.jsonl"]);
        assert!(files("gt", &[]).is_empty());
    }
}
