//! Repositories, their refs and commits.

use super::*;
use crate::{FolderFacts, WorldError};

#[test]
fn making_a_repository_again_or_from_half_way_changes_nothing() {
    let rig = Rig::new();
    let url = rig.at("origin").to_str().unwrap().to_owned();
    let settings = || ["config", "config.worktree"].map(|name| fs::read_to_string(rig.repo().join(name)).unwrap());
    let before = settings();
    rig.git.create(&rig.held, &rig.repo(), &url, ObjectFormat::Sha1).unwrap();
    assert_eq!(settings(), before);
    for half in ["HEAD", "config"] {
        let repo = rig.at(&format!("half-{half}"));
        rig.git.create(&rig.held, &repo, &url, ObjectFormat::Sha1).unwrap();
        fs::remove_file(repo.join(half)).unwrap();
        put(repo.join("config.lock"), "");
        rig.git.create(&rig.held, &repo, &url, ObjectFormat::Sha1).unwrap();
        assert_eq!(rig.git.folder(&repo).unwrap(), FolderFacts::Bare, "{half}");
        let shared = fs::read_to_string(repo.join("config")).unwrap();
        let missing = before[0].lines().find(|line| !shared.contains(line) && !line.contains("filemode"));
        assert!(missing.is_none() && !shared.contains("bare ="), "{half}: {missing:?}");
        assert!(rig.git.fetch(&rig.held, &repo).unwrap().contains_key("main"), "{half}");
    }
    assert!(rig.git.create(&rig.held, &rig.at("seed"), &url, ObjectFormat::Sha1).is_err());
}

#[test]
fn a_folder_is_what_is_in_it_and_never_what_is_above() {
    let rig = Rig::new();
    let inside = rig.at("seed/inside");
    fs::create_dir(&inside).unwrap();
    let check = |name: &str, expected: FolderFacts| {
        assert_eq!(rig.git.folder(&rig.at(name)).unwrap(), expected, "{name}");
    };
    check("none", FolderFacts::NoRepository);
    check("seed/inside", FolderFacts::NoRepository);
    check("seed/.git", FolderFacts::NoRepository);
    check("rig.git", FolderFacts::Bare);
    let origin = Some(rig.at("origin").to_str().unwrap().to_owned());
    let branch = Some("main".to_owned());
    check("seed", FolderFacts::Checkout { origin, branch: branch.clone(), has_commit: true });
    rig.run(&rig.at(""), "init", &["--quiet", "--initial-branch=main", "young"]);
    check("young", FolderFacts::Checkout { origin: None, branch, has_commit: false });
    rig.run(&rig.at("seed"), "checkout", &["--quiet", "--detach"]);
    let seed = rig.git.folder(&rig.at("seed")).unwrap();
    assert!(matches!(seed, FolderFacts::Checkout { branch: None, .. }));
}

#[test]
fn a_bare_remote_is_a_copy_and_leaves_the_checkout_alone() {
    let rig = Rig::new();
    let (folder, bare) = (rig.at("seed"), rig.at("remotes/seed.git"));
    rig.run(&folder, "remote", &["remove", "origin"]);
    put(folder.join("base"), "changed\n");
    put(rig.at("remotes/seed.git.gt-making/left"), "over");
    for _ in 0..2 {
        rig.git.make_bare_remote(&rig.held, &folder, &bare).unwrap();
    }
    let facts = rig.git.ask_remote(bare.to_str().unwrap()).unwrap();
    assert_eq!(facts.branches.get("main"), Some(&rig.head(&folder)));
    assert_eq!(rig.run(&folder, "status", &["--porcelain"]), " M base");
    rig.run(&folder, "fetch", &["--quiet", "origin"]);
    assert_eq!(Sha::from(rig.run(&folder, "rev-parse", &["refs/remotes/origin/main"])), rig.head(&folder));
    let other = rig.git.make_bare_remote(&rig.held, &folder, &rig.at("other.git"));
    assert!(matches!(other, Err(WorldError::Unexpected(_))));
    assert!(!rig.at("other.git").exists());
}

#[test]
fn a_ref_is_set_by_compare_and_swap() {
    let rig = Rig::new();
    let (one, two) = (rig.trunk(), rig.commit(&rig.worktree("w"), "two", "2\n"));
    let set = |to: &Sha, expected: Option<&Sha>| rig.git.set_ref(&rig.held, &rig.repo(), "refs/gt/x", to, expected);
    set(&one, None).unwrap();
    set(&one, None).unwrap();
    assert!(set(&two, None).is_err());
    assert!(set(&two, Some(&two)).is_err());
    assert_eq!(rig.git.refs(&rig.repo()).unwrap()["refs/gt/x"], one);
    set(&two, Some(&one)).unwrap();
    assert_eq!(rig.git.refs(&rig.repo()).unwrap()["refs/gt/x"], two);
    for _ in 0..2 {
        rig.git.delete_ref(&rig.held, &rig.repo(), "refs/gt/x").unwrap();
    }
    assert!(!rig.git.refs(&rig.repo()).unwrap().contains_key("refs/gt/x"));
    assert!(rig.git.set_ref(&rig.held, &rig.repo(), "HEAD", &one, None).is_err());
}

#[test]
fn history_is_asked_of_commits_only() {
    let rig = Rig::new();
    let worktree = rig.worktree("w");
    let (old, one) = (rig.trunk(), rig.commit(&worktree, "one", "1\n"));
    let two = rig.commit(&worktree, "two", "2\n");
    let contains = |descendant, ancestor| rig.git.contains(&rig.repo(), descendant, ancestor);
    assert!(contains(&two, &old).unwrap() && contains(&two, &two).unwrap());
    assert!(!contains(&one, &two).unwrap());
    assert_eq!(rig.git.commits_between(&rig.repo(), &old, &two).unwrap(), 2);
    assert_eq!(rig.git.commits_between(&rig.repo(), &two, &old).unwrap(), 0);
    let tree = rig.git.tree_of(&rig.repo(), &two).unwrap();
    let unknown = Sha::from("1".repeat(40));
    for bad in [&tree, &unknown] {
        assert!(contains(bad, &old).is_err() && contains(&old, bad).is_err(), "{bad}");
    }
    assert!(rig.git.tree_of(&rig.repo(), &unknown).is_err());
}

#[test]
fn a_repository_names_objects_as_its_remote_does_whatever_the_user_has_as_a_habit() {
    let check = |format: ObjectFormat, habit: &str| {
        let mut rig = Rig::empty();
        let text = format!("[init]\n defaultObjectFormat = {habit}\n defaultRefFormat = reftable\n");
        let habits = rig.file(&text);
        let init = ["--quiet", "--initial-branch=main", &format!("--object-format={}", format.as_str())];
        rig.run(&rig.at(""), "init", &[&init[..], &["--bare", "origin"]].concat());
        rig.run(&rig.at(""), "init", &[&init[..], &["seed"]].concat());
        rig.run(&rig.at("seed"), "remote", &["add", "origin", &rig.url()]);
        rig.git.environment.retain(|(name, _)| name != "GIT_CONFIG_GLOBAL");
        rig.git.environment.push(("GIT_CONFIG_GLOBAL".into(), rig.at("habits").into()));
        fs::copy(habits, rig.at("habits")).unwrap();
        let first = rig.commit(&rig.at("seed"), "base", "base\n");
        rig.run(&rig.at("seed"), "push", &["--quiet", "origin", "main"]);
        let there = rig.git.ask_remote(&rig.url()).unwrap();
        assert_eq!(ObjectFormat::of(there.branches["main"].as_str()), Some(format));
        rig.git.create(&rig.held, &rig.repo(), &rig.url(), format).unwrap();
        assert_eq!(rig.git.fetch(&rig.held, &rig.repo()).unwrap()["main"], first);
        let path = rig.worktree("w");
        let new = rig.commit(&path, "more", "more\n");
        put(path.join("loose"), "x");
        let snapshot = rig.git.snapshot(&rig.held, &rig.repo(), &path, "refs/gt/snapshots/a", "s").unwrap();
        assert_eq!(rig.text_in(&snapshot.commit, "loose"), "x");
        let squashed = rig.git.squash(&rig.held, &rig.repo(), &first, &new, "Land").unwrap();
        let crate::Candidate::Clean { commit, .. } = squashed else { panic!("{squashed:?}") };
        let pushed = rig.git.push(&rig.held, &rig.repo(), "main", &commit, Some(&first)).unwrap();
        assert_eq!(pushed, crate::Push::Done);
        rig.git.reset_gate_worktree(&rig.held, &rig.repo(), &rig.at("gate"), &commit).unwrap();
        rig.git.archive_worktree(&rig.held, &rig.repo(), &path, &rig.at("archived")).unwrap();
        assert_eq!(rig.git.inspect(&rig.repo(), &rig.url()).unwrap(), crate::RepoHealth::default());
        fs::remove_file(rig.repo().join("config")).unwrap();
        rig.git.mend(&rig.held, &rig.repo(), &rig.url(), false).unwrap();
        assert_eq!(rig.git.inspect(&rig.repo(), &rig.url()).unwrap(), crate::RepoHealth::default());
    };
    check(ObjectFormat::Sha1, "sha256");
    check(ObjectFormat::Sha256, "sha1");
}
