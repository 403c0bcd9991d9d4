//! Projects with unusual set-ups.

use super::*;

/// A hook that records its run: the hook's name, its arguments' number, and the folder.
const RECORD: &str = "#!/bin/sh\necho \"${0##*/} $# $PWD\" >> \"$TOP/ran\"\n";

fn ran(rig: &Rig) -> String {
    let text = fs::read_to_string(rig.at("ran")).unwrap_or_default();
    let _ = fs::remove_file(rig.at("ran"));
    text
}

#[test]
fn a_projects_hooks_run_where_its_tooling_puts_them() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    rig.works(&path, "git commit -q --allow-empty -m before");
    assert_eq!(ran(&rig), "");
    // As husky's set-up does during the work: the setting goes into the configuration that all worktrees share.
    for name in ["pre-commit", "commit-msg", "post-commit", "pre-push"] {
        program(&path.join(".husky/_").join(name), RECORD);
    }
    rig.works(&path, "git config core.hooksPath .husky/_ && git commit -q --allow-empty -m with");
    let top = path.display();
    assert_eq!(ran(&rig), format!("pre-commit 0 {top}\ncommit-msg 1 {top}\npost-commit 0 {top}\n"));
    assert!(rig.works(&path, "git config --show-scope core.hooksPath").starts_with("worktree"));
    // The result is the same from a subfolder, and from elsewhere.
    rig.works(&path, "mkdir below && cd below && git commit -q --allow-empty -m x && cd / && git -C \"$OLDPWD\" commit -q --allow-empty -m y");
    assert_eq!(ran(&rig).lines().filter(|line| *line == format!("pre-commit 0 {top}")).count(), 2);
    // The rules still hold.
    assert_ne!(rig.sh(&path, "git branch stray").code, 0);
    assert_ne!(rig.sh(&path, "git push origin HEAD:refs/heads/main").code, 0);
    // Other worktrees run their own copy of the project's hooks. If they have none, no hook runs.
    ran(&rig);
    rig.works(&rig.worktree("other"), "git commit -q --allow-empty -m other");
    assert_eq!(ran(&rig), "");
}

#[test]
fn a_projects_hook_that_says_no_is_heard() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    program(&rig.repo().join("hooks/pre-commit"), "#!/bin/sh\necho no tabs >&2\nexit 3\n");
    let said = rig.sh(&path, "git commit -q --allow-empty -m x");
    assert!(said.code != 0 && said.err.contains("no tabs"), "{}", said.err);
    rig.works(&path, "git commit -q --no-verify --allow-empty -m x");
    fs::remove_file(rig.repo().join("hooks/pre-commit")).unwrap();
    program(
        &rig.repo().join("hooks/reference-transaction"),
        "#!/bin/sh\necho \"$1\" >> \"$TOP/ran\"\ncat >> \"$TOP/ran\"\n",
    );
    rig.works(&path, "git update-ref refs/worktree/mine HEAD");
    let line = format!("{} {} refs/worktree/mine\n", "0".repeat(40), rig.head(&path));
    assert_eq!(ran(&rig), format!("prepared\n{line}committed\n{line}"));
    program(&rig.repo().join("hooks/reference-transaction"), "#!/bin/sh\n[ \"$1\" != prepared ]\n");
    assert_ne!(rig.sh(&path, "git commit -q --allow-empty -m x").code, 0);
}

#[test]
fn a_projects_tool_that_writes_hooks_where_git_looks_does_no_harm() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    program(&path.join("hook"), RECORD);
    // Some projects write the folder down; others put their hooks into it, even in the guard's place.
    rig.works(
        &path,
        "git config core.hooksPath \"$(git rev-parse --git-path hooks)\" && git commit -q --allow-empty -m x",
    );
    rig.works(
        &path,
        "h=$(git rev-parse --git-path hooks) && cp hook \"$h/pre-commit\" && cp hook \"$h/reference-transaction\"",
    );
    rig.works(&path, "git commit -q --allow-empty -m x");
    assert!(ran(&rig).contains("pre-commit 0 "));
    rig.worktree("next");
    rig.works(&path, "git commit -q --allow-empty -m x");
    assert!(ran(&rig).contains("pre-commit 0 "));
    assert_ne!(rig.sh(&path, "git branch stray").code, 0);
}

#[test]
fn lint_staged_in_a_pre_commit_hook_works() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    // Acts of the hook around its tasks: it saves everything in a stash, hides unstaged changes, and drops the stash at
    // the end.
    let hook = "#!/bin/sh -e
        s=$(git stash create) && git stash store --quiet --message lint-staged $s
        git diff --binary > \"$TOP/unstaged\" && git checkout -q --force -- .
        sed -i s/bad/good/ base && git add base
        git apply --recount \"$TOP/unstaged\"
        git stash drop --quiet 'stash@{0}'\n";
    program(&path.join(".husky/pre-commit"), hook);
    rig.works(
        &path,
        "printf 'one\\n' > more && git add more && git commit -qm more && git config core.hooksPath .husky",
    );
    rig.works(&path, "echo bad > base && git add base && echo unstaged >> more && git commit -qm linted");
    assert_eq!(rig.text_in(&rig.head(&path), "base"), "good");
    assert_eq!(fs::read_to_string(path.join("more")).unwrap(), "one\nunstaged\n");
    let pins = rig.refs_but(&[]).into_keys().filter(|name| name.starts_with("refs/gt/stash/w/")).count();
    assert_eq!((pins, rig.refs_but(&[]).contains_key("refs/stash")), (1, false));
}

#[test]
fn a_project_with_submodules_gets_a_worktree_and_keeps_its_work() {
    let rig = Rig::new();
    rig.works(&rig.at(""), "git init -q -b main lib && cd lib && echo l > l && git add -A && git -c user.name=a -c user.email=a@b commit -qm l");
    let add = "git -c protocol.file.allow=always submodule --quiet add ../lib lib && git -c user.name=a -c user.email=a@b commit -qm sub";
    rig.works(
        &rig.at("seed"),
        &format!("git config remote.origin.url \"$TOP/origin\" && {add} && git push -q origin HEAD:main"),
    );
    rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    let path = rig.worktree("w");
    // The submodule is not set up: its folder is empty until the worker sets it up.
    assert_eq!(fs::read_dir(path.join("lib")).unwrap().count(), 0);
    assert!(rig.git.worktree(&rig.repo(), &path).unwrap().unwrap().dirty.is_empty());
    rig.works(&path, "git -c protocol.file.allow=always submodule --quiet update --init && test -f lib/l");
    rig.works(&path, "cd lib && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m inside && git checkout -q -b anything");
    put(path.join("mine"), "work");
    put(path.join("lib/mine"), "work");
    let snapshot = rig.git.snapshot(&rig.held, &rig.repo(), &path, "refs/gt/snapshots/a", "s").unwrap();
    assert_eq!(rig.text_in(&snapshot.commit, "mine"), "work");
    assert_eq!(snapshot.skipped, ["lib"]);
    let to = rig.at("archived");
    rig.git.archive_worktree(&rig.held, &rig.repo(), &path, &to).unwrap();
    assert!(to.join("lib/mine").exists() && to.join("mine").exists());
    // The submodule's own repository was archived too, with its commits.
    assert!(to.join(".git.archived/admin/modules/lib/HEAD").exists());
    rig.worktree("w");
}

#[test]
fn a_nested_repository_without_commits_is_listed_and_kept() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    rig.works(&path, "git init -q nested && echo x > nested/file && echo y > beside");
    let snapshot = rig.git.snapshot(&rig.held, &rig.repo(), &path, "refs/gt/snapshots/a", "s").unwrap();
    assert_eq!(snapshot.skipped, ["nested/"]);
    assert_eq!(rig.text_in(&snapshot.commit, "beside"), "y");
    let to = rig.at("archived");
    rig.git.archive_worktree(&rig.held, &rig.repo(), &path, &to).unwrap();
    assert_eq!(fs::read_to_string(to.join("nested/file")).unwrap(), "x\n");
    assert!(to.join("nested/.git/HEAD").exists());
}
