//! Tests of the facts about a remote that are known before a push, and about the remotes that a checkout names.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::{NamedRemote, OnCheckedOut, Receiving};

fn receiving(rig: &Rig, url: &str) -> Receiving {
    rig.git.receiving(url).unwrap().unwrap_or_else(|| panic!("{url} is on this machine"))
}

#[test]
fn what_a_remote_of_this_machine_does_with_pushes_is_known() {
    let rig = Rig::new();
    let (bare, seed) = (rig.url(), rig.at("seed").to_str().unwrap().to_owned());
    assert_eq!(receiving(&rig, &bare), Receiving { folder: rig.at("origin"), ..Receiving::default() });
    let branch = rig.run(&rig.at("seed"), "symbolic-ref", &["--short", "HEAD"]);
    let checked_out = vec![(branch, rig.at("seed"))];
    for url in [seed.clone(), format!("file://{seed}"), format!("{seed}/"), format!("{seed}/.git")] {
        let there = receiving(&rig, &url);
        assert_eq!((there.checked_out, there.on_checked_out), (checked_out.clone(), OnCheckedOut::Refuses), "{url}");
    }
    let refuses = |value: &str| {
        rig.run(&rig.at("seed"), "config", &["receive.denyCurrentBranch", value]);
        receiving(&rig, &seed).on_checked_out
    };
    assert_eq!(refuses("updateInstead"), OnCheckedOut::Updates);
    assert_eq!(refuses("warn"), OnCheckedOut::Ignores);
    assert_eq!(refuses("refuse"), OnCheckedOut::Refuses);
    // A branch can be checked out beside a bare repository, too.
    rig.run(&rig.at("origin"), "worktree", &["add", "--quiet", "../beside", "main"]);
    assert_eq!(receiving(&rig, &bare).checked_out, [("main".to_owned(), rig.at("beside"))]);
    for away in ["https://example.invalid/x", "git@example.invalid:x.git", "/nowhere", "relative"] {
        assert_eq!(rig.git.receiving(away).unwrap(), None, "{away}");
    }
}

#[test]
fn what_may_refuse_a_push_is_listed() {
    let rig = Rig::new();
    for (name, mode) in [("pre-receive", 0o755), ("update", 0o644), ("post-receive", 0o755)] {
        let hook = rig.at("origin/hooks").join(name);
        put(&hook, "#!/bin/sh\n");
        fs::set_permissions(&hook, fs::Permissions::from_mode(mode)).unwrap();
    }
    assert_eq!(receiving(&rig, &rig.url()).hooks, ["pre-receive"]);
    rig.commit(&rig.at("seed"), "more", "x\n");
    rig.run(&rig.at("seed"), "push", &["--quiet", "origin", "HEAD:refs/heads/main"]);
    rig.run(&rig.at(""), "clone", &["--quiet", "--bare", "--depth=1", &format!("file://{}", rig.url()), "shallow.git"]);
    let shallow = rig.at("shallow").to_str().unwrap().to_owned();
    assert!(receiving(&rig, &shallow).is_shallow, "git finds it with .git behind its name");
    // Work is still fetched from there, and lands there.
    let repo = rig.at("other.git");
    rig.git.create(&rig.held, &repo, &shallow, ObjectFormat::Sha1).unwrap();
    let trunk = rig.git.fetch(&rig.held, &repo).unwrap()["main"].clone();
    let plan = WorktreePlan { start: trunk.clone(), ..rig.plan("w") };
    rig.git.add_worktree(&rig.held, &repo, &plan).unwrap();
    let new = rig.commit(&plan.path, "one", "1\n");
    let landed = rig.git.squash(&rig.held, &repo, &trunk, &new, "Land").unwrap();
    let crate::Candidate::Clean { commit, .. } = landed else { panic!("{landed:?}") };
    let pushed = rig.git.push(&rig.held, &repo, "main", &commit, Some(&trunk)).unwrap();
    assert_eq!(pushed, crate::Push::Done);
}

#[test]
fn a_remote_that_takes_no_push_says_so_before_one() {
    let rig = Rig::new();
    let try_push = || rig.git.try_push(&rig.held, &rig.repo(), "main", &rig.trunk()).unwrap();
    assert_eq!(try_push(), None);
    // The remote only serves fetches: for pushes git asks this program, which refuses.
    rig.run(&rig.at("origin"), "config", &["uploadpack.allowAnySHA1InWant", "true"]);
    let program = rig.at("refuses");
    put(&program, "#!/bin/sh\necho 'ERR access denied' >&2\nexit 1\n");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let control = rig.repo().join("gt-control/config");
    let text = fs::read_to_string(&control).unwrap();
    put(&control, format!("{text}[remote \"origin\"]\n\treceivepack = {}\n", program.display()));
    let why = try_push().expect("a refusal");
    assert!(why.contains("access denied"), "{why}");
    assert!(rig.git.fetch(&rig.held, &rig.repo()).is_ok(), "it gives all the same");
}

#[test]
fn the_remotes_of_a_checkout_are_listed_with_the_one_that_its_branch_follows() {
    let rig = Rig::new();
    let seed = rig.at("seed");
    let listed = |rig: &Rig| {
        let remotes = rig.git.remotes(&seed).unwrap();
        let one = |remote: NamedRemote| {
            let url = remote.url.unwrap_or("-".to_owned());
            format!("{} {url} {} {}", remote.name, remote.push_url.unwrap_or("-".to_owned()), remote.is_tracked)
        };
        remotes.into_iter().map(one).collect::<Vec<_>>()
    };
    rig.run(&seed, "remote", &["rename", "origin", "up.stream"]);
    rig.run(&seed, "remote", &["add", "fork", "/fork"]);
    rig.run(&seed, "remote", &["set-url", "--push", "fork", "no_push"]);
    rig.run(&seed, "remote", &["set-url", "--add", "fork", "/second"]);
    rig.run(&seed, "config", &["remote.named.fetch", "x"]);
    let branch = rig.run(&seed, "symbolic-ref", &["--short", "HEAD"]);
    rig.run(&seed, "config", &[&format!("branch.{branch}.remote"), "up.stream"]);
    let up = rig.run(&seed, "config", &["remote.up.stream.url"]);
    assert_eq!(listed(&rig), [format!("up.stream {up} - true"), "fork /fork no_push false".to_owned()]);
    rig.run(&seed, "config", &[&format!("branch.{branch}.remote"), "."]);
    assert!(listed(&rig)[0].ends_with("false"));
    rig.run(&seed, "checkout", &["--quiet", "--detach"]);
    assert!(listed(&rig)[0].ends_with("false"));
}

#[test]
fn filters_that_a_project_names_are_missed_where_no_settings_give_them() {
    let rig = Rig::new();
    let seed = rig.at("seed");
    let text =
        "*.bin filter=lfs diff=lfs merge=lfs -text\n# *.x filter=commented\n*.log merge=union\n*.md text merge=notes\n";
    put(seed.join(".gitattributes"), text);
    put(seed.join("deep/er/.gitattributes"), "*.key filter=crypt\n");
    put(seed.join("deep/not.gitattributes.txt"), "*.key filter=other\n");
    rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    let commit = rig.commit(&seed, "more", "x\n");
    rig.run(&seed, "push", &["--quiet", "origin", "HEAD:refs/heads/main"]);
    rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    let filters = rig.git.filters(&rig.repo(), &commit).unwrap();
    assert_eq!(filters.iter().collect::<Vec<_>>(), ["crypt", "lfs"]);
    let missing = |rig: &Rig| {
        let unserved = rig.git.unserved(&filters).unwrap();
        unserved.into_iter().map(|damage| damage.what).filter(|what| what != "lfs").collect::<Vec<_>>()
    };
    assert_eq!(missing(&rig), ["crypt"]);
    let mut rig = rig;
    let settings = rig.file("[filter \"crypt\"]\n smudge = cat\n");
    rig.git.environment.retain(|(name, _)| name != "GIT_CONFIG_GLOBAL");
    rig.git.environment.push(("GIT_CONFIG_GLOBAL".into(), settings.into()));
    assert_eq!(missing(&rig), Vec::<String>::new());
    // Without git-lfs in the PATH.
    let bin = rig.at("bin");
    fs::create_dir(&bin).unwrap();
    for program in ["git", "sh"] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join(program))
            .find(|path| path.exists());
        std::os::unix::fs::symlink(found.unwrap(), bin.join(program)).unwrap();
    }
    rig.git.environment.retain(|(name, _)| name != "PATH");
    rig.git.environment.push(("PATH".into(), bin.into()));
    let unserved = rig.git.unserved(&filters).unwrap();
    let lfs = unserved.iter().find(|damage| damage.what == "lfs").expect("git-lfs is missed");
    assert!(lfs.found.contains("git-lfs, which is not installed"));
}
