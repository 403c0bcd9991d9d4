//! Accidental changes by tools and tests to what all worktrees of a rig share.

use super::*;

/// A hook whose tests make a repository, as they do in an ordinary clone.
const MAKES_A_REPOSITORY: &str = "#!/bin/sh -e
    d=$(mktemp -d) && cd \"$d\"
    git init -q && git config user.name test && git config user.email test@example.com
    echo x > x && git add -A && git commit -qm x
    test \"$(git ls-files)\" = x && test \"$(git rev-list --count HEAD)\" = 1\n";

fn shared(rig: &Rig) -> String {
    fs::read_to_string(rig.repo().join("config")).unwrap()
}

/// Checks that a worker can continue in its worktree, under the rules.
fn goes_on(rig: &Rig, path: &Path, what: &str) {
    let before = rig.head(path);
    rig.works(path, "git status --porcelain && echo more >> own && git add own && git commit -qm more");
    let log = rig.works(path, "git log -1 --format='%an|%ae|%cn|%P'");
    assert_eq!(log, format!("vt/polecats/nux|nux@gt.localhost|vt/polecats/nux|{before}"), "{what}");
    let changed = rig.works(path, "git diff-tree --no-commit-id --name-only -r HEAD");
    assert_eq!(changed, "own", "{what}");
    assert_ne!(rig.sh(path, "git push origin HEAD:refs/heads/main").code, 0, "{what}");
    assert_ne!(rig.sh(path, "git branch stray").code, 0, "{what}");
    assert_eq!(
        rig.works(path, "cd / && git -C \"$OLDPWD\" rev-parse --show-toplevel"),
        path.display().to_string(),
        "{what}"
    );
}

#[test]
fn a_hook_whose_tests_make_a_repository_harms_nothing() {
    let check = |commit: &str, expected: &str| {
        let rig = Rig::new();
        let path = rig.worktree("w");
        let before = shared(&rig);
        program(&rig.repo().join("hooks/pre-commit"), MAKES_A_REPOSITORY);
        rig.works(&path, &format!("echo new > new; echo other > other; echo changed > base; {commit}"));
        assert_eq!(rig.works(&path, "git diff-tree --no-commit-id --name-only -r HEAD"), expected, "{commit}");
        assert_eq!(shared(&rig), before, "{commit}");
        goes_on(&rig, &path, commit);
    };
    check("git add new && git commit -qm new", "new");
    check("git add -A && git commit -qm all", "base\nnew\nother");
    check("mkdir below && cd below && git -C .. add new && git commit -qm new", "new");
}

/// For a commit of some files only, git gives the hook an index that is for this commit alone.
#[test]
fn a_hook_of_a_partial_commit_sees_that_commits_files() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    let hook = "#!/bin/sh -e
        git diff --cached --name-only > \"$TOP/staged\"
        d=$(mktemp -d) && cd \"$d\" && ! git init -q 2>/dev/null || ! git add -A 2>/dev/null || true\n";
    program(&rig.repo().join("hooks/pre-commit"), hook);
    for (commit, staged) in [("git commit -qm part new", "new"), ("git commit -qam all", "base\nnew")] {
        rig.works(
            &path,
            "echo new >> new; git add new; git commit -qm before --no-verify; echo new >> new; echo changed >> base",
        );
        rig.works(&path, commit);
        assert_eq!(fs::read_to_string(rig.at("staged")).unwrap().trim(), staged, "{commit}");
        assert_eq!(rig.works(&path, "git diff-tree --no-commit-id --name-only -r HEAD"), staged, "{commit}");
        rig.works(&path, "git commit -qam rest || true");
    }
    goes_on(&rig, &path, "after partial commits");
}

#[test]
fn what_tools_write_into_the_shared_settings_loses_against_a_worktrees_own() {
    let rig = Rig::new();
    let (path, other) = (rig.worktree("w"), rig.worktree("other"));
    let as_made = shared(&rig);
    let check = |script: &str| {
        rig.sh(&path, script);
        goes_on(&rig, &path, script);
        assert_eq!(rig.works(&other, "git status --porcelain"), "", "{script}");
        put(rig.repo().join("config"), &as_made);
    };
    check("git config core.bare true");
    check("git config core.worktree /tmp");
    check("git config core.worktree ../elsewhere && git config core.bare false");
    check("GIT_DIR=$(git rev-parse --absolute-git-dir) git init -q");
    check("cd /tmp && GIT_DIR=$(git -C \"$OLDPWD\" rev-parse --absolute-git-dir) GIT_WORK_TREE=. git init -q");
    check("git config core.hooksPath /dev/null");
    check("git config user.name test && git config user.email test@example.com && git config author.name test");
    check("git config committer.email test@example.com && git config user.useConfigOnly true");
    check("git config commit.gpgSign true && git config user.signingKey none && git config gpg.program false");
    check("git config remote.origin.pushurl \"$TOP/origin\" && git config push.default current");
    check("git config remote.origin.url /nowhere && git config remote.origin.fetch +refs/heads/*:refs/heads/*");
    check("git config url.\"$TOP/origin\".pushInsteadOf gt-refused");
    check(
        "printf '[user]\\n name = included\\n[core]\\n bare = true\\n' > \"$TOP/more\" && git config include.path \"$TOP/more\"",
    );
    check("git config core.sparseCheckout true && git config core.autocrlf true && git config core.eol crlf");
    check("git config init.defaultBranch trunk && git config gc.auto 1 && git config gc.pruneExpire now");
    check("git config maintenance.auto true && git config core.logAllRefUpdates false");
    check("git config core.repositoryFormatVersion 0");
    check(
        "git config core.ignoreCase true && git config core.symlinks false && git config core.precomposeUnicode true",
    );
    check("git config submodule.recurse true && git config submodule.x.url /nowhere");
    check("git rebase -q -x 'd=$(mktemp -d) && cd $d && git init -q' HEAD~0");
    check("git -c alias.t='!d=$(mktemp -d) && cd $d && git init -q && git config core.bare true' t");
    check("git init -q --separate-git-dir=\"$TOP/moved\"");
}

/// Even if a tool works with the repository that git names to it, no outside file gets into a commit.
#[test]
fn a_tool_that_is_told_of_the_repository_adds_nothing_of_elsewhere() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    let script = "d=$(mktemp -d) && cd $d && git init -q && echo x > x && git add -A";
    rig.sh(&path, &format!("git rebase -q -x '{script}' HEAD~0; git -c alias.t='!{script}' t"));
    assert_eq!(rig.works(&path, "git status --porcelain"), "");
    goes_on(&rig, &path, "after a rebase with a test");
}
