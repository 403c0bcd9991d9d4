//! First contact with real projects: their tools, their remotes, and a person's own git settings.

use std::path::{Path, PathBuf};

use crate::town::{Output, RIG, Town, WORK, write};

/// A hook of the project whose test creates a repository, in a worktree for which git exports GIT_DIR.
const HOOK: &str = "#!/bin/sh -e\nd=$(mktemp -d) && cd \"$d\" && git init -q && echo x > x && git add -A\n";

#[test]
fn a_hook_that_creates_a_repository_damages_no_worktree() {
    let town = Town::new();
    town.edit(&town.rig().join("rig.toml"), |text| {
        format!("{text}\n[worktree]\nsetup = \"git config core.hooksPath .husky\"\n")
    });
    write(&town.checkout().join(".husky/pre-commit"), HOOK);
    town.git(&town.checkout(), &["add", "--all", "--chmod=+x"]);
    town.git(&town.checkout(), &["commit", "--quiet", "-m", "Add a hook"]);
    town.push_a_commit("README.md", "With hooks\n");
    let bead = town.bead("With a hook");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    assert!(town.ok(&["doctor"]).contains("core.hookspath=.husky"), "what tools add is shown");
    // Our environment can't prevent all damage by hooks: this tool writes the shared settings itself.
    town.git(&town.repo(), &["config", "--file", "config", "core.bare", "true"]);
    town.git(&town.repo(), &["config", "--file", "config", "extensions.unknown", "x"]);
    let mended = "SELECT count(*) FROM events WHERE event = 'repository-mended'";
    town.wait_until("the patrol to mend it", || town.ask(mended) == ["1"]);
    assert!(town.ok(&["doctor"]).contains("app: repository: sound"));
    let bead = town.bead("Another");
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
}

#[test]
fn the_doctor_names_damage_and_repairs_it_on_request() {
    let town = Town::new();
    town.script(WORK);
    town.git(&town.repo(), &["config", "--file", "config", "core.bare", "true"]);
    std::fs::remove_file(town.repo().join("HEAD")).unwrap();
    let said = town.gt(&["doctor"]);
    assert_eq!(said.code, 1);
    for expected in ["core.bare: `true`; the town wrote nothing", "repository: HEAD", "hint: gt doctor --fix"] {
        assert!(said.out.contains(expected), "{expected}: {}", said.out);
    }
    let said = town.ok(&["doctor", "--fix"]);
    assert!(said.contains("app: mended core.bare") && said.contains("app: repository: sound"), "{said}");
}

/// Exit code if the current state forbids the request.
const REFUSED: i32 = 4;

/// A town without rigs, and repositories around it.
struct Place {
    town: Town,
}

impl Place {
    fn new() -> Self {
        Self { town: Town::empty() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.town.folder().join(name)
    }

    fn git(&self, at: &str, args: &[&str]) -> String {
        self.town.git(&self.at(at), args)
    }

    /// A checkout with one commit, and a clone of it.
    fn clone_of_checkout(&self, name: &str) -> (String, String) {
        let (real, clone) = (format!("{name}-real"), format!("{name}-clone"));
        self.git("", &["init", "--quiet", "--initial-branch", "main", &real]);
        write(&self.at(&real).join("test.sh"), "#!/bin/sh\ntrue\n");
        self.git(&real, &["add", "--all"]);
        self.git(&real, &["commit", "--quiet", "-m", "Begin"]);
        self.git("", &["clone", "--quiet", &real, &clone]);
        (real, clone)
    }

    fn add(&self, name: &str, source: &Path, more: &[&str]) -> Output {
        let source = source.display().to_string();
        self.town.gt(&[&["rig", "add", name, &source, "--skip-proof"], more].concat())
    }

    #[track_caller]
    fn is_refused(&self, name: &str, source: &Path, more: &[&str], words: &[&str]) {
        let said = self.add(name, source, more);
        assert_eq!(said.code, REFUSED, "{said:#?}");
        for word in words {
            assert!(said.err.contains(word), "{word}: {}", said.err);
        }
        assert!(!self.town.root().join(name).exists(), "nothing is left: {said:#?}");
    }

    #[track_caller]
    fn is_added(&self, name: &str, source: &Path, more: &[&str], words: &[&str]) {
        let said = self.add(name, source, more);
        assert_eq!(said.code, 0, "{said:#?}");
        for word in words {
            assert!(said.out.contains(word), "{word}: {}", said.out);
        }
    }
}

#[test]
fn a_remote_that_would_refuse_the_first_landing_is_refused_as_a_rig() {
    let place = Place::new();
    let (real, clone) = place.clone_of_checkout("one");
    let ways = ["refuses pushes to its branch main", "nothing could land", "--make-bare-remote", "--land-on"];
    place.is_refused("a", &place.at(&clone), &[], &ways);
    place.is_refused("a", &place.at(&clone), &["--land-on", "main/work"], &["the remote has a branch main"]);
    place.is_added("a", &place.at(&clone), &["--land-on", "landed"], &["work lands on landed"]);
    assert!(place.town.ok(&["doctor"]).contains("has landed, and takes pushes"));
    // The trunk is checked out there later.
    place.git(&real, &["switch", "--quiet", "landed"]);
    let said = place.town.gt(&["doctor"]).out;
    assert!(
        said.contains("refuses pushes to its branch landed") && said.contains("denyCurrentBranch updateInstead"),
        "{said}"
    );
    place.is_added(
        "b",
        &place.at(&clone),
        &["--make-bare-remote", "--prefix", "b"],
        &["one-real.git", "remote set-url origin"],
    );
    assert!(place.git(&real, &["config", "remote.origin.url"]).ends_with("one-real.git"));
    // Now it has its own remote, and that is where work should land.
    let own = format!("gt rig add c {}", place.at(&real).display());
    place.git(&real, &["switch", "--quiet", "main"]);
    place.is_refused("c", &place.at(&clone), &[], &["has a remote of its own", &own]);
    place.is_added("c", &place.at(&real), &["--prefix", "c"], &["one-real.git"]);
    // A bare repository whose trunk is checked out in a worktree beside it.
    place.git("one-real.git", &["worktree", "add", "--quiet", "../beside", "main"]);
    place.is_refused("d", &place.at("one-real.git"), &["--branch", "main"], &["checked out in", "beside"]);
    let (real, clone) = place.clone_of_checkout("two");
    place.git(&real, &["config", "receive.denyCurrentBranch", "updateInstead"]);
    place.is_added("e", &place.at(&clone), &["--prefix", "e"], &["a landing changes the files there"]);
    write(&place.at(&real).join(".git/hooks/update"), "#!/bin/sh\nexit 1\n");
    place.town.program("chmod", &place.at(&real)).args(["+x", ".git/hooks/update"]).status().unwrap();
    place.is_added("f", &place.at(&clone), &["--prefix", "f"], &["hooks that may refuse a landing: update"]);
}

#[test]
fn rig_add_finds_the_remote_under_any_name() {
    let place = Place::new();
    let (_, clone) = place.clone_of_checkout("app");
    place.git("", &["clone", "--quiet", "--bare", "app-real", "app.git"]);
    place.git("", &["clone", "--quiet", "--bare", "app-real", "fork.git"]);
    let (app, fork) = (place.at("app.git").display().to_string(), place.at("fork.git").display().to_string());
    place.git(&clone, &["remote", "remove", "origin"]);
    place.git(&clone, &["remote", "add", "fork", &fork]);
    place.is_added("a", &place.at(&clone), &[], &["has the remote fork: work will be pushed to", "fork.git"]);
    place.git(&clone, &["remote", "add", "upstream", &app]);
    let list = format!("fork ({fork}), upstream ({app})");
    place.is_refused("b", &place.at(&clone), &[], &["several remotes", &list, "gt rig add b <its address>"]);
    place.git(&clone, &["fetch", "--quiet", "upstream"]);
    place.git(&clone, &["branch", "--quiet", "--set-upstream-to", "upstream/main"]);
    let words = ["has the remote upstream, which its branch follows", "app.git"];
    place.is_added("b", &place.at(&clone), &["--prefix", "b"], &words);
    place.git(&clone, &["remote", "set-url", "--push", "upstream", "no_push"]);
    place.is_refused("c", &place.at(&clone), &[], &["pushes to its remote upstream at `no_push`", "gt rig add c"]);
    place.git(&clone, &["remote", "set-url", "--push", "upstream", &fork]);
    place.is_added("c", &place.at(&clone), &["--prefix", "c"], &["work lands on main of", "fork.git"]);
    // A host alias of the user's ssh is an address, unless a folder has that name.
    let said = place.town.gt(&["rig", "add", "d", "nohost.invalid:app.git"]);
    assert!(said.err.contains("the remote nohost.invalid:app.git can't be reached"), "{said:#?}");
}

#[test]
fn rig_add_requires_git_lfs_for_large_files_before_it_creates_anything() {
    let place = Place::new();
    let (real, _) = place.clone_of_checkout("app");
    write(&place.at(&real).join("assets/.gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    place.git(&real, &["add", "--all"]);
    place.git(&real, &["commit", "--quiet", "-m", "Large"]);
    place.git("", &["clone", "--quiet", "--bare", &real, "app.git"]);
    let path = place.at("bin");
    std::fs::create_dir(&path).unwrap();
    for folder in std::env::split_paths(&std::env::var_os("PATH").unwrap()) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name() != "git-lfs" {
                let _ = std::os::unix::fs::symlink(entry.path(), path.join(entry.file_name()));
            }
        }
    }
    // Git searches its own folder for programs first.
    if place.town.program("git", &place.at("")).args(["--exec-path"]).output().is_ok_and(|out| {
        let folder = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        Path::new(&folder).join("git-lfs").exists()
    }) {
        return;
    }
    let source = place.at("app.git").display().to_string();
    let env = [("PATH", path.to_str().unwrap())];
    let said = place.town.gt_with(&place.town.root(), &env, &["rig", "add", "app", &source]);
    assert_eq!(said.code, REFUSED, "{said:#?}");
    assert!(
        said.err.contains("git-lfs, which is not installed") && said.err.contains("apt-get install git-lfs"),
        "{said:#?}"
    );
    assert!(!place.town.rig().exists());
}
