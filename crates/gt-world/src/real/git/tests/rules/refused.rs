//! Operations that the rules refuse, with the refusal's text.

use super::*;

/// Tries something that must fail, print `text`, and leave all refs and HEAD unchanged.
fn check(rig: &Rig, path: &Path, attempt: &str, text: &str) {
    let state = || (rig.refs_but(&[]), rig.works(path, "git symbolic-ref HEAD"));
    let before = state();
    let said = rig.sh(path, attempt);
    assert_ne!(said.code, 0, "{attempt}");
    assert!(said.err.contains(text), "{attempt}: {}", said.err);
    assert_eq!(state(), before, "{attempt}");
}

fn two_workers() -> (Rig, PathBuf) {
    let rig = Rig::new();
    rig.commit(&rig.worktree("other"), "theirs", "t\n");
    let path = rig.worktree("w");
    rig.works(&path, "echo 1 > mine; git add -A; git commit -qm mine");
    (rig, path)
}

#[test]
fn f22_a_worker_moves_no_ref_but_its_own() {
    let (rig, path) = two_workers();
    for attempt in [
        "git branch stray",
        "git branch -f main",
        "git branch -f stray HEAD~1",
        "git checkout -b stray",
        "git switch -c stray",
        "git update-ref refs/heads/main HEAD",
        "git update-ref refs/heads/polecat/other HEAD",
        "git update-ref -d refs/heads/polecat/other",
        "printf 'create refs/heads/a HEAD\\n' | git update-ref --stdin",
        "git symbolic-ref HEAD refs/heads/polecat/other",
        "git switch --orphan stray",
        "git worktree add -q -b stray ../elsewhere",
        "git branch -m stray",
        "git push . HEAD:refs/heads/stray",
        "env -i \"$(command -v git)\" branch stray",
        "env -u HOME -u GIT_CONFIG_GLOBAL -u PATH \"$(command -v git)\" branch stray",
        "git --no-pager -c user.name=x branch stray",
        "GIT_DIR=$(git rev-parse --git-dir) git branch stray",
        "cd \"$(git rev-parse --git-dir)\" && git branch stray",
        "ln -s . here && cd here && git branch stray",
    ] {
        // A refusal by git itself, before any hook, is as good.
        let text = if attempt.contains("push .") { "" } else { "gt: you work on the branch polecat/w alone" };
        let text = if attempt.contains("branch -m") { "polecat/w" } else { text };
        check(&rig, &path, attempt, text);
    }
    for attempt in ["git update-ref -d refs/heads/polecat/w", "git update-ref --no-deref -d refs/heads/polecat/w"] {
        check(&rig, &path, attempt, "gt: your branch polecat/w can't be deleted");
    }
    for attempt in ["git tag v1", "git tag -a -m x v1", "git update-ref refs/tags/v1 HEAD"] {
        check(&rig, &path, attempt, "gt: tags are not made in a worker's worktree");
    }
    for attempt in ["git notes add -m x", "git update-ref refs/gt/mr/1 HEAD", "git replace HEAD HEAD~1"] {
        check(&rig, &path, attempt, "is not yours to change");
    }
    let other = "git update-ref worktrees/other/HEAD HEAD";
    assert_ne!(rig.sh(&path, other).code, 0);
    assert_eq!(rig.head(&rig.at("other")), rig.refs_but(&[])["refs/heads/polecat/other"]);
}

#[test]
fn f22_a_worker_fetches_by_gt() {
    let (rig, path) = two_workers();
    rig.commit(&rig.at("seed"), "news", "n\n");
    rig.run(&rig.at("seed"), "push", &["--quiet", "origin", "HEAD:refs/heads/main", "HEAD:refs/heads/new"]);
    for attempt in
        ["git fetch", "git fetch origin main", "git pull", "git pull --rebase origin main", "git remote update"]
    {
        check(&rig, &path, attempt, "gt rig fetch");
    }
    rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    rig.works(&path, "git rebase -q origin/main && test -f news && test -f mine");
}

#[test]
fn f22_a_worker_pushes_nowhere() {
    let (rig, path) = two_workers();
    let origin = rig.at("origin").to_str().unwrap().to_owned();
    let before = rig.git.ask_remote(&origin).unwrap();
    rig.works(&path, "mkdir inside && git remote add mirror \"$TOP/origin\"");
    for target in [
        "origin",
        "mirror",
        "\"$TOP/origin\"",
        "../origin",
        "./../origin",
        "inside/../../origin",
        "\"file://$TOP/origin\"",
        "\"ssh://localhost$TOP/origin\"",
        "\"git@localhost:$TOP/origin\"",
        "\"localhost:$TOP/origin\"",
        "https://localhost/origin",
        "ext::x",
    ] {
        for options in ["", "--no-verify", "--force --no-verify", "--mirror --no-verify"] {
            let refspec = if options.contains("mirror") { "" } else { "HEAD:refs/heads/main" };
            for git in ["git", "env -i \"$(command -v git)\""] {
                let attempt = format!("{git} push {options} {target} {refspec}");
                let said = rig.sh(&path, &attempt);
                assert_ne!(said.code, 0, "{attempt}");
                assert!(said.err.contains("gt-refused-run-gt-done"), "{attempt}: {}", said.err);
            }
        }
    }
    assert_eq!(rig.git.ask_remote(&origin).unwrap(), before);
}

#[test]
fn a_push_past_the_addresses_meets_the_hook() {
    let (rig, path) = two_workers();
    let origin = rig.at("origin").to_str().unwrap().to_owned();
    let before = rig.git.ask_remote(&origin).unwrap();
    let rule = format!("url.{origin}.pushInsteadOf={origin}/");
    let said = rig.sh(&path, &format!("git -c '{rule}' push '{origin}/' HEAD:refs/heads/main"));
    assert!(said.code != 0 && said.err.contains("gt: a worker's git pushes nothing"), "{}", said.err);
    assert_eq!(rig.git.ask_remote(&origin).unwrap(), before);
}

#[test]
fn a_worktree_that_a_worker_makes_moves_no_branch() {
    let (rig, path) = two_workers();
    rig.works(&path, "git worktree add -q --detach ../own && cd ../own && git commit -q --allow-empty -m x");
    let before = rig.refs_but(&[]);
    for attempt in
        ["git branch stray", "git tag v1", "git checkout -b stray", "git update-ref refs/heads/polecat/w HEAD"]
    {
        assert_ne!(rig.sh(&rig.at("own"), attempt).code, 0, "{attempt}");
    }
    assert_ne!(rig.sh(&rig.at("own"), "git push origin HEAD:refs/heads/main").code, 0);
    assert_eq!(rig.refs_but(&[]), before);
}

#[test]
fn f02_a_worker_removes_no_worktree_of_another() {
    let (rig, path) = two_workers();
    let other = rig.at("other");
    put(other.join("mine"), "work");
    for attempt in ["remove ../other", "remove --force ../other", "move ../other ../elsewhere", "remove --force ."] {
        let said = rig.sh(&path, &format!("git worktree {attempt}"));
        assert!(said.code != 0 && said.err.contains("the town's"), "{attempt}: {}", said.err);
    }
    // If a checkout has moved away for a moment, git must not forget it.
    fs::rename(&other, rig.at("aside")).unwrap();
    rig.works(&path, "git worktree prune --expire=now");
    fs::rename(rig.at("aside"), &other).unwrap();
    assert_eq!(rig.git.worktree(&rig.repo(), &other).unwrap().unwrap().dirty, ["mine"]);
}

#[test]
fn a_gate_moves_no_branch() {
    let (rig, _) = two_workers();
    let gate = rig.at("gate");
    rig.git.reset_gate_worktree(&rig.held, &rig.repo(), &gate, &rig.trunk()).unwrap();
    let before = rig.refs_but(&[]);
    for attempt in ["git branch stray", "git checkout -b stray", "git push origin HEAD:refs/heads/main", "git tag v1"] {
        assert_ne!(rig.sh(&gate, attempt).code, 0, "{attempt}");
    }
    assert_eq!(rig.refs_but(&[]), before);
}

#[test]
fn f02_a_worker_destroys_nothing_by_collecting_garbage() {
    let (rig, path) = two_workers();
    let dangling = rig.commit(&rig.worktree("ended"), "result", "r\n");
    let lost = Sha::from(rig.works(&path, "git commit-tree -m lost 'HEAD^{tree}'"));
    let kept = rig.commit(&rig.at("ended"), "later", "l\n");
    rig.git.set_ref(&rig.held, &rig.repo(), "refs/gt/mr/1", &dangling, None).unwrap();
    rig.git.snapshot(&rig.held, &rig.repo(), &rig.at("ended"), "refs/gt/snapshots/a", "s").unwrap();
    rig.git.archive_worktree(&rig.held, &rig.repo(), &rig.at("ended"), &rig.at("archived")).unwrap();
    rig.git.delete_ref(&rig.held, &rig.repo(), "refs/heads/polecat/ended").unwrap();
    let before = rig.refs_but(&[]);
    for attempt in [
        "git reflog expire --expire=now --all",
        "git prune --expire=now",
        "git gc --prune=now",
        "git gc --auto",
        "git repack -a -d",
        "git maintenance run",
        "git -c gc.auto=1 -c gc.pruneExpire=now gc --auto",
        "git -C \"$TOP/rig.git\" gc --prune=now",
        "git -C \"$TOP/rig.git\" prune",
    ] {
        // Some of these are refused; the others do something harmless.
        rig.sh(&path, attempt);
        assert_eq!(rig.refs_but(&[]), before, "{attempt}");
        for commit in [&dangling, &kept, &lost] {
            rig.git.tree_of(&rig.repo(), commit).unwrap_or_else(|e| panic!("{attempt}: {e}"));
        }
    }
    rig.works(&path, "git fsck --connectivity-only");
}
