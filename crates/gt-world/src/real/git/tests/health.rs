//! Finds damage in a rig's repository, and repairs it.

#![expect(clippy::disallowed_methods, reason = "damages files as others do")]

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::Damage;

impl Rig {
    fn damaged(&self) -> Vec<String> {
        let health = self.git.inspect(&self.repo(), &self.url()).unwrap();
        health.damage.into_iter().map(|damage: Damage| damage.what).collect()
    }

    fn mend(&self) -> Vec<String> {
        let mended = self.git.mend(&self.held, &self.repo(), &self.url(), true).unwrap();
        mended.into_iter().map(|damage| damage.what).collect()
    }
}

/// Checks that a worker can commit in its worktree, and that the town can fetch and make another worktree.
fn all_works(rig: &Rig, path: &Path, what: &str) {
    rig.commit(path, "more", &format!("{what} {}", rig.head(path)));
    assert!(rig.git.fetch(&rig.held, &rig.repo()).unwrap().contains_key("main"), "{what}");
    let another = rig.worktree("another");
    rig.commit(&another, "more", &format!("{what} {}", rig.head(&another)));
    assert_eq!(rig.try_run(path, "branch", &["stray"]).code, 0, "{what}: our own calls run no hooks");
    rig.run(path, "branch", &["-D", "stray"]);
}

#[test]
fn a_repository_as_it_was_made_is_sound() {
    let rig = Rig::new();
    rig.worktree("w");
    let health = rig.git.inspect(&rig.repo(), &rig.url()).unwrap();
    assert_eq!(health, crate::RepoHealth::default());
    let sign = rig.git.sign(&rig.repo());
    assert_eq!(rig.mend(), Vec::<String>::new());
    rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    assert_eq!(rig.git.sign(&rig.repo()), sign, "nothing was written");
}

#[test]
fn each_damage_is_named_and_mended() {
    type Harm = fn(&Path);
    fn config(repo: &Path, key: &str, value: &str) {
        let file = repo.join("config");
        let mut git = std::process::Command::new("git");
        git.arg("config").arg("--file").arg(file).args([key, value]);
        assert!(git.status().unwrap().success());
    }
    let rig = Rig::new();
    let path = rig.worktree("w");
    let check = |what: &str, harm: Harm| {
        let sign = rig.git.sign(&rig.repo());
        harm(&rig.repo());
        assert_ne!(rig.git.sign(&rig.repo()), sign, "{what}");
        assert!(rig.damaged().iter().any(|found| found == what), "{what}: {:?}", rig.damaged());
        assert!(rig.mend().iter().any(|found| found == what), "{what}");
        assert_eq!(rig.damaged(), Vec::<String>::new(), "{what}");
        all_works(&rig, &path, what);
    };
    check("core.bare", |repo| config(repo, "core.bare", "true"));
    check("core.bare", |repo| config(repo, "core.bare", "false"));
    check("core.worktree", |repo| config(repo, "core.worktree", "/tmp"));
    check("core.repositoryformatversion", |repo| config(repo, "core.repositoryFormatVersion", "0"));
    check("core.repositoryformatversion", |repo| config(repo, "core.repositoryFormatVersion", "7"));
    check("extensions.worktreeconfig", |repo| config(repo, "extensions.worktreeConfig", "false"));
    check("extensions.worktreeconfig", |repo| config(repo, "extensions.worktreeConfig", "nonsense"));
    check("extensions.preciousobjects", |repo| config(repo, "extensions.preciousObjects", "false"));
    check("extensions.unknown", |repo| config(repo, "extensions.unknown", "true"));
    check("extensions.objectformat", |repo| config(repo, "extensions.objectFormat", "sha256"));
    check("extensions.partialclone", |repo| config(repo, "extensions.partialClone", "origin"));
    check("gc.auto", |repo| config(repo, "gc.auto", "1"));
    check("core.logallrefupdates", |repo| config(repo, "core.logAllRefUpdates", "false"));
    check("remote.origin.url", |repo| config(repo, "remote.origin.url", "/elsewhere"));
    check("remote.origin.fetch", |repo| config(repo, "remote.origin.fetch", "+refs/*:refs/*"));
    check("config", |repo| fs::write(repo.join("config"), "[core\nbare").unwrap());
    check("config", |repo| fs::remove_file(repo.join("config")).unwrap());
    check("core.repositoryformatversion", |repo| fs::write(repo.join("config"), "").unwrap());
    check("config.worktree", |repo| fs::remove_file(repo.join("config.worktree")).unwrap());
    check("config.worktree", |repo| fs::write(repo.join("config.worktree"), "[").unwrap());
    check("HEAD", |repo| fs::remove_file(repo.join("HEAD")).unwrap());
    check("HEAD", |repo| fs::write(repo.join("HEAD"), "ref: refs/heads/polecat/w\n").unwrap());
    check("gt-hooks/reference-transaction", |repo| {
        fs::write(repo.join("gt-hooks/reference-transaction"), "#!/bin/sh\n").unwrap();
    });
    check("gt-hooks/reference-transaction", |repo| {
        let guard = repo.join("gt-hooks/reference-transaction");
        fs::set_permissions(guard, fs::Permissions::from_mode(0o644)).unwrap();
    });
    check("gt-hooks/pre-commit", |repo| fs::remove_dir_all(repo.join("gt-hooks")).unwrap());
    check("info/grafts", |repo| {
        fs::create_dir_all(repo.join("info")).unwrap();
        fs::write(repo.join("info/grafts"), format!("{}\n", "1".repeat(40))).unwrap();
    });
}

#[test]
fn a_replacement_of_a_commit_is_named_and_taken_away_on_request_only() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    let (old, new) = (rig.trunk(), rig.commit(&path, "more", "x"));
    let name = format!("refs/replace/{old}");
    rig.git.set_ref(&rig.held, &rig.repo(), &name, &new, None).unwrap();
    assert_eq!(rig.damaged(), [name.as_str()]);
    assert_eq!(rig.git.mend(&rig.held, &rig.repo(), &rig.url(), false).unwrap(), []);
    assert_eq!(rig.damaged(), [name.as_str()]);
    assert_eq!(rig.mend(), [name]);
    assert_eq!(rig.damaged(), Vec::<String>::new());
    assert!(rig.git.tree_of(&rig.repo(), &new).is_ok(), "the objects stay");
}

#[test]
fn additions_of_the_projects_tools_are_listed_and_stay() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    for (key, value) in
        [("core.hooksPath", ".husky"), ("user.name", "test"), ("submodule.lib.url", "/lib"), ("include.path", "../x")]
    {
        rig.run(&path, "config", &["--local", key, value]);
    }
    put(rig.repo().join("gt-hooks/pre-commit"), "#!/bin/sh\n");
    let listed = |rig: &Rig| rig.git.inspect(&rig.repo(), &rig.url()).unwrap().additions;
    let expected = [
        "core.hookspath=.husky",
        "user.name=test",
        "submodule.lib.url=/lib",
        "include.path=../x",
        "the hook pre-commit in gt-hooks",
    ];
    assert_eq!(listed(&rig), expected);
    // A repair of other settings leaves them alone.
    rig.run(&path, "config", &["--local", "core.bare", "true"]);
    put(rig.repo().join("config.lock"), "of a killed git");
    assert_eq!(rig.mend(), ["core.bare"]);
    assert_eq!(listed(&rig), expected);
}

#[test]
fn what_is_lost_is_told_and_nothing_is_made_up() {
    let rig = Rig::new();
    put(rig.repo().join("objects/info/alternates"), "/elsewhere/objects\n");
    let lost = rig.git.inspect(&rig.repo(), &rig.url()).unwrap().lost;
    assert!(lost.len() == 1 && lost[0].found.contains("/elsewhere/objects"), "{lost:?}");
    fs::rename(rig.repo().join("objects"), rig.at("moved")).unwrap();
    let lost = rig.git.inspect(&rig.repo(), &rig.url()).unwrap().lost;
    assert_eq!(lost[0].what, "objects");
    assert_eq!(rig.mend(), Vec::<String>::new());
    assert!(!rig.repo().join("objects").exists());
}
