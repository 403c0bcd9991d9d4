//! Squash candidates.

use super::*;
use crate::Candidate;

fn squash(rig: &Rig, onto: &Sha, head: &Sha, message: &str) -> Candidate {
    rig.git.squash(&rig.held, &rig.repo(), onto, head, message).unwrap()
}

#[test]
fn a_clean_merge_is_one_commit_of_the_author_and_always_the_same_one() {
    let rig = Rig::new();
    let worktree = rig.worktree("w");
    rig.commit(&worktree, "one", "1\n");
    let head = rig.commit(&worktree, "two", "2\n");
    let onto = rig.commit(&rig.worktree("other"), "base2", "base\n");
    let message = "Do it\n\n# kept\n\nBead: vt-1\nAttempt: 2";
    let Candidate::Clean { commit, tree } = squash(&rig, &onto, &head, message) else { panic!("not clean") };
    let shown = rig.run(&rig.repo(), "show", &["-s", "--date=raw", "--format=%P|%T|%an|%ae|%ad|%cn|%ce|%B", &commit.0]);
    let expected =
        format!("{onto}|{tree}|Ann Author|ann@example.com|1700000000 +0230|Gas Town|gt@localhost|{message}\n");
    assert_eq!(shown.trim_end(), expected.trim_end());
    assert_eq!(["base2", "one", "two"].map(|name| rig.text_in(&commit, name)), ["base", "1", "2"]);
    assert_eq!(squash(&rig, &onto, &head, message), Candidate::Clean { commit, tree });
}

#[test]
fn what_is_there_already_is_empty() {
    let rig = Rig::new();
    let head = rig.commit(&rig.worktree("w"), "one", "1\n");
    assert_eq!(squash(&rig, &head, &head, "m"), Candidate::Empty);
    assert_eq!(squash(&rig, &head, &rig.trunk(), "m"), Candidate::Empty);
    let Candidate::Clean { commit, .. } = squash(&rig, &rig.trunk(), &head, "m") else { panic!("not clean") };
    assert_eq!(squash(&rig, &commit, &head, "m"), Candidate::Empty);
}

#[test]
fn conflicts_name_their_files() {
    let rig = Rig::new();
    let names = ["base", "-d", "a \"b\"\nc"];
    let [ours, theirs] = ["ours", "theirs"].map(|side| {
        let worktree = rig.worktree(side);
        names.map(|name| rig.commit(&worktree, name, side))[2].clone()
    });
    let Candidate::Conflict { mut files } = squash(&rig, &ours, &theirs, "m") else { panic!("no conflict") };
    files.sort();
    assert_eq!(files, ["-d", "a \"b\"\nc", "base"]);
}

#[test]
fn an_author_that_git_would_refuse_is_no_obstacle() {
    let rig = Rig::new();
    let worktree = rig.worktree("w");
    let head = rig.commit(&worktree, "one", "1\n");
    let tree = rig.git.tree_of(&rig.repo(), &head).unwrap();
    let odd = format!("tree {tree}\nparent {}\nauthor  <> 5 +0000\ncommitter  <> 6 +0000\n\nm\n", rig.trunk());
    let file = rig.file(&odd);
    let odd = rig.run(&rig.repo(), "hash-object", &["-t", "commit", "-w", "--", file.to_str().unwrap()]);
    let Candidate::Clean { commit, .. } = squash(&rig, &rig.trunk(), &Sha::from(odd), "m") else { panic!("not clean") };
    let shown = rig.run(&rig.repo(), "show", &["-s", "--date=raw", "--format=%an|%ad|%cd", &commit.0]);
    assert_eq!(shown, "unknown|5 +0000|6 +0000");
}

#[test]
fn what_is_not_there_in_whole_is_no_candidate() {
    let rig = Rig::new();
    let worktree = rig.worktree("w");
    rig.commit(&worktree, "one", "1\n");
    let head = rig.commit(&worktree, "two", "2\n");
    let onto = rig.commit(&rig.worktree("other"), "base2", "base\n");
    // A file at which the merge itself would not look, a folder, a commit in between, and the commit itself.
    for name in ["HEAD:one", "HEAD^{tree}", "HEAD~1", "HEAD"] {
        let id = rig.run(&worktree, "rev-parse", &[name]);
        let file = rig.repo().join("objects").join(&id[..2]).join(&id[2..]);
        fs::rename(&file, rig.at("away")).unwrap();
        let result = squash(&rig, &onto, &head, "m");
        assert!(matches!(result, Candidate::Broken { .. }), "{name}: {result:?}");
        fs::rename(rig.at("away"), &file).unwrap();
    }
    assert!(matches!(squash(&rig, &onto, &head, "m"), Candidate::Clean { .. }));
    // A damaged trunk is not the branch's fault.
    let base = rig.run(&worktree, "rev-parse", &["HEAD:base"]);
    fs::remove_file(rig.repo().join("objects").join(&base[..2]).join(&base[2..])).unwrap();
    let error = rig.git.squash(&rig.held, &rig.repo(), &onto, &onto, "m");
    assert!(!matches!(error, Ok(Candidate::Broken { .. })), "{error:?}");
}
