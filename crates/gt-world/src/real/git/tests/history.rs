//! Where a branch's commits came from, and what a merge of them would change.

use super::*;
use crate::History as _;

#[test]
fn a_worktree_knows_what_was_made_in_it() {
    let rig = Rig::new();
    let (own, other) = (rig.worktree("own"), rig.worktree("other"));
    let theirs = rig.commit(&other, "theirs", "1\n");
    rig.run(&own, "merge", &["--quiet", "--ff-only", &theirs.0]);
    let made = || rig.git.made_in(&rig.repo(), &own).unwrap();
    assert!(made().is_empty(), "it only followed");
    let first = rig.commit(&own, "first", "1\n");
    rig.run(&own, "commit", &["--quiet", "--amend", "-m", "better"]);
    let amended = rig.head(&own);
    rig.run(&own, "reset", &["--quiet", "--hard", &rig.trunk().0]);
    rig.run(&own, "cherry-pick", &[&theirs.0]);
    let picked = rig.head(&own);
    rig.run(&own, "merge", &["--quiet", "-m", "both", &amended.0]);
    let merged = rig.head(&own);
    let onto = rig.commit(&rig.worktree("third"), "third", "3\n");
    rig.run(&own, "rebase", &["--quiet", &onto.0]);
    let rebased = rig.head(&own);
    let made = made();
    for commit in [&first, &amended, &picked, &merged, &rebased] {
        assert!(made.contains(commit), "{commit}");
    }
    assert!(!made.contains(&theirs) && !made.contains(&onto) && !made.contains(&rig.trunk()));
    assert!(rig.git.made_in(&rig.repo(), &rig.at("nowhere")).unwrap().is_empty());
}

/// Whether a merge would change the trunk, after a shell script has run in a worktree and its result is committed.
fn brings(script: &str) -> bool {
    let rig = Rig::new();
    let path = rig.worktree("w");
    let call = rig.git.question(&Place::Folder(path.clone()), "-c").args(["alias.sh=!sh", "sh", "-ec", script]);
    call.env("GIT_AUTHOR_DATE", "@1700000000 +0000").env("GIT_COMMITTER_DATE", "@1700000000 +0000").ok().unwrap();
    rig.git.brings(&rig.repo(), &rig.trunk(), &rig.head(&path)).unwrap()
}

#[test]
fn only_what_changes_the_trunks_files_brings_something() {
    let check = |script: &str, expected: bool| assert_eq!(brings(script), expected, "{script}");
    check("git commit --quiet --allow-empty -m nothing", false);
    check("echo x > x; git add x; git commit --quiet -m do; git revert --no-edit HEAD >/dev/null", false);
    check("echo x > x; git add x; git commit --quiet -m do; git rm --quiet x; git commit --quiet -m undo", false);
    check("printf 'base \\n' > base; git commit --quiet -am space", true);
    check("chmod +x base; git add base; git commit --quiet -m mode", true);
    check("git mv base moved; git commit --quiet -m move", true);
    check(": > empty; git add empty; git commit --quiet -m empty", true);
    check("git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),sub; git commit --quiet -m sub", true);
    check("ln -s base link; git add link; git commit --quiet -m link", true);
}

#[test]
fn a_merge_of_the_trunk_alone_brings_nothing() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    rig.run(&path, "commit", &["--quiet", "--allow-empty", "-m", "nothing"]);
    rig.commit(&rig.at("seed"), "later", "x\n");
    rig.run(&rig.at("seed"), "push", &["--quiet", "origin", "HEAD:refs/heads/main"]);
    rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    rig.run(&path, "merge", &["--quiet", "-m", "merge", "origin/main"]);
    assert!(!rig.git.brings(&rig.repo(), &rig.trunk(), &rig.head(&path)).unwrap());
}

#[test]
fn a_change_is_recognised_on_a_trunk_that_was_written_anew() {
    let rig = Rig::new();
    let seed = rig.at("seed");
    rig.run(&seed, "config", &["user.name", "Somebody"]);
    rig.run(&seed, "config", &["user.email", "somebody@example.org"]);
    rig.commit(&seed, "before", "x\n");
    let change = rig.commit(&seed, "base", "base\nmore\n");
    let has = |tip: &Sha| rig.git.still_has(&rig.repo(), tip, &change).unwrap();
    let push = || {
        rig.run(&seed, "push", &["--quiet", "--force", "origin", "HEAD:refs/heads/main"]);
        rig.git.fetch(&rig.held, &rig.repo()).unwrap();
        rig.trunk()
    };
    let first = push();
    assert!(has(&first));
    rig.run(&seed, "reset", &["--quiet", "--soft", "HEAD~2"]);
    rig.run(&seed, "commit", &["--quiet", "-m", "squashed"]);
    assert!(has(&push()), "squashed with another");
    rig.commit(&seed, "later", "x\n");
    assert!(has(&push()), "built upon");
    rig.commit(&seed, "base", "base\n");
    assert!(!has(&push()), "taken back");
    assert_eq!(rig.git.missing_from(&rig.repo(), &rig.trunk(), &[first.clone(), change.clone()]).unwrap().len(), 1);
    assert_eq!(first, change);
}
