//! A worker's everyday commands, which the rules must not hinder.

use super::*;

/// Refs that change as a worker works.
const OWN: &[&str] = &["refs/heads/polecat/w", "refs/stash", "refs/gt/stash/w/", "refs/bisect/", "refs/rewritten/"];

#[test]
fn a_worker_works_on_its_own_branch() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    rig.commit(&rig.at("seed"), "news", "n\n");
    rig.run(&rig.at("seed"), "push", &["--quiet", "origin", "HEAD:refs/heads/main"]);
    rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    let before = rig.refs_but(OWN);
    for script in [
        "for i in 1 2 3; do echo $i > f$i; git add -A; git commit -qm $i; done",
        "git commit -q --amend -m three",
        "git rebase -q --force-rebase HEAD~2",
        "git rebase -q --rebase-merges HEAD~2",
        "git rebase -q origin/main && git symbolic-ref HEAD",
        "git reset -q --hard HEAD~1 && git reset -q --hard ORIG_HEAD",
        "git merge -q --no-ff -m merge HEAD~1 || true",
        "git checkout -q --detach && git commit -q --allow-empty -m try && git checkout -q polecat/w",
        "git checkout -q HEAD~1 && git switch -q -",
        "git bisect start -q HEAD HEAD~2 && git bisect good && git bisect reset",
        "git revert --no-edit HEAD && git cherry-pick --no-commit HEAD~1 && git reset -q --hard",
        "echo x > f1 && git stash -q && git stash pop -q && git checkout -q f1",
        "git update-ref refs/worktree/mine HEAD && git update-ref -d refs/worktree/mine",
        "echo y > f1 && git rebase -q --autostash HEAD~1 && git checkout -q f1",
        "git fetch -q . HEAD && git rev-parse FETCH_HEAD",
    ] {
        rig.works(&path, script);
        assert_eq!(rig.refs_but(OWN), before, "{script}");
        assert_eq!(rig.works(&path, "git symbolic-ref HEAD"), "refs/heads/polecat/w", "{script}");
    }
    // A conflict, and how to resolve it.
    let conflict = "git checkout -q --detach HEAD~1 && echo other > f3 && git add -A && git commit -qm o &&
        other=$(git rev-parse HEAD) && git checkout -q polecat/w && ! git merge -q $other && git merge --abort";
    rig.works(&path, conflict);
    assert_eq!(rig.refs_but(OWN), before);
}

#[test]
fn each_stash_is_pinned_and_survives_being_dropped() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    let mut stashed = Vec::new();
    for text in ["one", "two"] {
        rig.works(&path, &format!("echo {text} > base && git stash -q"));
        stashed.push(Sha::from(rig.works(&path, "git rev-parse refs/stash")));
    }
    rig.works(&path, "git stash pop -q && git checkout -q base && git stash clear");
    rig.sh(&path, "git reflog expire --expire=now --all; git gc --prune=now; git prune");
    let refs = rig.refs_but(&[]);
    assert!(!refs.contains_key("refs/stash"));
    for (commit, text) in stashed.iter().zip(["one", "two"]) {
        assert_eq!(refs.get(&format!("refs/gt/stash/w/{commit}")), Some(commit));
        assert_eq!(rig.text_in(commit, "base"), text);
    }
    // A stash that is made without a ref and stored later, as lint-staged does.
    let stored = rig.works(&path, "echo three > base && s=$(git stash create) && git stash store -q $s && echo $s");
    assert!(rig.refs_but(&[]).contains_key(&format!("refs/gt/stash/w/{stored}")));
}

#[test]
fn tests_that_make_repositories_of_their_own_are_left_alone() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    let before = rig.refs_but(&[]);
    let identity = "git config user.name t && git config user.email t@example.org";
    let script = format!(
        "mkdir t && cd t
         git init -q --bare -b main hub.git
         git clone -q hub.git a 2>/dev/null && cd a && {identity}
         echo 1 > f && git add f && git commit -qm 1 && git push -q origin HEAD:main && git tag v1 && git push -q --tags
         git checkout -q -b topic && git commit -q --allow-empty -m 2 && git push -q -u origin topic
         cd .. && git clone -q hub.git b && cd b && git fetch -q && git checkout -q topic
         cd .. && git -C a push -q \"file://$PWD/hub.git\" topic:other
         git -C hub.git for-each-ref --format='%(refname)'"
    );
    let there = rig.works(&path, &script);
    assert_eq!(there, "refs/heads/main\nrefs/heads/other\nrefs/heads/topic\nrefs/tags/v1");
    assert_eq!(rig.refs_but(&[]), before);
    // The same from within a hook. There git has set GIT_DIR for its children, and the project's tests have to unset it.
    program(
        &path.join("hooks/pre-commit"),
        "#!/bin/sh\nunset $(git rev-parse --local-env-vars)\ncd t/a && git tag v2\n",
    );
    rig.works(&path, "git config core.hooksPath hooks && git commit -q --allow-empty -m x && git -C t/a rev-parse v2");
}
