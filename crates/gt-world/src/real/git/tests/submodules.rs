//! Submodules, with real repositories.

use super::*;
use crate::Referred;

/// Makes a rig whose project has the submodule `lib`, which has the submodule `inner`.
pub(super) fn rig() -> Rig {
    filled(Rig::new())
}

/// Adds these submodules to a rig's project.
pub(super) fn filled(mut rig: Rig) -> Rig {
    // Only the user's own configuration allows git to fetch a submodule from a folder.
    let config = rig.file("[protocol \"file\"]\n\tallow = always\n[user]\n\tname = Ann\n\temail = ann@example.com\n");
    fs::rename(config, rig.at("gitconfig")).unwrap();
    rig.git.environment.retain(|(name, _)| name != "GIT_CONFIG_GLOBAL");
    rig.git.environment.push(("GIT_CONFIG_GLOBAL".into(), rig.at("gitconfig").into()));
    for name in ["inner", "lib"] {
        rig.run(&rig.at(""), "init", &["--quiet", "--bare", "--initial-branch=main", name]);
        rig.run(&rig.at(""), "clone", &["--quiet", name, &format!("{name}-seed")]);
    }
    rig.commit(&rig.at("inner-seed"), "deep", "deep\n");
    rig.run(&rig.at("inner-seed"), "push", &["--quiet", "origin", "HEAD:main"]);
    add_submodule(&rig, "lib-seed", "../inner", "inner");
    add_submodule(&rig, "seed", "../lib", "lib");
    rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    rig
}

fn add_submodule(rig: &Rig, seed: &str, url: &str, path: &str) {
    let seed = rig.at(seed);
    rig.run(&seed, "submodule", &["--quiet", "add", url, path]);
    rig.commit(&seed, "own", "own\n");
    rig.run(&seed, "push", &["--quiet", "origin", "HEAD:main"]);
}

fn check_out(rig: &Rig, path: &Path) -> Referred {
    rig.git.check_out_submodules(&rig.held, &rig.repo(), path).unwrap()
}

/// Makes a worker's worktree with its submodules.
fn worktree(rig: &Rig, name: &str) -> PathBuf {
    let path = rig.worktree(name);
    assert_eq!(check_out(rig, &path), Referred::There);
    path
}

fn clean(rig: &Rig, path: &Path) {
    assert_eq!(rig.run(path, "status", &["--porcelain"]), "");
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn submodules_are_checked_out_recursively_and_nothing_is_shared() {
    let rig = rig();
    let before = text(rig.repo().join("config"));
    for name in ["a", "b"] {
        let path = worktree(&rig, name);
        assert_eq!(text(path.join("lib/inner/deep")), "deep\n");
        clean(&rig, &path);
        // A second run changes nothing.
        assert_eq!(check_out(&rig, &path), Referred::There);
        clean(&rig, &path);
        let status = rig.run(&path, "submodule", &["status", "--recursive"]);
        assert!(status.lines().all(|line| line.starts_with(' ')) && status.lines().count() == 2, "{status}");
    }
    assert_eq!(text(rig.repo().join("config")), before, "the worktrees' shared settings are as they were");
}

#[test]
fn a_worker_pushes_nowhere_from_a_submodule_and_commits_as_itself() {
    let rig = rig();
    let path = worktree(&rig, "w");
    for inside in ["lib", "lib/inner"] {
        let inside = path.join(inside);
        put(inside.join("mine"), "1");
        rig.run(&inside, "add", &["-A"]);
        rig.run(&inside, "commit", &["--quiet", "-m", "mine"]);
        let author = rig.run(&inside, "show", &["-s", "--format=%an <%ae>"]);
        assert_eq!(author, "vt/polecats/nux <nux@gt.localhost>");
        let url = rig.run(&inside, "config", &["remote.origin.url"]);
        for target in ["origin", &url, &format!("file://{url}")] {
            let answer = rig.try_run(&inside, "push", &["--no-verify", target, "HEAD:refs/heads/mine"]);
            assert!(answer.code != 0 && answer.stderr.contains("gt-refused"), "{target}: {}", answer.stderr);
        }
        assert!(!rig.git.ask_remote(&url).unwrap().branches.contains_key("mine"));
        // The last helper is the empty one, which makes git forget those before it.
        let helpers = rig.run(&inside, "config", &["--get-all", "credential.helper"]);
        assert_eq!(helpers, "");
    }
}

#[test]
fn what_a_killed_git_left_is_made_anew() {
    let rig = rig();
    let states: [fn(&Path, &Path); 4] = [
        |_, module| fs::remove_file(module.join("HEAD")).unwrap(),
        |_, module| fs::remove_dir_all(module.join("objects")).unwrap(),
        |path, _| fs::remove_file(path.join("lib/.git")).unwrap(),
        |path, _| put(path.join("lib/.git"), ""),
    ];
    for (number, leave) in states.iter().enumerate() {
        let path = worktree(&rig, &format!("w{number}"));
        leave(&path, &rig.repo().join(format!("worktrees/w{number}/modules/lib")));
        assert_eq!(check_out(&rig, &path), Referred::There, "{number}");
        assert_eq!(text(path.join("lib/inner/deep")), "deep\n");
        clean(&rig, &path);
    }
}

#[test]
fn a_gate_worktree_gets_the_submodules_of_its_commit_and_loses_what_gates_left() {
    let rig = rig();
    let (gate, first) = (rig.at("gate"), rig.trunk());
    rig.commit(&rig.at("lib-seed"), "more", "more\n");
    rig.run(&rig.at("lib-seed"), "push", &["--quiet", "origin", "HEAD:main"]);
    rig.run(&rig.at("seed").join("lib"), "pull", &["--quiet", "origin", "main"]);
    let second = rig.commit(&rig.at("seed"), "bump", "1\n");
    rig.run(&rig.at("seed"), "push", &["--quiet", "origin", "HEAD:main"]);
    rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    for (commit, has_more) in [(&first, false), (&second, true), (&first, false)] {
        rig.git.reset_gate_worktree(&rig.held, &rig.repo(), &gate, commit).unwrap();
        assert_eq!(check_out(&rig, &gate), Referred::There);
        clean(&rig, &gate);
        assert_eq!(gate.join("lib/more").exists(), has_more);
        put(gate.join("lib/own"), "changed by a gate");
        put(gate.join("lib/inner/left"), "left by a gate");
    }
    rig.git.reset_gate_worktree(&rig.held, &rig.repo(), &gate, &first).unwrap();
    // Unchanged submodules ask no remote.
    fs::rename(rig.at("lib"), rig.at("away")).unwrap();
    assert_eq!(check_out(&rig, &gate), Referred::There);
    assert!(!gate.join("lib/inner/left").exists());
    assert_eq!(text(gate.join("lib/own")), "own\n");
}

#[test]
fn what_nobody_can_have_is_told_from_a_remote_that_is_away() {
    let rig = rig();
    let path = rig.worktree("w");
    let ghost = "160000,0123456789012345678901234567890123456789,lib";
    rig.run(&path, "update-index", &["--cacheinfo", ghost]);
    rig.run(&path, "commit", &["--quiet", "-m", "ghost"]);
    assert!(matches!(check_out(&rig, &path), Referred::Missing(why) if why.contains("not our ref")));
    let path = rig.worktree("x");
    fs::rename(rig.at("lib"), rig.at("away")).unwrap();
    assert!(rig.git.check_out_submodules(&rig.held, &rig.repo(), &path).is_err());
    fs::rename(rig.at("away"), rig.at("lib")).unwrap();
    assert_eq!(check_out(&rig, &path), Referred::There);
}

#[test]
fn addresses_and_names_that_would_run_or_write_something_are_refused() {
    let rig = rig();
    let witness = rig.at("witness");
    let run = format!("touch {}", witness.display());
    for (name, url, update) in [
        ("lib", format!("ext::sh -c '{run}'"), String::new()),
        ("lib", "../lib".to_owned(), format!("\tupdate = !{run}\n")),
        ("../../../../escaped", "../lib".to_owned(), String::new()),
        ("lib", format!("-u{run}"), String::new()),
    ] {
        let path = rig.worktree("w");
        let text = format!("[submodule \"{name}\"]\n\tpath = lib\n\turl = {url}\n{update}");
        rig.commit(&path, ".gitmodules", &text);
        let result = rig.git.check_out_submodules(&rig.held, &rig.repo(), &path);
        assert!(!path.join("lib/own").exists(), "{name} {url}: {result:?}");
        assert!(!witness.exists() && !rig.at("escaped").exists(), "{name} {url}");
        rig.git.remove_gate_worktree(&rig.held, &rig.repo(), &path).unwrap();
        rig.run(&rig.repo(), "update-ref", &["-d", "refs/heads/polecat/w"]);
    }
}

#[test]
fn a_user_who_does_not_allow_folders_as_remotes_is_obeyed() {
    let mut rig = rig();
    rig.git.environment.retain(|(name, _)| name != "GIT_CONFIG_GLOBAL");
    rig.git.environment.push(("GIT_CONFIG_GLOBAL".into(), "/dev/null".into()));
    let path = rig.worktree("w");
    assert!(matches!(check_out(&rig, &path), Referred::Missing(why) if why.contains("not allowed")));
}

#[test]
fn a_snapshot_lists_what_is_changed_in_a_submodule_and_the_archive_keeps_it() {
    let rig = rig();
    let path = worktree(&rig, "w");
    put(path.join("lib/own"), "dirty");
    put(path.join("own"), "changed");
    let name = "refs/gt/snapshots/x-1";
    let snapshot = rig.git.snapshot(&rig.held, &rig.repo(), &path, name, "x").unwrap();
    assert_eq!(snapshot.skipped, ["lib"]);
    assert_eq!(rig.text_in(&snapshot.commit, "own"), "changed");
    // A commit in a submodule is in that repository alone.
    rig.run(&path.join("lib"), "commit", &["--quiet", "-am", "mine"]);
    let inside = rig.head(&path.join("lib"));
    let snapshot = rig.git.snapshot(&rig.held, &rig.repo(), &path, name, "x").unwrap();
    assert_eq!(snapshot.skipped, ["lib"]);
    put(path.join("lib/inner/left"), "untracked");
    let to = rig.at("archive/w-1");
    for _ in 0..2 {
        rig.git.archive_worktree(&rig.held, &rig.repo(), &path, &to).unwrap();
        assert_eq!(text(to.join("lib/inner/left")), "untracked");
        // Its repositories were moved along, and lead nowhere else.
        assert_eq!(rig.head(&to.join("lib")), inside);
        assert_eq!(
            rig.run(&to.join("lib/inner"), "rev-parse", &["--show-toplevel"]),
            to.join("lib/inner").display().to_string()
        );
        assert_eq!(rig.run(&to.join("lib/inner"), "status", &["--porcelain"]), "?? left");
    }
    // The next worktree of this name is independent of it. The saved work is restored there.
    rig.run(&rig.repo(), "update-ref", &["-d", "refs/heads/polecat/w"]);
    let path = rig.worktree("w");
    rig.git.restore_snapshot(&rig.held, &rig.repo(), &path, &snapshot.commit).unwrap();
    assert_eq!(check_out(&rig, &path), Referred::There);
    assert_eq!(text(path.join("own")), "changed");
    assert_eq!(text(path.join("lib/own")), "own\n");
    assert_eq!(rig.head(&to.join("lib")), inside);
}

#[test]
fn a_link_that_a_worker_put_in_the_place_of_a_submodule_is_not_followed() {
    let rig = rig();
    let path = worktree(&rig, "w");
    fs::create_dir(rig.at("elsewhere")).unwrap();
    fs::rename(path.join("lib"), path.join("moved")).unwrap();
    put(rig.at("elsewhere/.git"), "somebody's");
    std::os::unix::fs::symlink(rig.at("elsewhere"), path.join("lib")).unwrap();
    rig.git.archive_worktree(&rig.held, &rig.repo(), &path, &rig.at("archive/w-1")).unwrap();
    assert_eq!(text(rig.at("elsewhere/.git")), "somebody's");
}
