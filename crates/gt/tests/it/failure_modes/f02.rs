//! `gt` keeps work when it ends a worker: it takes a snapshot before it removes anything, and moves the worktree to the
//! archive.

use crate::town::{RIG, Town};

const HALF_DONE: &str = r#"
[[act]]
step = "implement"
write = { "new.txt" = "untracked\n", "staged.txt" = "staged\n", "debug.log" = "ignored\n" }
append = { "README.md" = "half a sentence" }
remove = ["old.txt"]
run = ["git", "add", "staged.txt"]
signal = "half-done"
misbehave = "hang"
"#;

#[test]
fn f02_unsling_keeps_uncommitted_work() {
    let town = Town::empty();
    let files = [("run-tests", "true\n"), ("README.md", "An app\n"), ("old.txt", "old\n"), (".gitignore", "*.log\n")];
    let remote = town.project("main", &files);
    town.ok(&["rig", "add", RIG, &remote.display().to_string()]);
    town.play_in_rig(RIG);
    town.script(HALF_DONE);
    let bead = town.bead("Half");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_for_mark("half-done");
    let base = town.ask("SELECT base FROM attempts").remove(0);
    town.ok(&["unsling", &bead]);
    town.wait_quiet();

    let snapshot = format!("refs/gt/snapshots/{bead}-1");
    let show = |file: &str| town.git(&town.repo(), &["show", &format!("{snapshot}:{file}")]);
    assert_eq!(show("new.txt"), "untracked");
    assert_eq!(show("staged.txt"), "staged");
    assert_eq!(show("README.md"), "An app\nhalf a sentence");
    let files = town.git(&town.repo(), &["ls-tree", "--name-only", &snapshot]);
    assert!(!files.contains("old.txt"), "a deletion is part of the state: {files}");

    let archive = town.rig().join(format!(".archive/amber-{bead}-1"));
    let archived = |file: &str| std::fs::read_to_string(archive.join(file)).unwrap();
    assert_eq!(archived("new.txt"), "untracked\n");
    assert_eq!(archived("debug.log"), "ignored\n", "ignored files are kept with the folder");
    assert!(!town.rig().join("polecats/amber").exists());

    let branch = town.git(&town.repo(), &["rev-parse", &format!("refs/heads/polecat/amber/{bead}-1")]);
    assert_eq!(branch, base, "nothing is committed behind a worker's back");
    assert_eq!(town.status_of(&bead), "open");
}
