//! The real git keeps the same contract as the simulated one.

#![expect(
    clippy::disallowed_methods,
    reason = "a test plays the project's author and a worker, who use git by themselves"
)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use gt_model::id::Sha;
use gt_testkit::contract::{REMOTE_FILES, WorkerHands, check_repo_contract};
use gt_testkit::disk_contract::check_disk_contract;
use gt_world::real::{Git, RealDisk, RealWorld};

/// Returns an environment without any user's git settings.
fn environment(home: &Path) -> Vec<(OsString, OsString)> {
    let home = home.to_str().unwrap();
    let path = "/usr/local/bin:/usr/bin:/bin";
    [("PATH", path), ("HOME", home), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")]
        .map(|(name, value)| (name.into(), value.into()))
        .into()
}

/// Git and files as a worker uses them.
struct Hands {
    home: PathBuf,
}

impl Hands {
    fn git(&self, folder: &Path, args: &[&str]) -> String {
        self.git_at(folder, args, None)
    }

    /// Runs git with another time for its commits.
    fn git_at(&self, folder: &Path, args: &[&str], time: Option<&str>) -> String {
        let mut git = Command::new("git");
        git.args(args).current_dir(folder).env_clear().envs(environment(&self.home));
        let output = git.envs(time.map(|time| ("GIT_COMMITTER_DATE", time))).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Creates a bare repository with one commit, like one of a forge.
    fn make_remote(&self) -> PathBuf {
        let (remote, seed) = (self.home.join("origin.git"), self.home.join("seed"));
        self.git(&self.home, &["init", "--quiet", "--bare", "--initial-branch=main", "origin.git"]);
        self.git(&self.home, &["init", "--quiet", "--initial-branch=main", "seed"]);
        for (file, text) in REMOTE_FILES {
            self.write_file(&seed, file, text);
        }
        self.git(&seed, &["config", "user.name", "Somebody"]);
        self.git(&seed, &["config", "user.email", "somebody@example.org"]);
        self.commit_all(&seed, "Start");
        self.git(&seed, &["push", "--quiet", remote.to_str().unwrap(), "main"]);
        remote
    }
}

impl WorkerHands for Hands {
    fn write_file(&self, worktree: &Path, file: &str, text: &str) {
        let path = worktree.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read_file(&self, worktree: &Path, file: &str) -> Option<String> {
        std::fs::read_to_string(worktree.join(file)).ok()
    }

    fn remove_file(&self, worktree: &Path, file: &str) {
        std::fs::remove_file(worktree.join(file)).unwrap();
    }

    fn commit_all(&self, worktree: &Path, message: &str) -> Sha {
        self.git(worktree, &["add", "--all"]);
        self.git(worktree, &["commit", "--quiet", "-m", message]);
        Sha(self.git(worktree, &["rev-parse", "HEAD"]))
    }
}

#[test]
fn the_real_git_keeps_to_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().canonicalize().unwrap();
    let world = RealWorld::with_git("gt".into(), Git::with_environment(environment(&home)));
    let hands = Hands { home };
    let remote = hands.make_remote();
    check_repo_contract(&world, remote.to_str().unwrap(), &hands.home.join("town"), &hands);
}

#[test]
fn new_commits_are_found_even_if_dates_contradict_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().canonicalize().unwrap();
    let world = RealWorld::with_git("gt".into(), Git::with_environment(environment(&home)));
    let hands = Hands { home };
    hands.make_remote();
    let repo = hands.home.join("seed");
    let commit = |time: &str| {
        hands.git_at(&repo, &["commit", "--quiet", "--allow-empty", "-m", "Work"], Some(time));
        Sha(hands.git(&repo, &["rev-parse", "HEAD"]))
    };
    for day in 0..20 {
        commit(&format!("@{} +0000", 1_700_000_000 + day * 86_400));
    }
    let known = Sha(hands.git(&repo, &["rev-parse", "HEAD"]));
    let pushed = commit("@1702000000 +0000");
    let [_, _, head] = ["@90000 +0000", "@90000 +0000", "@1702000001 +0000"].map(commit);
    let share = |tips: &Sha, heads: &[Sha]| {
        use gt_world::World;
        world
            .repo()
            .share_news(&repo.join(".git"), std::slice::from_ref(tips), std::slice::from_ref(&known), heads)
            .unwrap()
    };
    assert!(share(&pushed, std::slice::from_ref(&head)));
    assert!(!share(&pushed, std::slice::from_ref(&known)));
}

#[test]
fn the_disk_of_this_machine_keeps_to_its_contract() {
    let place = tempfile::tempdir().unwrap();
    check_disk_contract(&RealDisk, &place.path().canonicalize().unwrap());
}
