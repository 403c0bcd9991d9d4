//! Large files, with the machine's git-lfs.

use super::*;
use crate::Referred;

/// Whether the machine has git-lfs. If not, prints that the test is skipped, or fails if the test must not be skipped.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "which tools the machine has is for the test to say"
)]
pub(super) fn has_lfs(rig: &Rig) -> bool {
    let there = rig.git.question(&Place::Nowhere, "lfs").arg("version").answer().unwrap().code == 0;
    let required = std::env::var("GT_REQUIRE").is_ok_and(|names| names.split([',', ' ']).any(|name| name == "lfs"));
    assert!(there || !required, "GT_REQUIRE names lfs, and there is no git-lfs");
    if !there {
        println!("skipped: there is no git-lfs");
    }
    there
}

/// Makes the rig of a project with the large file `big.bin`; `None` without git-lfs.
fn rig() -> Option<Rig> {
    let rig = Rig::new();
    if !has_lfs(&rig) {
        return None;
    }
    let seed = rig.at("seed");
    rig.run(&seed, "lfs", &["install", "--local", "--skip-repo"]);
    put(seed.join(".gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    rig.commit(&seed, "big.bin", "big\n");
    rig.run(&seed, "lfs", &["push", "origin", "HEAD"]);
    rig.run(&seed, "push", &["--quiet", "origin", "HEAD:main"]);
    rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    Some(rig)
}

fn pull(rig: &Rig, path: &Path) -> Referred {
    rig.git.pull_large_files(&rig.held, &rig.repo(), path).unwrap()
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn contents_take_the_place_of_pointers() {
    let Some(rig) = rig() else { return };
    let path = rig.worktree("w");
    assert!(text(path.join("big.bin")).starts_with("version https://git-lfs"));
    for _ in 0..2 {
        assert_eq!(pull(&rig, &path), Referred::There);
        assert_eq!(text(path.join("big.bin")), "big\n");
        assert_eq!(rig.run(&path, "status", &["--porcelain"]), "");
    }
    // Contents that are here are not fetched again.
    fs::rename(rig.at("origin"), rig.at("away")).unwrap();
    fs::create_dir(rig.at("origin")).unwrap();
    let gate = rig.at("gate");
    rig.git.reset_gate_worktree(&rig.held, &rig.repo(), &gate, &rig.trunk()).unwrap();
    assert_eq!(pull(&rig, &gate), Referred::There);
    assert_eq!(text(gate.join("big.bin")), "big\n");
}

#[test]
fn what_lands_takes_its_large_files_along() {
    let Some(rig) = rig() else { return };
    let path = rig.worktree("w");
    pull(&rig, &path);
    put(path.join("new.bin"), "new\n");
    rig.run(&path, "add", &["-A"]);
    rig.run(&path, "commit", &["--quiet", "-m", "new"]);
    let head = rig.head(&path);
    assert!(rig.text_in(&head, "new.bin").starts_with("version https://git-lfs"));
    for _ in 0..2 {
        assert_eq!(rig.git.push_large_files(&rig.held, &rig.repo(), &head).unwrap(), Referred::There);
    }
    rig.git.push(&rig.held, &rig.repo(), "main", &head, Some(&rig.trunk())).unwrap();
    let clone = rig.at("clone");
    rig.run(&rig.at(""), "clone", &["--quiet", "--branch=main", "origin", "clone"]);
    rig.run(&clone, "lfs", &["install", "--local", "--skip-repo"]);
    rig.run(&clone, "lfs", &["pull"]);
    assert_eq!(text(clone.join("new.bin")), "new\n");
}

#[test]
fn a_pointer_to_nothing_is_told_from_a_remote_that_is_away() {
    let Some(rig) = rig() else { return };
    let path = rig.worktree("w");
    pull(&rig, &path);
    let (oid, spec) = ("7".repeat(64), "https://git-lfs.github.com/spec/v1");
    put(path.join("ghost.bin"), format!("version {spec}\noid sha256:{oid}\nsize 5\n"));
    rig.run(&path, "add", &["-A"]);
    rig.run(&path, "commit", &["--quiet", "-m", "ghost"]);
    let head = rig.head(&path);
    assert!(matches!(pull(&rig, &path), Referred::Missing(_)));
    let pushed = rig.git.push_large_files(&rig.held, &rig.repo(), &head).unwrap();
    assert!(matches!(&pushed, Referred::Missing(why) if why.contains("ghost.bin")), "{pushed:?}");
    fs::rename(rig.at("origin"), rig.at("away")).unwrap();
    assert!(rig.git.pull_large_files(&rig.held, &rig.repo(), &path).is_err());
    assert!(rig.git.push_large_files(&rig.held, &rig.repo(), &head).is_err());
}

#[test]
fn large_files_are_saved_and_given_back() {
    let Some(rig) = rig() else { return };
    let path = rig.worktree("w");
    pull(&rig, &path);
    put(path.join("big.bin"), "bigger\n");
    put(path.join("own.bin"), "own\n");
    let name = "refs/gt/snapshots/x-1";
    let snapshot = rig.git.snapshot(&rig.held, &rig.repo(), &path, name, "x").unwrap();
    assert_eq!(snapshot.skipped, Vec::<String>::new());
    let again = rig.worktree("again");
    rig.git.restore_snapshot(&rig.held, &rig.repo(), &again, &snapshot.commit).unwrap();
    pull(&rig, &again);
    assert_eq!((text(again.join("big.bin")), text(again.join("own.bin"))), ("bigger\n".into(), "own\n".into()));
}

#[test]
fn the_projects_own_settings_say_where_large_files_are() {
    let Some(rig) = rig() else { return };
    let path = rig.worktree("w");
    pull(&rig, &path);
    rig.run(&rig.at(""), "init", &["--quiet", "--bare", "store"]);
    put(path.join(".lfsconfig"), format!("[lfs]\n\turl = file://{}\n", rig.at("store").display()));
    put(path.join("new.bin"), "new\n");
    rig.run(&path, "add", &["-A"]);
    rig.run(&path, "commit", &["--quiet", "-m", "new"]);
    assert_eq!(rig.git.push_large_files(&rig.held, &rig.repo(), &rig.head(&path)).unwrap(), Referred::There);
    assert!(rig.at("store/lfs/objects").is_dir());
}

#[test]
fn a_machine_without_git_lfs_is_told_what_to_install() {
    let mut rig = Rig::new();
    let path = rig.worktree("w");
    // A PATH with git but without git-lfs.
    let git = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|folder| folder.join("git"))
        .find(|git| git.is_file())
        .unwrap();
    fs::create_dir(rig.at("bin")).unwrap();
    std::os::unix::fs::symlink(git, rig.at("bin/git")).unwrap();
    rig.git.environment.retain(|(name, _)| name != "PATH");
    rig.git.environment.push(("PATH".into(), rig.at("bin").into()));
    let error = rig.git.pull_large_files(&rig.held, &rig.repo(), &path).unwrap_err();
    assert!(error.to_string().contains("apt-get install git-lfs"), "{error}");
    assert!(rig.git.push_large_files(&rig.held, &rig.repo(), &rig.trunk()).is_err());
}
