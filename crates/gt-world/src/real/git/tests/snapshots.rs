//! Snapshots.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::Snapshot;

const NAME: &str = "refs/gt/snapshots/a1";

fn take(rig: &Rig, path: &Path) -> Snapshot {
    rig.git.snapshot(&rig.held, &rig.repo(), path, NAME, "Snapshot\n\nBead: vt-1").unwrap()
}

fn parents(rig: &Rig, commit: &Sha) -> String {
    rig.run(&rig.repo(), "show", &["-s", "--format=%P", &commit.0])
}

#[test]
fn a_snapshot_holds_all_and_touches_nothing() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    rig.commit(&path, ".gitignore", "ignored\n");
    let head = rig.commit(&path, "doomed", "x\n");
    for name in ["base", "untracked", "staged", "ignored"] {
        put(path.join(name), format!("{name} now\n"));
    }
    for name in [&b"new\nline"[..], b"-d", b"\"q\"", b"\xff"] {
        put(path.join(OsStr::from_bytes(name)), "odd\n");
    }
    rig.run(&path, "add", &["staged"]);
    fs::remove_file(path.join("doomed")).unwrap();
    let index = rig.repo().join("worktrees/w/index");
    let state = || (fs::read(&index).unwrap(), rig.run(&path, "status", &["--porcelain"]));
    let before = state();
    let snapshot = take(&rig, &path);
    assert_eq!(state(), before);
    assert!(snapshot.skipped.is_empty(), "{:?}", snapshot.skipped);
    for name in ["base", "untracked", "staged"] {
        assert_eq!(rig.text_in(&snapshot.commit, name), format!("{name} now"));
    }
    let listed = rig.git.question(&Place::Bare(rig.repo()), "ls-tree").args(["-z", "--name-only", &snapshot.commit.0]);
    let listed: Vec<Vec<u8>> = listed.ok().unwrap().fields().map(<[u8]>::to_vec).collect();
    assert!([&b"new\nline"[..], b"-d", b"\"q\"", b"\xff"].iter().all(|name| listed.iter().any(|there| there == name)));
    assert!(!listed.iter().any(|name| name == b"ignored" || name == b"doomed"));
    assert_eq!(parents(&rig, &snapshot.commit), head.0);
    assert_eq!(rig.git.refs(&rig.repo()).unwrap()[NAME], snapshot.commit);
    let message =
        rig.run(&rig.repo(), "show", &["-s", "--format=%an|%ce|%(trailers:key=Bead,valueonly)", &snapshot.commit.0]);
    assert_eq!(message.trim_end(), "Gas Town|gt@localhost|vt-1");
    assert_eq!(fs::read_dir(rig.repo().join("gt-scratch")).unwrap().count(), 0);
}

#[test]
fn snapshots_are_chained_and_the_same_state_is_taken_once() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    let first = take(&rig, &path);
    assert_eq!(take(&rig, &path), first);
    put(path.join("more"), "x");
    let second = take(&rig, &path);
    assert_eq!(parents(&rig, &second.commit), format!("{} {}", rig.trunk(), first.commit));
    assert_eq!(take(&rig, &path), second);
    // The same files on another commit are another state.
    let head = rig.commit(&path, "more", "x");
    assert_eq!(parents(&rig, &take(&rig, &path).commit), format!("{head} {}", second.commit));
}

#[test]
fn a_worktree_in_conflict_is_taken_as_it_is() {
    let rig = Rig::new();
    let theirs = rig.commit(&rig.worktree("other"), "base", "theirs\n");
    let path = rig.worktree("w");
    rig.commit(&path, "base", "ours\n");
    assert_eq!(rig.try_run(&path, "merge", &["--quiet", &theirs.0]).code, 1);
    let before = rig.run(&path, "status", &["--porcelain"]);
    let snapshot = take(&rig, &path);
    assert!(rig.text_in(&snapshot.commit, "base").contains("<<<<<<<"));
    assert_eq!(rig.run(&path, "status", &["--porcelain"]), before);
    assert_eq!(before, "UU base");
}

#[test]
fn a_conflict_that_can_not_be_read_is_named() {
    let rig = Rig::new();
    let theirs = rig.commit(&rig.worktree("other"), "base", "theirs\n");
    let path = rig.worktree("w");
    rig.commit(&path, "base", "ours\n");
    assert_eq!(rig.try_run(&path, "merge", &["--quiet", &theirs.0]).code, 1);
    fs::remove_file(path.join("base")).unwrap();
    rig.run(&path, "init", &["--quiet", "base"]);
    put(path.join("mine"), "work");
    let snapshot = take(&rig, &path);
    assert_eq!(snapshot.skipped, ["base/"]);
    assert_eq!(rig.text_in(&snapshot.commit, "mine"), "work");
}

#[test]
fn files_that_can_not_be_read_are_named() {
    let rig = Rig::new();
    let theirs = rig.commit(&rig.worktree("other"), "base", "theirs\n");
    let path = rig.worktree("w");
    rig.commit(&path, "base", "ours\n");
    rig.commit(&path, "known", "x\n");
    assert_eq!(rig.try_run(&path, "merge", &["--quiet", &theirs.0]).code, 1);
    let names = ["base", "known", "new", "shut/"];
    put(path.join("shut/in"), "x");
    for name in names {
        if name != "shut/" {
            put(path.join(name), "secret");
        }
        fs::set_permissions(path.join(name), fs::Permissions::from_mode(0o000)).unwrap();
    }
    // If the user may read everything (root), the snapshot takes everything in.
    let readable = fs::File::open(path.join("new")).is_ok();
    let skipped = take(&rig, &path).skipped;
    fs::set_permissions(path.join("shut"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(skipped, if readable { &[][..] } else { &names[..] });
}

#[test]
fn what_can_not_be_taken_in_is_named() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    put(path.join("mine"), "work");
    for nested in ["empty", "full"] {
        rig.run(&path, "init", &["--quiet", nested]);
    }
    rig.commit(&path.join("full"), "file", "x");
    let mut snapshot = take(&rig, &path);
    snapshot.skipped.sort();
    assert_eq!(snapshot.skipped, ["empty/", "full"]);
    assert_eq!(rig.text_in(&snapshot.commit, "mine"), "work");
    let mut again = take(&rig, &path);
    again.skipped.sort();
    assert_eq!(again, snapshot);
}

#[test]
fn a_filter_that_fails_or_a_damaged_index_is_no_obstacle() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    put(path.join(".gitattributes"), "*.big filter=broken\n");
    put(path.join("a.big"), "big\n");
    for setting in [["filter.broken.clean", "false"], ["filter.broken.required", "true"]] {
        rig.run(&path, "config", &[&["--worktree"][..], &setting].concat());
    }
    let snapshot = take(&rig, &path);
    assert!(snapshot.skipped.is_empty(), "{:?}", snapshot.skipped);
    assert_eq!(rig.text_in(&snapshot.commit, "a.big"), "big");
    put(rig.repo().join("worktrees/w/index"), "broken");
    assert_eq!(take(&rig, &path), snapshot);
}

#[test]
fn without_a_worktree_or_a_commit_there_is_no_snapshot() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    rig.run(&path, "symbolic-ref", &["HEAD", "refs/heads/none"]);
    let snapshot = || rig.git.snapshot(&rig.held, &rig.repo(), &path, NAME, "m").unwrap_err().to_string();
    assert!(snapshot().contains("HEAD names no commit"), "{}", snapshot());
    fs::remove_dir_all(&path).unwrap();
    assert!(snapshot().contains("is not a worktree of"), "{}", snapshot());
}
