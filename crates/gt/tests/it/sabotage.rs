//! One real, finished demo, damaged in many ways: `gt demo verify` must name exactly the damage.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::town::{GT, Output, Town, output, text, write};

/// A finished demo. Each damage is done to a fresh copy at the demo's own path, because its ledger and worktrees
/// contain that path.
struct Finished {
    around: Town,
    demo: PathBuf,
    kept: PathBuf,
}

impl Finished {
    fn new() -> Self {
        let around = Town::nowhere();
        let (demo, kept) = (around.folder().join("demo"), around.folder().join("kept"));
        let mut command = around.program(GT, around.folder());
        let played = output(command.args(["demo", "--keep", "--dir"]).arg(&demo));
        assert_eq!(played.code, 0, "{played:#?}");
        std::fs::rename(&demo, &kept).unwrap();
        Self { around, demo, kept }
    }

    fn restore(&self) {
        let _ = std::fs::remove_dir_all(&self.demo);
        let copied = self.around.program("cp", self.around.folder()).arg("-a").args([&self.kept, &self.demo]).status();
        assert!(copied.unwrap().success());
    }

    fn verify(&self) -> (Output, Vec<String>) {
        let mut command = self.around.program(GT, self.around.folder());
        let verified = output(command.args(["demo", "verify", "--json"]).arg(&self.demo));
        let report: Value = serde_json::from_str(&verified.out).unwrap_or_else(|e| panic!("{e}: {verified:#?}"));
        let checks = report["checks"].as_array().unwrap();
        let failed = checks.iter().filter(|check| check["ok"] == false).map(|check| text(&check["name"])).collect();
        (verified, failed)
    }

    #[track_caller]
    fn check<T>(&self, sabotage: impl FnOnce(&Self) -> T, names: &[&str], detail: &str) {
        self.restore();
        let held = sabotage(self);
        let (verified, failed) = self.verify();
        assert_eq!((verified.code, failed), (1, names.iter().map(|n| (*n).to_owned()).collect()), "{}", verified.out);
        assert!(verified.out.contains(detail), "`{detail}` is not told: {}", verified.out);
        drop(held);
    }

    fn remote(&self) -> PathBuf {
        self.demo.join("origin.git")
    }

    fn rig(&self) -> PathBuf {
        self.demo.join("town/street")
    }

    fn git(&self, cwd: &Path, args: &[&str]) -> String {
        self.around.git(cwd, args)
    }

    fn sql(&self, statement: &str) {
        let ledger = rusqlite::Connection::open(self.demo.join("town/.beads/beads.db")).unwrap();
        assert!(ledger.execute(statement, []).unwrap() > 0, "{statement} changed nothing");
    }

    /// Puts a commit on the remote's trunk: the trunk's files with `change` applied.
    fn commit(&self, message: &str, change: impl FnOnce(&Path)) {
        let checkout = self.around.folder().join("saboteur");
        let _ = std::fs::remove_dir_all(&checkout);
        let remote = self.remote().display().to_string();
        self.git(self.around.folder(), &["clone", "--quiet", &remote, "saboteur"]);
        change(&checkout);
        self.git(&checkout, &["add", "--all"]);
        self.git(&checkout, &["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&checkout, &["push", "--quiet", "origin", "HEAD:main"]);
    }

    /// Replaces the trunk's newest landing by one that breaks the tests, and updates the ledger's record of it.
    fn make_tip_red(&self) {
        let old = self.git(&self.remote(), &["rev-parse", "main"]);
        let message = self.git(&self.remote(), &["log", "-1", "--format=%B", "main"]);
        self.git(&self.remote(), &["update-ref", "refs/heads/main", "main~1"]);
        self.commit(&message, |checkout| write(&checkout.join("run-tests"), "echo all lost\nexit 1\n"));
        let new = self.git(&self.remote(), &["rev-parse", "main"]);
        self.sql(&format!("UPDATE landings SET tip = '{new}' WHERE tip = '{old}'"));
        self.sql(&format!("UPDATE merge_requests SET commit_landed = '{new}' WHERE commit_landed = '{old}'"));
    }

    /// Starts a process that works in the demo's folder.
    fn live_process(&self) -> Sleeper {
        let mut command = self.around.program("sleep", &self.rig());
        Sleeper(command.arg("600").stdout(Stdio::null()).spawn().unwrap())
    }
}

struct Sleeper(Child);

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn verify_names_each_damage_to_a_real_demo() {
    let finished = Finished::new();
    finished.restore();
    let (verified, failed) = finished.verify();
    assert_eq!((verified.code, failed), (0, Vec::new()), "what nobody touched passes: {}", verified.out);

    let drop_landing = |f: &Finished| f.git(&f.remote(), &["update-ref", "refs/heads/main", "main~1"]);
    finished.check(drop_landing, &["beads", "trunk"], "no commit on the trunk");
    let land_twice = |f: &Finished| f.commit("Again\n\nBead: demo-a1\n", |_| ());
    finished.check(land_twice, &["beads", "trunk"], "demo-a1: landed 2 times");
    finished.check(Finished::make_tip_red, &["gates"], "all lost");
    let worktree = ["worktree", "add", "--quiet", "--detach", "../polecats/amber", "refs/remotes/origin/main"];
    finished.check(|f| f.git(&f.rig().join(".repo.git"), &worktree), &["worktrees"], "polecats/amber");
    finished.check(Finished::live_process, &["processes"], "its working folder is there");
    let convoy_again = "INSERT INTO events (at, actor, verb, event, subject, bead)
                        SELECT at, actor, verb, event, subject, bead FROM events WHERE event = 'convoy-landed'";
    finished.check(|f| f.sql(convoy_again), &["convoy"], "was said to have landed 2 times");
    let unsaid = "DELETE FROM deliveries WHERE mail IN (SELECT id FROM beads WHERE title LIKE 'SWARM_COMPLETE%')";
    finished.check(|f| f.sql(unsaid), &["swarms"], "0 mails SWARM_COMPLETE");
}
