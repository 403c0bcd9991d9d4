//! A long ledger in git consists of many small files, so that the size of a sync depends on the size of the change.

use std::path::Path;

use crate::sync::{Meeting, beads, sync};
use crate::town::{Town, write};

/// Exit code of a refusal.
const REFUSED: i32 = 4;

/// Number of beads of the long ledger; with [`TEXT_BYTES`] each it has about 300 KB.
const BEADS: usize = 300;

/// Length of each bead's text, in bytes.
const TEXT_BYTES: usize = 900;

fn id(number: usize) -> String {
    format!("hq-x{number:04}")
}

/// Returns a text that does not compress well.
fn noise(seed: usize) -> String {
    (0..TEXT_BYTES / 9).map(|n| format!("{:08x} ", (seed * 7919 + n + 1).wrapping_mul(2_654_435_761) as u32)).collect()
}

/// Creates a town with a long ledger.
fn long_town() -> Town {
    let town = Town::empty();
    let line = |number: usize| {
        format!(
            r#"{{"id":"{}","title":"Bead {number}","description":"{}","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}}"#,
            id(number),
            noise(number)
        )
    };
    let text: String = (0..BEADS).map(|number| line(number) + "\n").collect();
    let file = town.folder().join("long.jsonl");
    write(&file, text);
    town.ok(&["bead", "import", &file.display().to_string()]);
    town
}

/// Returns the files of beads on the branch.
fn files(at: &Meeting) -> Vec<String> {
    at.git(&["ls-tree", "-r", "--name-only", "gt-ledger", "beads/"]).lines().map(str::to_owned).collect()
}

/// Returns the size of a folder's files, in bytes.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().unwrap().len() }).sum()
}

#[test]
fn a_sync_adds_data_in_proportion_to_the_change() {
    let at = Meeting::new();
    let (one, other) = (long_town(), Town::empty());
    sync(&one, &at);
    assert_eq!(files(&at).len(), 16, "{:?}", files(&at));
    let pulled = sync(&other, &at);
    assert_eq!(pulled["pulled"]["added"].as_array().unwrap().len(), BEADS);
    assert_eq!(beads(&one), beads(&other));

    let (before, of_town) = (size(&at.repo()), size(&one.root().join(".git")));
    for round in 0..10 {
        one.ok(&["bead", "update", &id(round), "--notes", "Changed here."]);
        assert_eq!(sync(&one, &at)["sent"], 1);
    }
    let changed = at.git(&["diff", "--name-only", "gt-ledger~1", "gt-ledger", "--", "beads/"]);
    assert_eq!(changed.lines().count(), 1, "{changed}");
    let whole = beads(&one).len() as u64;
    for added in [size(&at.repo()) - before, size(&one.root().join(".git")) - of_town] {
        assert!(added < whole, "ten syncs added {added} bytes to git, the ledger has {whole}");
    }

    other.ok(&["bead", "update", &id(0), "--title", "Changed there"]);
    sync(&other, &at);
    sync(&one, &at);
    assert_eq!(beads(&one), beads(&other));
    for said in ["Changed here.", "Changed there"] {
        assert!(beads(&other).contains(said), "{said}");
    }
}

#[test]
fn a_branch_with_a_long_ledger_in_one_file_is_merged_and_split() {
    let at = Meeting::new();
    let (one, other) = (long_town(), Town::empty());
    sync(&one, &at);
    at.overwrite("beads/hq.jsonl", &beads(&one));
    for digit in "0123456789abcdef".chars() {
        at.remove(&format!("beads/hq/{digit}.jsonl"));
    }
    at.overwrite("VERSION", "1\n");
    assert_eq!(files(&at), ["beads/hq.jsonl"]);

    sync(&other, &at);
    assert_eq!(beads(&one), beads(&other));
    assert_eq!(files(&at).len(), 16);
    one.ok(&["bead", "update", &id(7), "--title", "Changed meanwhile"]);
    sync(&one, &at);
    sync(&other, &at);
    assert_eq!(beads(&one), beads(&other));
    assert!(beads(&other).contains("Changed meanwhile"));
}

#[test]
fn a_missing_part_or_one_with_misplaced_beads_loses_nothing() {
    let at = Meeting::new();
    let (one, other) = (long_town(), Town::empty());
    sync(&one, &at);
    sync(&other, &at);
    let whole = beads(&other);

    at.remove("beads/hq/3.jsonl");
    let pulled = sync(&other, &at);
    assert_eq!(pulled["pulled"]["updated"].as_array().unwrap().len(), 0, "{pulled}");
    assert_eq!((beads(&other), files(&at).len()), (whole, 16), "the part is given back");

    at.overwrite("beads/hq/3.jsonl", "{\"id\":\"zz-1\",\"title\":\"Lost\"}\n");
    let refused = other.gt(&["sync", "--remote", &at.url()]);
    assert_eq!(refused.code, REFUSED, "{refused:#?}");
    assert!(refused.err.contains("zz-1, which does not belong"), "{refused:#?}");
}

#[test]
fn a_lost_long_ledger_is_rebuilt_from_git() {
    let town = long_town();
    let at = Meeting::new();
    sync(&town, &at);
    let whole = beads(&town);
    for file in ["beads.db", "beads.db-wal", "beads.db-shm"] {
        let _ = std::fs::remove_file(town.root().join(".beads").join(file));
    }
    town.ok(&["ledger", "rebuild", "--from", "git", "--yes"]);
    assert_eq!(beads(&town), whole);
}
