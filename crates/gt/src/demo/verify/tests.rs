use gt_ledger::{Delivery, Holder, IncarnationProcess, Priority};
use gt_model::address::Address;
use gt_model::id::{AttemptId, IncarnationId, RigName};
use gt_town::town::settings::Gate;
use gt_world::ProcessId;
use jiff::Timestamp;

use super::*;

mod finished;

const NOW: Timestamp = Timestamp::constant(1_767_323_045, 0);

/// A remote with an initial commit and one that lands a bead, and the facts of a matching ledger.
struct Fixture {
    folder: tempfile::TempDir,
    rig: RigRow,
    facts: Facts,
}

#[expect(clippy::disallowed_methods, reason = "a test that makes repositories for what only reads them")]
fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = std::process::Command::new("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").current_dir(folder);
    let identity = ["-c", "user.name=Amber", "-c", "user.email=amber@example.invalid"];
    let output = command.args(identity).args(args).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn closed(id: &str) -> Bead {
    Bead { status: Status::Closed, ..Bead::new(id.into(), id, NOW) }
}

fn street() -> RigName {
    RigName::parse("street").unwrap()
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        std::fs::create_dir(&work).unwrap();
        git(&work, &["init", "--quiet", "--initial-branch=main"]);
        git(&work, &["commit", "--quiet", "--allow-empty", "-m", "base"]);
        git(folder.path(), &["clone", "--quiet", "--bare", "work", "origin.git"]);
        git(&work, &["remote", "add", "origin", "../origin.git"]);
        let rig = RigRow {
            name: street(),
            prefix: "demo".to_owned(),
            remote: folder.path().join("origin.git").display().to_string(),
            trunk: "main".to_owned(),
            added_at: NOW,
        };
        let facts = Facts { convoy: Some(closed(CONVOY)), convoy_landings: 1, ..Facts::default() };
        let mut fixture = Self { folder, rig, facts };
        for bead in ["demo-a1", "demo-b1"] {
            fixture.land(bead);
        }
        fixture
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Puts a commit with a bead's trailer on the remote's trunk.
    fn commit(&self, bead: &str) -> (Sha, Sha) {
        let onto = git(&self.work(), &["rev-parse", "HEAD"]);
        std::fs::create_dir_all(self.work().join("done")).unwrap();
        let message = format!("Land {bead}\n\nSome text: here\n\nBead: {bead}\nWorker: street/amber\n");
        git(&self.work(), &["commit", "--quiet", "--allow-empty", "-m", &message]);
        git(&self.work(), &["push", "--quiet", "origin", "HEAD:main"]);
        (onto.into(), git(&self.work(), &["rev-parse", "HEAD"]).into())
    }

    fn land(&mut self, bead: &str) {
        let (onto, tip) = self.commit(bead);
        let id = self.facts.landings.len() as i64 + 1;
        self.facts.landings.push(landing(id, &onto, &tip));
        self.facts.requests.push(request(bead, id, &onto, &tip));
        self.facts.members.insert(bead.into(), Some(closed(bead)));
    }

    fn commits(&self) -> Vec<TrunkCommit> {
        RemoteCopy::of(&self.rig.remote, &self.rig.trunk).unwrap().trunk().unwrap()
    }

    /// Returns all faults of beads and trunk.
    fn problems(&self) -> String {
        let commits = self.commits();
        let landings: Vec<&Landing> = self.facts.landings.iter().collect();
        let mut problems = self.facts.bead_problems(&commits);
        problems.extend(self.facts.trunk_problems(&landings, &commits));
        problems.join("\n")
    }

    fn red(&self, gate: &str) -> Vec<String> {
        let gate = Gate { name: "tests".to_owned(), run: gate.to_owned(), timeout_seconds: 1 };
        let settings = RigSettings { gate: vec![gate], ..RigSettings::default() };
        let landings: Vec<&Landing> = self.facts.landings.iter().collect();
        let copy = RemoteCopy::of(&self.rig.remote, &self.rig.trunk).unwrap();
        red_positions(&copy, &positions(&self.commits(), &landings), &settings).unwrap()
    }
}

fn landing(id: i64, onto: &Sha, tip: &Sha) -> Landing {
    Landing {
        id,
        rig: street(),
        target: "main".to_owned(),
        onto: onto.clone(),
        tip: tip.clone(),
        tree: tip.clone(),
        landed_at: Some(NOW),
        abandoned_at: None,
    }
}

fn request(bead: &str, landing: i64, base: &Sha, landed: &Sha) -> MergeRequest {
    MergeRequest {
        id: format!("mr-{bead}-1").into(),
        bead: bead.into(),
        attempt: AttemptId(landing),
        rig: street(),
        target: "main".to_owned(),
        branch: format!("polecat/amber/{bead}-1"),
        head: landed.clone(),
        base: base.clone(),
        submitted_at: NOW,
        approved_by: None,
        held: None,
        candidate_tree: None,
        landing: Some(landing),
        commit_landed: Some(landed.clone()),
        ended_at: Some(NOW),
        outcome: Some(MrEnd::Merged),
        failure: None,
        origin: None,
        doubt: None,
        dropped: None,
        review: None,
    }
}

#[test]
fn a_sound_trunk_is_sound() {
    let fixture = Fixture::new();
    assert_eq!(fixture.problems(), "");
    assert_eq!(fixture.red("true"), Vec::<String>::new());
    assert_eq!(foreign_refs(&fixture.rig), Ok(vec![]));
}

#[test]
fn each_damage_of_the_trunk_is_named() {
    #[track_caller]
    fn check(damage: impl FnOnce(&mut Fixture), expected: &[&str]) {
        let mut fixture = Fixture::new();
        damage(&mut fixture);
        let problems = fixture.problems();
        assert!(!problems.is_empty());
        for part in expected {
            assert!(problems.contains(part), "{part}: {problems}");
        }
    }
    let origin = |f: &Fixture| f.folder.path().join("origin.git");
    check(
        |f| drop(git(&origin(f), &["update-ref", "refs/heads/main", "main~1"])),
        &["demo-b1: no commit on the trunk", "landing 2's tip", "the remote's trunk is at"],
    );
    check(|f| drop(f.commit("demo-a1")), &["demo-a1: landed 2 times", "no landing explains it"]);
    check(|f| drop(f.commit("demo-z9")), &["of demo-z9, which is no member"]);
    check(|f| f.facts.landings.swap(0, 1), &["landing 2 was built on"]);
    check(|f| drop(f.facts.landings.pop()), &["the last landing went to", "no landing explains it"]);
    check(|f| f.facts.requests[0].commit_landed = None, &["demo-a1: commit", "says nothing"]);
    check(|f| drop(f.facts.requests.pop()), &["demo-b1: 0 merged merge requests"]);
    check(|f| drop(f.facts.members.insert("demo-c1".into(), None)), &["demo-c1: not in the ledger"]);
    check(|f| f.facts.members.values_mut().flatten().for_each(|b| b.status = Status::Open), &["demo-a1: open"]);
    check(|f| f.facts.members.clear(), &["has no members"]);
}

#[test]
fn a_red_position_is_named_and_the_others_are_not() {
    let fixture = Fixture::new();
    let culprit = &fixture.facts.landings[0].tip;
    let red = fixture.red(&format!("echo all lost; test \"$(git rev-parse HEAD)\" != {culprit}"));
    assert_eq!(red, [format!("the trunk at {} is red: gate tests failed: all lost", culprit.short())]);
    let no_gates = red_positions(&RemoteCopy::of(&fixture.rig.remote, "main").unwrap(), &[], &RigSettings::default());
    assert!(no_gates.is_err(), "a rig without gates is not green");
}

#[test]
fn a_gate_that_never_ends_is_ended() {
    let gate = Gate { name: "tests".to_owned(), run: "read forever < fifo".to_owned(), timeout_seconds: 0 };
    let folder = tempfile::tempdir().unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, folder.path().join("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    assert_eq!(outside::run_gate(folder.path(), &gate), Err("gate tests took longer than 0 s".to_owned()));
}

#[test]
fn a_branch_of_a_worker_on_the_remote_is_named() {
    let fixture = Fixture::new();
    git(&fixture.work(), &["push", "--quiet", "origin", "HEAD:refs/heads/polecat/amber/demo-a1-1"]);
    let refs = foreign_refs(&fixture.rig).unwrap();
    assert_eq!(refs, [format!("{} has refs/heads/polecat/amber/demo-a1-1", fixture.rig.remote)]);
}

#[test]
fn a_left_worktree_or_folder_is_named() {
    let fixture = Fixture::new();
    let root = fixture.folder.path().canonicalize().unwrap();
    let layout = Layout::new(&root);
    let rig = layout.rig(&street());
    std::fs::create_dir_all(&rig.root).unwrap();
    git(&rig.root, &["clone", "--quiet", "--bare", "../origin.git", ".repo.git"]);
    git(&rig.repo(), &["worktree", "add", "--quiet", "--detach", "../refinery/gate"]);
    assert_eq!(left_worktrees(&layout, &fixture.rig), Ok(vec![]));
    std::fs::create_dir_all(rig.worktree("onyx")).unwrap();
    git(&rig.repo(), &["worktree", "add", "--quiet", "--detach", "../elsewhere"]);
    let found = left_worktrees(&layout, &fixture.rig).unwrap().join("\n");
    let (folder, worktree) = (rig.worktree("onyx"), rig.root.join("elsewhere"));
    let expected = format!("git has a worktree at {}\nthe folder {} is there", worktree.display(), folder.display());
    assert_eq!(found, expected);
}

fn mail(id: &str, to: &str, message: &Message) -> Mail {
    let delivery = Delivery { sent_at: NOW, delivered_at: None, delivered_by: None, read_at: None, acted_at: None };
    let to = Address::parse(to).unwrap();
    Mail {
        id: id.into(),
        from: String::new(),
        to,
        subject: message.subject(),
        body: message.body(""),
        priority: Priority::Normal,
        delivery,
    }
}

fn start(swarm: &str) -> Message {
    let text = String::new;
    Message::SwarmStart { swarm: swarm.to_owned(), convoy: text(), beads: text(), dispatched_by: text() }
}

fn complete(swarm: &str) -> Message {
    let [convoy, merged, failed, ready, duration] = [(); 5].map(|()| String::new());
    Message::SwarmComplete { swarm: swarm.to_owned(), convoy, merged, failed, ready, duration }
}

#[test]
fn swarms_and_the_convoy_are_told_of_once() {
    let sound = || {
        let swarm = Swarm {
            id: 7,
            convoy: CONVOY.into(),
            rig: street(),
            dispatched_by: "overseer".to_owned(),
            started_at: NOW,
            completed_at: Some(NOW),
        };
        // Two copies of one mail are one mail.
        let mail = vec![
            mail("m1", "street/witness", &start("7")),
            mail("m2", "mayor", &complete("7")),
            mail("m2", "overseer", &complete("7")),
        ];
        Facts { swarms: vec![swarm], mail, convoy: Some(closed(CONVOY)), convoy_landings: 1, ..Facts::default() }
    };
    #[track_caller]
    fn check(facts: &Facts, expected: &str) {
        assert_eq!([facts.convoy_problems(), facts.swarm_problems()].concat().join("; "), expected);
    }
    check(&sound(), "");
    let damaged = |damage: fn(&mut Facts)| {
        let mut facts = sound();
        damage(&mut facts);
        facts
    };
    check(&damaged(|f| f.mail.truncate(1)), "swarm 7 has 0 mails SWARM_COMPLETE, not one");
    check(&damaged(|f| f.mail.push(mail("m3", "mayor", &start("7")))), "swarm 7 has 2 mails SWARM_START, not one");
    check(
        &damaged(|f| f.mail.push(mail("m3", "mayor", &start("8")))),
        "mail about swarm 8, which is not in the ledger",
    );
    check(&damaged(|f| f.swarms[0].completed_at = None), "swarm 7 is not completed");
    check(&damaged(|f| f.convoy_landings = 2), "hq-demo was said to have landed 2 times, not once");
    check(&damaged(|f| f.convoy = None), "hq-demo is not in the ledger");
    let empty = damaged(|f| {
        f.swarms.clear();
        f.mail.clear();
    });
    check(&empty, "no swarm in the ledger");
}

/// A child process that ends with the test.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "a test of what reads the process table")]
fn sleeper(dir: Option<&Path>, argument: Option<&Path>, identity: Option<&Path>) -> Child {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "read line"]).args(argument).stdin(std::process::Stdio::piped());
    if let Some(path) = identity {
        command.env("GT_INCARNATION", "amber-a1-1.secret").env("TOWN", path.join("bin"));
    }
    if let Some(dir) = dir {
        command.current_dir(dir);
    }
    Child(command.spawn().unwrap())
}

#[test]
fn a_stray_process_is_found_by_folder_command_or_identity() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().canonicalize().unwrap();
    let sibling = PathBuf::from(format!("{}-not", dir.display()));
    let below = dir.join("town");
    std::fs::create_dir(&below).unwrap();
    let harmless = [sleeper(None, None, None), sleeper(None, Some(&sibling), Some(&sibling))];
    assert_eq!(strays(&dir).unwrap(), []);
    let check = |child: Child, why: &str| {
        // The check recognises the child only once it runs its own program.
        let found = (0..1000).find_map(|_| strays(&dir).unwrap().first().cloned()).unwrap();
        assert_eq!((found.pid as u32, found.why), (child.0.id(), why));
    };
    check(sleeper(Some(&below), None, None), "its working folder is there");
    check(sleeper(None, Some(&below), None), "its command line names the folder");
    check(sleeper(None, None, Some(&dir)), "it has an incarnation's identity");
    drop(harmless);
    assert_eq!(strays(&dir).unwrap(), []);
}

fn identity_of(pid: u32) -> ProcessId {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let start_ticks = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap();
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned();
    ProcessId { boot_id, pid: pid as i32, start_ticks }
}

#[test]
fn a_session_that_runs_on_is_named() {
    let child = sleeper(None, None, None);
    let process = identity_of(child.0.id());
    let other = ProcessId { start_ticks: process.start_ticks + 1, ..process.clone() };
    let incarnation = Incarnation {
        id: IncarnationId::from("amber-a1-1"),
        holder: Holder::Attempt(AttemptId(1)),
        number: 1,
        opened_at: NOW,
        secret_hash: None,
        process: Some(IncarnationProcess { shim: other, agent: process.clone() }),
        started_at: Some(NOW),
        ended_at: None,
        exit: None,
        cause: None,
    };
    let mut facts = Facts { incarnations: vec![incarnation], ..Facts::default() };
    let pid = process.pid;
    let expected = format!("amber-a1-1 is live in the ledger; the agent of amber-a1-1 still runs (pid {pid})");
    assert_eq!(facts.session_problems().join("; "), expected);
    drop(child);
    facts.incarnations[0].ended_at = Some(NOW);
    assert_eq!(facts.session_problems(), Vec::<String>::new());
}

#[test]
fn a_report_names_what_failed() {
    let report = Report {
        checks: vec![
            check("one", Ok(vec![]), "fine"),
            check("two", Ok(vec!["a".to_owned(), "b".to_owned()]), "fine"),
            check("three", Err("gone".to_owned()), "fine"),
        ],
    };
    let details: Vec<&str> = report.checks.iter().map(|check| check.detail.as_str()).collect();
    assert_eq!(details, ["fine", "a; b", "can't be checked: gone"]);
    assert_eq!((report.passed(), report.failed()), (false, vec!["two", "three"]));
}
