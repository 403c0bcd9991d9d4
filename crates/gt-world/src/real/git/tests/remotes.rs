//! Fetches and pushes.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::real::RealClock;
use crate::{Clock as _, Push, WorldError};

fn push(rig: &Rig, branch: &str, new: &Sha, expected: Option<&Sha>) -> Push {
    rig.git.push(&rig.held, &rig.repo(), branch, new, expected).unwrap()
}

fn remote_value(rig: &Rig, branch: &str) -> Option<Sha> {
    rig.git.ask_remote(rig.at("origin").to_str().unwrap()).unwrap().branches.remove(branch)
}

#[test]
fn a_push_moves_the_branch_once() {
    let rig = Rig::new();
    let (old, new) = (rig.trunk(), rig.commit(&rig.worktree("w"), "one", "1\n"));
    assert_eq!(push(&rig, "main", &new, Some(&old)), Push::Done);
    assert_eq!(push(&rig, "main", &new, Some(&old)), Push::Done);
    assert_eq!(remote_value(&rig, "main"), Some(new.clone()));
    assert_eq!(rig.trunk(), new);
    assert_eq!(push(&rig, "made", &new, None), Push::Done);
    assert_eq!(remote_value(&rig, "made"), Some(new));
}

#[test]
fn a_branch_that_is_elsewhere_is_left_there() {
    let rig = Rig::new();
    let (old, new) = (rig.trunk(), rig.commit(&rig.worktree("w"), "one", "1\n"));
    let foreign = rig.commit(&rig.at("seed"), "foreign", "f\n");
    rig.run(&rig.at("seed"), "push", &["--quiet", "origin", "HEAD:refs/heads/main"]);
    assert_eq!(push(&rig, "main", &new, Some(&old)), Push::Moved);
    assert_eq!(push(&rig, "main", &new, None), Push::Moved);
    assert_eq!(push(&rig, "none", &new, Some(&old)), Push::Moved);
    assert_eq!(remote_value(&rig, "main"), Some(foreign));
}

#[test]
fn a_push_never_loses_commits() {
    let rig = Rig::new();
    let (one, two) = (rig.commit(&rig.worktree("a"), "one", "1\n"), rig.commit(&rig.worktree("b"), "two", "2\n"));
    assert_eq!(push(&rig, "main", &one, Some(&rig.trunk())), Push::Done);
    let result = rig.git.push(&rig.held, &rig.repo(), "main", &two, Some(&one));
    assert!(matches!(result, Err(WorldError::Unexpected(_))), "{result:?}");
    assert_eq!(remote_value(&rig, "main"), Some(one));
}

#[test]
fn a_hook_of_the_remote_refuses_with_its_words() {
    let rig = Rig::new();
    let (old, new) = (rig.trunk(), rig.commit(&rig.worktree("w"), "one", "1\n"));
    let hook = rig.at("origin/hooks/pre-receive");
    put(&hook, "#!/bin/sh\necho 'trunk is frozen'\nexit 1\n");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let expected = "pre-receive hook declined: trunk is frozen";
    assert_eq!(push(&rig, "main", &new, Some(&old)), Push::Refused(expected.to_owned()));
    assert_eq!(remote_value(&rig, "main"), Some(old.clone()));
    assert_eq!(rig.trunk(), old);
}

#[test]
fn a_branch_that_is_checked_out_there_is_refused() {
    let rig = Rig::new();
    let seed = rig.at("seed");
    rig.git.create(&rig.held, &rig.repo(), seed.to_str().unwrap(), ObjectFormat::Sha1).unwrap();
    let (old, new) = (rig.trunk(), rig.commit(&rig.worktree("w"), "one", "1\n"));
    let Push::Refused(reason) = push(&rig, "main", &new, Some(&old)) else { panic!("not refused") };
    assert!(reason.starts_with("branch is currently checked out"), "{reason}");
}

#[test]
fn a_remote_that_is_gone_is_unreachable() {
    let rig = Rig::new();
    let (old, new) = (rig.trunk(), rig.commit(&rig.worktree("w"), "one", "1\n"));
    fs::rename(rig.at("origin"), rig.at("elsewhere")).unwrap();
    let push = rig.git.push(&rig.held, &rig.repo(), "main", &new, Some(&old)).unwrap_err();
    let fetch = rig.git.fetch(&rig.held, &rig.repo()).unwrap_err();
    let ask = rig.git.ask_remote(rig.at("origin").to_str().unwrap()).unwrap_err();
    for error in [push, fetch, ask] {
        assert!(matches!(&error, WorldError::Unreachable { text, .. } if !text.is_empty()), "{error:?}");
    }
}

/// Uses a stand-in for ssh that asks a question as ssh does, in the way that ssh was told to.
#[test]
fn what_ssh_asks_is_denied_at_once() {
    let mut rig = Rig::empty();
    let asks = "test \"$SSH_ASKPASS_REQUIRE\" = force || exec sleep 600; $SSH_ASKPASS 'Are you sure?' && exec sleep 600; \
                echo Host key verification failed. >&2; exit 255";
    let script = rig.at("ssh");
    RealDisk.write(&script, format!("#!/bin/sh\n{asks}\n").as_bytes()).unwrap();
    let command = format!("sh {}", script.display());
    rig.git.environment.push(("GIT_SSH_COMMAND".into(), command.into()));
    let error = rig.git.ask_remote("git@host.invalid:a.git").unwrap_err();
    let is_named = |text: &str| text.contains("Host key verification failed");
    assert!(matches!(&error, WorldError::Unreachable { text, .. } if is_named(text)), "{error:?}");
}

#[test]
fn a_fetch_follows_the_remote() {
    let rig = Rig::new();
    rig.run(&rig.at("seed"), "push", &["--quiet", "origin", "HEAD:refs/heads/gone", "HEAD:refs/heads/a/b"]);
    rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    rig.run(&rig.at("seed"), "push", &["--quiet", "origin", ":refs/heads/gone"]);
    rig.run(&rig.repo(), "symbolic-ref", &["refs/remotes/origin/HEAD", "refs/remotes/origin/main"]);
    let branches = rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    assert_eq!(branches.keys().collect::<Vec<_>>(), ["a/b", "main"]);
    // A branch where a folder was, and the other way round.
    rig.run(&rig.at("seed"), "push", &["--quiet", "origin", ":refs/heads/a/b"]);
    rig.run(&rig.at("seed"), "push", &["--quiet", "origin", "HEAD:refs/heads/a", "HEAD:refs/heads/c"]);
    assert!(rig.git.fetch(&rig.held, &rig.repo()).unwrap().contains_key("a"));
    rig.run(&rig.at("seed"), "push", &["--quiet", "origin", ":refs/heads/c"]);
    rig.run(&rig.at("seed"), "push", &["--quiet", "origin", "HEAD:refs/heads/c/d"]);
    assert!(rig.git.fetch(&rig.held, &rig.repo()).unwrap().contains_key("c/d"));
}

#[test]
fn a_remote_tells_its_branches_and_an_empty_one_has_none() {
    let rig = Rig::new();
    let facts = rig.git.ask_remote(rig.at("origin").to_str().unwrap()).unwrap();
    assert_eq!(facts.head_branch.as_deref(), Some("main"));
    assert_eq!(facts.branches.get("main"), Some(&rig.trunk()));
    rig.run(&rig.at(""), "init", &["--quiet", "--bare", "void"]);
    assert!(rig.git.ask_remote(rig.at("void").to_str().unwrap()).unwrap().branches.is_empty());
    assert!(rig.git.ask_remote("--upload-pack=touch x").is_err());
}

#[test]
fn a_remote_that_never_answers_is_given_up_with_all_that_asked_it() {
    let mut rig = Rig::new();
    let asking = rig.at("asking");
    let ssh = rig.at("ssh.sh");
    let script = format!("#!/bin/sh\necho $$ > '{}'\nexec sleep 600\n", asking.display());
    crate::Disk::write(&RealDisk, &ssh, script.as_bytes()).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o700)).unwrap();
    rig.git.environment.push(("GIT_SSH".into(), ssh.into()));
    rig.git.remote_patience = Duration::from_millis(500);
    let error = rig.git.ask_remote("ssh://nowhere.invalid/app.git").unwrap_err().to_string();
    assert!(error.contains("no answer within"), "{error}");
    let pid: i32 = fs::read_to_string(asking).unwrap().trim().parse().unwrap();
    let is_gone = || crate::real::process::Stat::read(pid).is_none_or(|stat| stat.zombie);
    // The kernel takes a moment to deliver a signal.
    while !is_gone() {
        RealClock.pause(Duration::from_millis(10));
    }
}

#[test]
fn a_fetch_makes_tags_those_of_the_remote_and_says_which_they_are() {
    let rig = Rig::new();
    let seed = rig.at("seed");
    let tags = || {
        let mut refs = rig.git.refs(&rig.repo()).unwrap();
        refs.retain(|name, _| name.starts_with("refs/tags/"));
        refs
    };
    rig.run(&seed, "tag", &["v1"]);
    rig.run(&seed, "push", &["--quiet", "origin", "v1"]);
    rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    assert_eq!(tags().keys().collect::<Vec<_>>(), ["refs/tags/v1"]);
    assert_eq!(rig.git.upstream_tags(&rig.repo()).unwrap(), Some(tags()));
    let own = rig.commit(&rig.worktree("w"), "one", "1\n");
    rig.git.set_ref(&rig.held, &rig.repo(), "refs/tags/own", &own, None).unwrap();
    assert!(!rig.git.upstream_tags(&rig.repo()).unwrap().unwrap().contains_key("refs/tags/own"));
    // A failed fetch changes nothing.
    fs::rename(rig.at("origin"), rig.at("elsewhere")).unwrap();
    rig.git.fetch(&rig.held, &rig.repo()).unwrap_err();
    assert_eq!(rig.git.upstream_tags(&rig.repo()).unwrap().unwrap().len(), 1);
    fs::rename(rig.at("elsewhere"), rig.at("origin")).unwrap();
    rig.run(&seed, "push", &["--quiet", "origin", ":v1"]);
    rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    assert_eq!(tags().len(), 0);
    assert_eq!(rig.git.upstream_tags(&rig.repo()).unwrap(), Some(tags()));
}
