//! A town over real repositories: the town finds, undoes and reports what a worker did against the rules. The town
//! itself writes nothing into a project.

#![expect(clippy::disallowed_methods, reason = "workers and people run git outside the engine")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gt_ledger::Attempt;
use gt_model::id::{BeadId, Sha};
use gt_town::lifecycle::install;
use gt_town::patrol::deacon::{self, Memory};
use gt_town::refinery;
use gt_town::rigs::rig::{self, NewRig};
use gt_town::work::beads::{self, NewBead};
use gt_town::work::done::{self, Exit};
use gt_town::work::sling::{self, SlingOptions};
use gt_town::{Caller, Error, Outside, Rig, Town};
use gt_world::faults::Faults;
use gt_world::real::{Git, RealClock, RealDisk};
use gt_world::{
    Bwrap, Clock, ContainedCommand, Disk, Exit as Ended, LedgerRepo, ProcessId, Repo, RunEnd, RunResult, Runtime, Said,
    SessionPlan, SessionState, Sessions, Vitals, World, WorldResult,
};

const FORMULA: &str = "formula = \"short\"\ndescription = \"One step.\"\nversion = 1\ntype = \"workflow\"\n\n[[steps]]\nid = \"work\"\ntitle = \"Work\"\ndescription = \"Do it.\"\n";
const TOWN: &str = "version = 1\nlinger_seconds = 0\n[agents.idle]\ncommand = [\"idle\"]\n";
const RIG: &str = "version = 1\nlanding = \"auto\"\nformula = \"short\"\nagent = \"idle\"\n\n[[gate]]\nname = \"test\"\nrun = \"true\"\n";

/// Sessions without any agent, so that the test plays the workers.
#[derive(Debug, Default)]
struct Idle(Mutex<BTreeMap<PathBuf, SessionState>>);

impl Sessions for Idle {
    fn start(&self, plan: &SessionPlan) -> WorldResult<()> {
        let nobody = ProcessId { boot_id: "none".to_owned(), pid: 1, start_ticks: 0 };
        let running = SessionState::Running { shim: nobody.clone(), agent: nobody };
        self.0.lock().unwrap().insert(plan.dir.clone(), running);
        Ok(())
    }

    fn state(&self, dir: &Path) -> WorldResult<SessionState> {
        Ok(self.0.lock().unwrap().get(dir).cloned().unwrap_or(SessionState::NotStarted))
    }

    fn end(&self, dir: &Path, _grace: Duration) -> WorldResult<()> {
        let ended = Ended { code: Some(0), signal: None, reason: "exited".to_owned() };
        self.0.lock().unwrap().insert(dir.to_owned(), SessionState::Ended(ended));
        Ok(())
    }

    fn vitals(&self, dirs: &[PathBuf]) -> Vec<WorldResult<Vitals>> {
        dirs.iter().map(|_| Ok(Vitals::default())).collect()
    }

    fn log_size(&self, _dir: &Path) -> u64 {
        0
    }

    fn run(&self, _command: &ContainedCommand) -> WorldResult<RunResult> {
        Ok(RunResult { end: RunEnd::Passed, took: Duration::ZERO, tail: Vec::new() })
    }

    fn is_descendant_of_any(&self, _processes: &[ProcessId]) -> bool {
        false
    }

    fn is_in_sandbox(&self) -> bool {
        false
    }

    fn tmux(&self, _path: &str) -> Result<String, String> {
        Err("nobody needs one here".to_owned())
    }

    fn bwrap(&self, _path: &str) -> Result<Bwrap, String> {
        Err("nobody needs one here".to_owned())
    }

    fn runtime(&self, _dir: &Path) -> WorldResult<Option<Runtime>> {
        Ok(Some(Runtime::Headless))
    }

    fn log(&self, _dir: &Path, _from: u64) -> WorldResult<Vec<u8>> {
        Ok(Vec::new())
    }

    fn screen(&self, _dir: &Path, _scrolled: u32) -> WorldResult<Option<String>> {
        Ok(None)
    }

    fn attach(&self, _dir: &Path, _env: &BTreeMap<String, String>) -> WorldResult<bool> {
        Ok(false)
    }

    fn say(&self, _dir: &Path, _line: &str) -> WorldResult<Said> {
        Ok(Said::NoWay)
    }

    fn close_terminals(&self, _town: &Path) -> WorldResult<()> {
        Ok(())
    }
}

/// Real repositories, files and time.
struct RealRepositories {
    git: Git,
    sessions: Idle,
}

impl World for RealRepositories {
    fn repo(&self) -> &dyn Repo {
        &self.git
    }

    fn ledger_repo(&self) -> &dyn LedgerRepo {
        &self.git
    }

    fn sessions(&self) -> &dyn Sessions {
        &self.sessions
    }

    fn disk(&self) -> &dyn Disk {
        &RealDisk
    }

    fn clock(&self) -> &dyn Clock {
        &RealClock
    }
}

/// A town with the rig `vt` of a project whose trunk `main` has one commit.
struct Scene {
    folder: tempfile::TempDir,
    town: Town,
    memory: Memory,
}

fn environment(home: &Path) -> Vec<(OsString, OsString)> {
    let path = std::env::var_os("PATH").unwrap();
    let fixed = [("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")];
    let fixed = fixed.map(|(name, value)| (name.into(), value.into()));
    [("PATH".into(), path), ("HOME".into(), home.into())].into_iter().chain(fixed).collect()
}

/// Runs a shell script, which must succeed. Returns its output.
fn sh(home: &Path, folder: &Path, script: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-ec", script]).current_dir(folder).env_clear().envs(environment(home));
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    assert!(output.status.success(), "{script}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let seed = "git init -q --bare -b main origin && git clone -q origin seed 2>/dev/null && cd seed
        git config user.name Ann && git config user.email ann@example.org
        mkdir src && echo base > src/base && printf 'built\\n' > .gitignore && git add -A && git commit -qm base
        git push -q origin HEAD:main";
    sh(&root, &root, seed);
    let world = RealRepositories { git: Git::with_environment(environment(&root)), sessions: Idle::default() };
    let outside = Outside {
        build: "test".to_owned(),
        world: Arc::new(world),
        env: BTreeMap::new(),
        gt: "/bin/true".into(),
        presets: Default::default(),
        prices: Default::default(),
        entropy: Arc::new(|| [7; 16]),
        faults: Faults::none(),
    };
    let at = root.join("town");
    drop(install::install(&at, &outside, None).unwrap());
    RealDisk.write(&at.join("town.toml"), TOWN.as_bytes()).unwrap();
    RealDisk.write(&at.join(".beads/formulas/short.toml"), FORMULA.as_bytes()).unwrap();
    let town = Town::open(&at, outside).unwrap();
    let source = root.join("origin").display().to_string();
    rig::add(&town, &Caller::overseer(), &NewRig { name: "vt".to_owned(), source, ..NewRig::default() }).unwrap();
    RealDisk.write(&at.join("vt/rig.toml"), RIG.as_bytes()).unwrap();
    rig::release(&town, &Caller::overseer(), &town.rig("vt").unwrap()).unwrap();
    Scene { folder, town, memory: Memory::default() }
}

impl Scene {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    fn sh(&self, folder: &Path, script: &str) -> String {
        sh(&self.at(""), folder, script)
    }

    fn rig(&self) -> Rig {
        self.town.rig("vt").unwrap()
    }

    fn refs(&self) -> BTreeMap<String, Sha> {
        self.town.world().repo().refs(&self.rig().layout.repo()).unwrap()
    }

    /// Runs looks and refinery rounds until nothing changes.
    fn go_on(&mut self) {
        for _ in 0..6 {
            deacon::look(&self.town, &mut self.memory).unwrap();
            refinery::run_round(&self.town, &self.rig()).unwrap();
        }
    }

    /// Slings a bead, and waits until its worker's worktree exists.
    fn sling(&mut self, title: &str) -> (BeadId, Attempt, PathBuf) {
        let new = NewBead { prefix: self.rig().row.prefix, title: title.to_owned(), ..NewBead::default() };
        let bead = beads::create(&self.town, &Caller::overseer(), &new).unwrap().id;
        let slung = sling::sling(
            &self.town,
            &Caller::overseer(),
            std::slice::from_ref(&bead),
            &self.rig(),
            &SlingOptions::default(),
        );
        let attempt = slung.unwrap().attempts.remove(0);
        self.go_on();
        let path = self.rig().layout.worktree(&attempt.worker);
        assert!(path.is_dir());
        (bead, attempt, path)
    }

    fn done(&self, attempt: &Attempt) {
        let read = self.town.ledger.read(|view| Ok::<_, Error>(view.incarnations_of(attempt.id)?)).unwrap();
        let caller = Caller {
            incarnation: read.last().map(|incarnation| incarnation.id.clone()),
            ..Caller::role(attempt.address())
        };
        done::done(&self.town, &caller, &Exit::Completed.into()).unwrap();
    }

    fn conditions(&self) -> Vec<String> {
        let all = self.town.ledger.read(|view| Ok::<_, Error>(view.conditions()?)).unwrap();
        all.into_iter().map(|condition| condition.key).collect()
    }

    fn trunk(&self) -> String {
        self.sh(&self.at("origin"), "git rev-parse main")
    }
}

#[path = "repository_rules/kept.rs"]
mod kept;

#[test]
fn f21_the_town_writes_nothing_into_a_project() {
    let mut scene = scene();
    let base = scene.trunk();
    let (_, attempt, path) = scene.sling("Add a file");
    let files = "find . -mindepth 1 -not -path './.git/*' | LC_ALL=C sort";
    let fresh = scene.sh(&path, files);
    assert_eq!(fresh, "./.git\n./.gitignore\n./src\n./src/base", "nothing is there but what the project has");
    assert_eq!(scene.sh(&path, "git status --porcelain --ignored --untracked-files=all"), "");
    scene.sh(&path, "mkdir own && echo 1 > own/file && git add -A && git commit -qm 'Add a file' && echo x > built");
    scene.done(&attempt);
    scene.go_on();
    // The trunk has the worker's files, and nothing else.
    let diff = scene.sh(&scene.at("origin"), &format!("git diff --name-status {base} main"));
    assert_eq!(diff, "A\town/file");
    // The archived worktree has them too, including ignored files; git's own data about it is beside it.
    assert!(!path.exists());
    let archived = scene.rig().layout.archived(&attempt);
    let kept = scene.sh(&archived, "find . -mindepth 1 -not -path './.git.archived*' | LC_ALL=C sort");
    assert_eq!(kept, "./.gitignore\n./built\n./own\n./own/file\n./src\n./src/base");
    // The gates' worktree matches the commit; the project's own checkout was not touched.
    let gate = scene.rig().layout.gate_worktree();
    assert_eq!(scene.sh(&gate, "git status --porcelain --ignored --untracked-files=all"), "");
    assert_eq!(scene.sh(&scene.at("seed"), "git status --porcelain --ignored && git rev-parse HEAD"), base);
    assert_eq!(scene.conditions(), Vec::<String>::new());
}

#[test]
fn f22_refs_that_a_worker_moved_against_the_rules_are_restored_and_reported() {
    let mut scene = scene();
    let (_, first, path) = scene.sling("First");
    scene.sh(&path, "echo 1 > one && git add -A && git commit -qm one");
    scene.done(&first);
    scene.go_on();
    let before = scene.refs();
    let pin = before.keys().find(|name| name.starts_with("refs/gt/mr/")).unwrap().clone();
    let (_, second, path) = scene.sling("Second");
    scene.sh(&path, "echo 2 > two && git add -A && git commit -qm two");
    let head = Sha::from(scene.sh(&path, "git rev-parse HEAD"));
    // Each way around the hook, with each kind of ref.
    for attempt in [
        "git -c core.hooksPath=/dev/null branch stray-a",
        "git -c core.hooksPath= tag stray-b",
        "GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.hooksPath GIT_CONFIG_VALUE_0=/dev/null git update-ref refs/stray/c HEAD",
        "git -C ../../.repo.git update-ref refs/heads/main polecat",
        "env -i \"$(command -v git)\" -C ../../.repo.git update-ref refs/notes/x polecat",
        "git -C ../../.repo.git update-ref refs/remotes/origin/main polecat",
        "git -C ../../.repo.git update-ref refs/remotes/origin/stray polecat",
        &format!("git -C ../../.repo.git update-ref {pin} polecat"),
    ] {
        scene.sh(&path, &attempt.replace("polecat", &second.branch));
    }
    assert_eq!(scene.refs()["refs/heads/main"], head);
    scene.done(&second);
    scene.go_on();
    let conditions = scene.conditions();
    for name in ["refs/heads/stray-a", "refs/tags/stray-b", "refs/stray/c", "refs/heads/main", "refs/notes/x", &pin] {
        assert!(conditions.contains(&format!("foreign-ref:vt:{name}")), "{name}: {conditions:?}");
    }
    let after = scene.refs();
    for name in ["refs/heads/stray-a", "refs/tags/stray-b", "refs/stray/c", "refs/heads/main", "refs/notes/x"] {
        assert!(!after.contains_key(name), "{name}");
    }
    assert_eq!(after[&pin], before[&pin]);
    // Their commits are kept; the copy of the remote matches it again.
    assert_eq!(after[&format!("refs/gt/foreign/{head}")], head);
    assert!(!after.contains_key("refs/remotes/origin/stray"));
    assert_eq!(after["refs/remotes/origin/main"].as_str(), scene.trunk());
    // The work itself landed nevertheless.
    assert_eq!(scene.sh(&scene.at("origin"), "git show main:two"), "2");
}

#[test]
fn f22_tags_stay_those_of_the_remote_whatever_workers_do() {
    let mut scene = scene();
    let seed = scene.at("seed");
    scene.sh(&seed, "git tag v1 && git tag -a -m two v2 && git tag gone && git push -q origin v1 v2 gone");
    let (_, worker, path) = scene.sling("First");
    assert_eq!(scene.sh(&path, "git describe"), "v2");
    let upstream = scene.refs();
    scene.sh(&path, "echo 1 > one && git add -A && git commit -qm one");
    let own = Sha::from(scene.sh(&path, "git rev-parse HEAD"));
    let git = "git -C ../../.repo.git update-ref";
    let script = format!("{git} refs/tags/v1 {own} && {git} refs/tags/v9 {own} && {git} -d refs/tags/v2");
    scene.sh(&path, &script);
    scene.sh(&seed, "git push -q origin :gone && git tag v3 && git push -q origin v3");
    scene.done(&worker);
    scene.go_on();
    let (after, conditions) = (scene.refs(), scene.conditions());
    for name in ["refs/tags/v1", "refs/tags/v2"] {
        assert_eq!(after[name], upstream[name], "{name}");
        assert!(conditions.contains(&format!("foreign-ref:vt:{name}")), "{conditions:?}");
    }
    assert!(conditions.contains(&"foreign-ref:vt:refs/tags/v9".to_owned()), "{conditions:?}");
    assert_eq!(after[&format!("refs/gt/foreign/{own}")], own, "what was tagged is kept");
    // No worker is blamed for changes of the remote.
    assert_eq!(conditions.len(), 3, "{conditions:?}");
    let tags: Vec<&str> = after.keys().filter_map(|name| name.strip_prefix("refs/tags/")).collect();
    assert_eq!(tags, ["v1", "v2", "v3"]);
}

#[test]
fn f22_a_push_against_the_rules_holds_the_rig() {
    let mut scene = scene();
    let (_, attempt, path) = scene.sling("Pushed");
    scene.sh(&path, "echo 1 > one && git add -A && git commit -qm one");
    let trunk = scene.trunk();
    let push = format!("git -C ../../.repo.git push -q --no-verify origin {}:refs/heads/stray", attempt.branch);
    scene.sh(&path, &push);
    scene.done(&attempt);
    scene.go_on();
    assert!(scene.conditions().contains(&"rig-held:vt".to_owned()), "{:?}", scene.conditions());
    assert_eq!(scene.trunk(), trunk, "nothing lands while a person has not looked");
}

#[test]
fn f22_another_workers_branch_is_restored_when_a_worker_moved_it() {
    let mut scene = scene();
    let (_, mover, path) = scene.sling("Moves");
    let (_, owner, others) = scene.sling("Is moved");
    let (_, third, detached) = scene.sling("Tries out");
    scene.sh(&path, "echo 1 > one && git add -A && git commit -qm one");
    scene.sh(&others, "echo 2 > two && git add -A && git commit -qm two && git commit -q --amend -m Two");
    let (stray, work) = (scene.sh(&path, "git rev-parse HEAD"), scene.sh(&others, "git rev-parse HEAD"));
    // A worker may do anything with its own branch, wherever HEAD is meanwhile.
    scene.sh(
        &detached,
        "git commit -q --allow-empty -m a && git checkout -q --detach && git commit -q --allow-empty -m b",
    );
    let free = scene.sh(&detached, &format!("git update-ref refs/heads/{} HEAD && git rev-parse HEAD", third.branch));
    scene.sh(&path, &format!("git -C ../../.repo.git update-ref refs/heads/{} {stray}", owner.branch));
    let name = format!("refs/heads/{}", owner.branch);
    assert_eq!(scene.refs()[&name].as_str(), stray);
    scene.done(&mover);
    scene.go_on();
    assert_eq!(scene.refs()[&name].as_str(), work, "it is where its own worktree put it");
    assert_eq!(scene.refs()[&format!("refs/gt/foreign/{stray}")].as_str(), stray);
    assert_eq!(scene.refs()[&format!("refs/heads/{}", third.branch)].as_str(), free);
    assert_eq!(scene.conditions(), [format!("foreign-ref:vt:{name}")]);
    // Its owner has noticed nothing: the work lands unchanged.
    assert_eq!(scene.sh(&others, "git status --porcelain"), "");
    scene.done(&owner);
    scene.go_on();
    assert_eq!(scene.sh(&scene.at("origin"), "git show main:two"), "2");
}

#[test]
fn f22_a_workers_branch_is_restored_when_another_deleted_it() {
    let mut scene = scene();
    let (_, mover, path) = scene.sling("Deletes");
    let (_, owner, others) = scene.sling("Is deleted");
    let work = scene.sh(&others, "echo 2 > two && git add -A && git commit -qm two && git rev-parse HEAD");
    let name = format!("refs/heads/{}", owner.branch);
    scene.sh(
        &path,
        &format!("echo 1 > one && git add -A && git commit -qm one && git -C ../../.repo.git update-ref -d {name}"),
    );
    scene.done(&mover);
    scene.go_on();
    assert_eq!(scene.refs()[&name].as_str(), work);
    assert_eq!(scene.conditions(), [format!("foreign-ref:vt:{name}")]);
}

#[test]
fn f22_a_push_against_the_rules_holds_the_rig_even_if_others_built_on_it() {
    let mut scene = scene();
    let (_, attempt, path) = scene.sling("Pushed");
    scene.sh(&path, "echo 1 > one && git add -A && git commit -qm one");
    scene.sh(&path, &format!("git -C ../../.repo.git push -q --no-verify origin {}:refs/heads/main", attempt.branch));
    // Before the town fetches, a person continues from there, and so does the worker: neither has the other's head.
    scene.sh(
        &scene.at("seed"),
        "git pull -q origin main && git commit -q --allow-empty -m more && git push -q origin HEAD:main",
    );
    scene.sh(&path, "echo 2 > two && git add -A && git commit -qm two");
    let trunk = scene.trunk();
    scene.done(&attempt);
    scene.go_on();
    assert!(scene.conditions().contains(&"rig-held:vt".to_owned()), "{:?}", scene.conditions());
    assert_eq!(scene.trunk(), trunk, "nothing lands while a person has not looked");
}

#[test]
fn f22_commits_that_others_land_and_workers_build_on_hold_no_rig() {
    let mut scene = scene();
    let (_, first, path) = scene.sling("First");
    let (_, second, others) = scene.sling("Second");
    scene.sh(&path, "echo 1 > one && git add -A && git commit -qm one");
    scene.done(&first);
    scene.go_on();
    // On top of another landing, on top of a person's commit, and with a merge of both.
    scene.sh(&others, "echo 2 > two && git add -A && git commit -qm two && git rebase -q refs/remotes/origin/main");
    let seed = scene.at("seed");
    scene.sh(&seed, "git pull -q origin main && echo 3 > three && git add -A && git commit -qm three && git push -q origin HEAD:main");
    scene.go_on();
    scene.sling("Third");
    scene.sh(&others, "git merge -q --no-edit refs/remotes/origin/main && git log --format=%s | grep -q three");
    scene.sh(&seed, "git commit -q --allow-empty -m four && git push -q origin HEAD:main");
    scene.done(&second);
    scene.go_on();
    assert_eq!(scene.conditions(), Vec::<String>::new());
    assert_eq!(scene.sh(&scene.at("origin"), "git show main:two"), "2");
}
