//! One binary and one schema: `bd` is `gt`. It backs up and migrates an older ledger, and refuses a newer one.

use crate::town::{GT, RIG, Town};

/// Sets the schema version of the ledger.
fn set_schema(town: &Town, version: i64) {
    let ledger = rusqlite::Connection::open(town.root().join(".beads/beads.db")).unwrap();
    ledger.pragma_update(None, "user_version", version).unwrap();
}

fn schema(town: &Town) -> String {
    town.ask("SELECT user_version FROM pragma_user_version").pop().unwrap()
}

#[test]
fn f13_gt_and_bd_are_one_binary() {
    let town = Town::new();
    let real = |name: &str| town.root().join("bin").join(name).canonicalize().unwrap();
    assert_eq!(real("gt"), real("bd"), "agents find the same program by both names");
    assert_eq!(real("gt"), std::path::Path::new(GT).canonicalize().unwrap());
    let version = |name: &str, args: &[&str]| {
        let program = town.root().join("bin").join(name).display().to_string();
        crate::town::output(town.program(&program, &town.root()).args(args)).out
    };
    let own = version("gt", &["--version"]);
    let (release, build) = own.split_once(" (build ").unwrap();
    assert!(version("bd", &["version"]).contains(release) && !build.is_empty(), "{own}");
}

#[test]
fn f13_a_newer_ledger_is_refused_and_not_changed() {
    let town = Town::new();
    let bead = town.bead("Made by an older gt");
    let known = schema(&town);
    set_schema(&town, 9999);
    let before = town.rows();
    let verbs: [&[&str]; 9] = [
        &["status"],
        &["bead", "list"],
        &["bead", "create", "Lost"],
        &["bead", "close", &bead],
        &["sling", &bead, RIG],
        &["up"],
        &["ledger", "check"],
        &["ledger", "backup"],
        &["deacon", "run"],
    ];
    for verb in verbs {
        let refused = town.gt(verb);
        assert_eq!(refused.code, 4, "{verb:?}: {refused:#?}");
        assert!(
            refused.err.contains(&format!("has schema 9999, but this gt knows only {known}")),
            "{verb:?}: {refused:#?}"
        );
        assert!(refused.err.contains("hint: install the newer gt"), "{verb:?}: {refused:#?}");
    }
    assert_eq!(town.rows(), before);
    assert_eq!(schema(&town), "9999");
    assert!(!town.root().join(".beads/backups").exists(), "nothing was migrated, nothing copied");
    set_schema(&town, known.parse().unwrap());
    assert_eq!(town.status_of(&bead), "open");
}

#[test]
fn f13_an_older_ledger_is_backed_up_before_it_is_migrated() {
    let town = Town::empty();
    let ledger = town.root().join(".beads/beads.db");
    let known = schema(&town);
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", ledger.display()));
    }
    // The ledger as the first `gt` left it, with a bead in it.
    let old = rusqlite::Connection::open(&ledger).unwrap();
    old.execute_batch(include_str!("../../../../gt-ledger/src/migrations/001_kernel.sql")).unwrap();
    old.execute_batch(
        "INSERT INTO beads VALUES ('hq-old', 'hq', 'Old', 'words', '', '', '', 'open', 2, 'task', NULL,
           '2026-01-01T00:00:00Z', 0, NULL, '2026-01-01T00:00:00Z', 0, NULL, NULL, NULL, NULL, 0, 0, 0, '[]');
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(old);
    assert_eq!(town.status_of("hq-old"), "open");
    assert_eq!(schema(&town), known, "it is of today now");
    let copy = town.root().join(".beads/backups/beads-schema-1.db");
    let copy = rusqlite::Connection::open(copy).unwrap();
    let version: i64 = copy.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    let title: String = copy.query_row("SELECT title FROM beads", [], |row| row.get(0)).unwrap();
    assert_eq!((version, title.as_str()), (1, "Old"), "and the copy is as it was");
}
