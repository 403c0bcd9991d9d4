//! Files that would make git wait forever.

use std::os::unix::fs::symlink;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;

/// Makes a rig whose git suspects a trap very soon.
fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.git.suspicion = Duration::from_millis(100);
    RealDisk.guard(&rig.at(""));
    rig
}

fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
}

#[test]
fn links_below_refs_that_go_round_in_circles_are_removed() {
    let rig = rig();
    rig.worktree("w");
    let folder = rig.repo().join("refs/heads/polecat");
    let before = rig.git.refs(&rig.repo()).unwrap();
    for (name, target) in [("a", "."), ("b", ".."), ("c", "../../../refs")] {
        symlink(target, folder.join(name)).unwrap();
    }
    assert_eq!(rig.git.refs(&rig.repo()).unwrap(), before);
    assert!(!fs::read_dir(&folder).unwrap().any(|entry| entry.unwrap().path().is_symlink()));
}

#[test]
fn a_call_that_a_pipe_holds_up_is_ended_and_names_the_pipe() {
    let files = [".gitignore", ".gitattributes", "sub/.gitignore", "sub/deep/.gitattributes"];
    for file in files {
        let rig = rig();
        let path = rig.worktree("w");
        fs::create_dir_all(path.join("sub/deep")).unwrap();
        put(path.join("sub/deep/new"), "new\n");
        pipe(&path.join(file));
        let failed = rig.git.snapshot(&rig.held, &rig.repo(), &path, "refs/gt/snapshots/a", "s").unwrap_err();
        let text = failed.to_string();
        assert!(text.contains(&format!("/{file}` is a pipe")), "{file}: {text}");
        // Only the pipe was in the way. It stays, since it is the agent's.
        fs::remove_file(path.join(file)).unwrap();
        rig.git.snapshot(&rig.held, &rig.repo(), &path, "refs/gt/snapshots/a", "s").unwrap();
    }
}

#[test]
fn a_pipe_in_what_git_keeps_for_a_worktree_holds_up_nothing_for_ever() {
    for file in ["HEAD", "index", "info/exclude", "info/attributes", "MERGE_HEAD", "ORIG_HEAD"] {
        let rig = rig();
        let path = rig.worktree("w");
        let admin = rig.repo().join("worktrees/w").join(file);
        fs::create_dir_all(admin.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&admin);
        pipe(&admin);
        put(path.join("new"), "new\n");
        // If git can do without that file, the error does not mention it.
        let result = rig.git.snapshot(&rig.held, &rig.repo(), &path, "refs/gt/snapshots/a", "s");
        let is_told = result.as_ref().err().is_none_or(|error| error.to_string().contains(file));
        assert!(is_told, "{file}: {result:?}");
    }
}

#[test]
fn a_pipe_that_git_does_not_read_is_left_alone() {
    let rig = rig();
    let path = rig.worktree("w");
    pipe(&path.join("mine"));
    pipe(&rig.repo().join("refs/heads/pipe"));
    rig.git.snapshot(&rig.held, &rig.repo(), &path, "refs/gt/snapshots/a", "s").unwrap();
    assert!(path.join("mine").exists());
}
