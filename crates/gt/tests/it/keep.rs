//! Data of finished work, with real git and real files: `gt` gives it back on request, and deletes it when it is old.

use std::path::Path;
use std::process::Command;

use crate::town::{RIG, Town, output, text, write};

/// A worker that commits one file, changes others without committing, and hangs.
const HALF_DONE: &str = r#"
[[act]]
step = "implement"
run = ["sh", "-c", "echo one > committed.txt; git add committed.txt; git commit --quiet -m One"]

[[act]]
step = "implement"
write = { "untracked.txt" = "precious\n", "debug.log" = "ignored\n" }
append = { "README.md" = "half a sentence" }
remove = ["old.txt"]
signal = "half-done"
misbehave = "hang"
"#;

/// A reviewer that writes down its findings.
const LOOKING: &str = r#"
[[act]]
step = "load-context"
run = ["sh", "-c", "git status --porcelain > seen"]

[[act]]
step = "load-context"
signal = "seen"
misbehave = "hang"
"#;

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Sets a file's times to years ago.
fn make_old(town: &Town, path: &Path) {
    let mut touch: Command = town.program("touch", town.folder());
    assert_eq!(output(touch.args(["-d", "2020-01-01"]).arg(path)).code, 0);
}

#[test]
fn ended_work_can_be_recovered_and_old_logs_are_deleted() {
    let town = Town::empty();
    let files =
        [("run-tests", "true\n"), ("README.md", "An app\n"), ("old.txt", "old\n"), (".gitignore", "*.log\nseen\n")];
    let remote = town.project("main", &files);
    town.ok(&["rig", "add", RIG, &remote.display().to_string()]);
    town.play_in_rig(RIG);
    town.script(HALF_DONE);
    let bead = town.bead("Half");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_for_mark("half-done");
    assert_eq!(town.gt(&["polecat", "nuke", "app/amber"]).code, 4, "it asks");
    town.ok(&["polecat", "nuke", "app/amber", "--dry-run"]);
    assert_eq!(town.status_of(&bead), "in_progress", "nothing has happened yet");
    let said = town.ok(&["polecat", "nuke", "app/amber", "--yes"]);
    assert!(said.contains(&format!("gt polecat recover {bead}")), "{said}");
    town.wait_quiet();

    let shown = town.json(&["snapshot", "show", &bead])["snapshot"].clone();
    let changed: Vec<&String> = shown["changed"].as_object().unwrap().keys().collect();
    assert_eq!(changed, ["README.md", "old.txt", "untracked.txt"]);
    let diff = town.ok(&["snapshot", "diff", &bead, "--uncommitted"]);
    assert!(diff.contains("+half a sentence") && !diff.contains("committed.txt"), "{diff}");
    assert!(town.ok(&["snapshot", "diff", &bead, "--stat"]).contains("committed.txt"));
    let to = town.folder().join("given/back");
    town.ok(&["snapshot", "restore", &bead, "--to", &to.display().to_string()]);
    assert_eq!(
        (read(&to.join("untracked.txt")), read(&to.join("committed.txt"))),
        ("precious\n".into(), "one\n".into())
    );
    assert!(!to.join("old.txt").exists());
    write(&to.join("mine.txt"), "mine");
    assert_ne!(town.gt(&["snapshot", "restore", &bead, "--to", &to.display().to_string()]).code, 0);
    assert_eq!(read(&to.join("mine.txt")), "mine");

    town.script(LOOKING);
    town.ok(&["polecat", "recover", &bead]);
    town.wait_for_mark("seen");
    let worktree = town.rig().join("polecats/amber");
    let status = read(&worktree.join("seen"));
    let seen: Vec<&str> = status.lines().collect();
    assert_eq!(seen, [" M README.md", " D old.txt", "?? untracked.txt"], "as they were left, and not committed");
    assert_eq!(read(&worktree.join("committed.txt")), "one\n");
    let listed = town.json(&["polecat", "list", "--all"])["polecats"].clone();
    let outcomes: Vec<String> = listed.as_array().unwrap().iter().map(|p| text(&p["outcome"])).collect();
    assert_eq!(outcomes, ["released", "null"]);

    let log = town.rig().join("refinery/logs/proof-tests.log");
    write(&log, "green\n");
    make_old(&town, &log);
    let young = town.rig().join("refinery/logs/young.log");
    write(&young, "green\n");
    let would: Vec<String> = going(&town, &["retention", "run", "--dry-run"]);
    assert_eq!(would, ["app/refinery/logs/proof-tests.log"]);
    assert!(log.exists());
    assert_eq!(going(&town, &["retention", "run"]), would);
    assert!(!log.exists() && young.exists());
    assert!(town.rig().join(format!(".archive/amber-{bead}-1")).exists(), "the only copy stays");
    let doctor = town.ok(&["doctor"]);
    for what in ["size of ledger", "size of archives", "size of sessions", "size of gate logs"] {
        assert!(doctor.contains(what), "{doctor}");
    }
}

fn going(town: &Town, args: &[&str]) -> Vec<String> {
    let report = town.json(args)["retention"].clone();
    assert_eq!(report["failed"].as_array().unwrap().len(), 0, "{report}");
    report["going"].as_array().unwrap().iter().map(|going| text(&going["name"])).collect()
}
