//! Damages a finished demo on disk, made by hand, and checks what `verify` reports.

use gt_ledger::{AttemptMolecule, AttemptOutcome, NewAttempt, NewMail, Priority, Tx};
use gt_model::queue::StackEntry;
use gt_world::Exit;
use serde_json::Value;

use super::*;
use crate::demo::run::{self, Folders};
use crate::demo::story::{self, TASKS};

const BEADS: [&str; 3] = ["demo-a1", "demo-a2", "demo-b1"];

/// A demo of three beads.
struct Demo {
    folder: tempfile::TempDir,
}

impl Demo {
    fn new() -> Self {
        let demo = Self { folder: tempfile::tempdir().unwrap() };
        run::make_project(demo.root()).unwrap();
        let town = demo.town();
        let rig = town.rig(&street());
        for folder in [town.ledger().parent().unwrap(), &rig.root] {
            std::fs::create_dir_all(folder).unwrap();
        }
        write(&town.settings(), "");
        write(&rig.settings(), "[[gate]]\nname = 'tests'\nrun = 'sh ./run-tests'\n");
        let remote = demo.folders().remote();
        git(&rig.root, &["clone", "--quiet", "--bare", &remote.display().to_string(), ".repo.git"]);
        let ledger = Ledger::create(&town.ledger(), Arc::new(RealWorld::new(PathBuf::new()))).unwrap();
        ledger.write("overseer", "demo", |tx| demo.fill(tx)).unwrap();
        demo
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn folders(&self) -> Folders {
        Folders::new(self.root())
    }

    fn town(&self) -> Layout {
        Layout::new(&self.folders().town())
    }

    fn fill(&self, tx: &Tx<'_>) -> LedgerResult<()> {
        tx.add_rig(&street(), story::PREFIX, &self.folders().remote().display().to_string(), "main")?;
        let swarm = tx.open_swarm(&CONVOY.into(), &street(), &BEADS.map(BeadId::from))?;
        tx.send(&"hq-m1".into(), &new_mail(&start(&swarm.to_string())))?;
        for id in BEADS {
            self.do_bead(tx, id)?;
            tx.finish_member(swarm, &id.into(), "merged")?;
        }
        tx.complete_swarm(swarm)?;
        tx.send(&"hq-m2".into(), &new_mail(&complete(&swarm.to_string())))?;
        let edge = |id: &str| gt_model::bead::Dependency {
            issue_id: CONVOY.into(),
            depends_on_id: id.into(),
            kind: DepType::Tracks,
            created_at: None,
            rest: Vec::new(),
        };
        let convoy = Bead { dependencies: BEADS.map(edge).to_vec(), ..Bead::new(CONVOY.into(), "All", tx.now()) };
        tx.add_bead(&convoy)?;
        tx.change_bead("convoy-landed", &convoy, &Bead { status: Status::Closed, ..convoy.clone() })
    }

    /// Lands a commit of a bead on the remote, as the refinery would.
    fn commit(&self, id: &str) -> (Sha, Sha, Sha) {
        let project = self.folders().project();
        let ask = |what: &str| Sha::from(git(&project, &["rev-parse", what]));
        let onto = ask("HEAD");
        let mut files = BTreeMap::new();
        TASKS.iter().find(|task| task.id == id).unwrap().apply(&mut files);
        files.iter().for_each(|(path, text)| write(&project.join(path), text));
        git(&project, &["add", "--all"]);
        git(&project, &["commit", "--quiet", "--allow-empty", "-m", &format!("{id}\n\nBead: {id}\n")]);
        git(&project, &["push", "--quiet"]);
        (onto, ask("HEAD"), ask("HEAD^{tree}"))
    }

    fn do_bead(&self, tx: &Tx<'_>, id: &str) -> LedgerResult<()> {
        let bead = Bead::new(id.into(), id, tx.now());
        tx.add_bead(&bead)?;
        let attempt = tx.open_attempt(&NewAttempt {
            bead: id.into(),
            rig: street(),
            worker: format!("worker-{id}"),
            agent: "sim".to_owned(),
            formula: String::new(),
            molecule: AttemptMolecule::New { hash: String::new(), vars: Value::Null, steps: Vec::new() },
            convoy: Some(CONVOY.into()),
            swarm: None,
            started_from: None,
            why: None,
            runtime: None,
        })?;
        let incarnation = tx.open_incarnation(&attempt)?;
        let incarnation = tx.incarnation(&incarnation)?.unwrap();
        tx.record_end(
            &incarnation,
            Some(&bead.id),
            &Exit { code: Some(0), signal: None, reason: "exited".to_owned() },
        )?;
        let (onto, commit, tree) = self.commit(id);
        tx.submit_attempt(&attempt, &commit)?;
        let mr = tx.open_merge_request(&attempt, "main", &commit, &onto)?;
        let entry = StackEntry { mr: mr.id.clone(), commit, tree };
        let landing = tx.open_landing_of(&street(), "main", &onto, &[entry])?.unwrap();
        tx.finish_landing(&tx.landing(landing)?.unwrap())?;
        tx.end_merge_request(&tx.merge_request(&mr.id)?.unwrap(), MrEnd::Merged, None)?;
        tx.end_attempt(&attempt, AttemptOutcome::Landed)?;
        tx.set_archived(attempt.id)?;
        tx.change_bead("bead-closed", &bead, &Bead { status: Status::Closed, ..bead.clone() })
    }

    fn sql(&self, statement: &str) {
        let connection = rusqlite::Connection::open(self.town().ledger()).unwrap();
        assert!(connection.execute(statement, []).unwrap() > 0, "{statement}");
    }

    fn failed(&self) -> Vec<&'static str> {
        verify(self.root()).unwrap().failed()
    }
}

#[expect(clippy::disallowed_methods, reason = "scratch files of a test")]
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

fn new_mail(message: &Message) -> NewMail {
    let to = vec![Address::parse("mayor").unwrap()];
    NewMail {
        from: Address::parse("deacon").unwrap(),
        to,
        subject: message.subject(),
        body: message.body(""),
        priority: Priority::Normal,
    }
}

#[test]
fn a_finished_demo_passes() {
    let demo = Demo::new();
    let report = verify(demo.root()).unwrap();
    assert!(report.passed(), "{report:#?}");
    let names: Vec<&str> = report.checks.iter().map(|check| check.name).collect();
    let expected =
        ["ledger", "convoy", "swarms", "sessions", "beads", "trunk", "gates", "remote", "worktrees", "processes"];
    assert_eq!(names, expected);
    assert_eq!(verify(&demo.folders().town()).unwrap(), report, "the town can be named too");
}

#[test]
fn each_sabotage_is_named() {
    #[track_caller]
    fn check(sabotage: impl FnOnce(&Demo), expected: &[&str]) {
        let demo = Demo::new();
        sabotage(&demo);
        assert_eq!(demo.failed(), expected, "{:#?}", verify(demo.root()));
    }
    let remote = |demo: &Demo| demo.folders().remote();
    check(|d| drop(git(&remote(d), &["update-ref", "refs/heads/main", "main~1"])), &["beads", "trunk"]);
    check(|d| d.sql("DELETE FROM landings WHERE id = 2"), &["trunk"]);
    check(|d| drop(d.commit("demo-a1")), &["beads", "trunk"]);
    let never = "run = 'test ! -e lib/lamplighter.sh'";
    check(|d| write(&d.town().rig(&street()).settings(), &format!("[[gate]]\nname = 'g'\n{never}\n")), &["gates"]);
    check(|d| write(&d.town().rig(&street()).settings(), ""), &["gates"]);
    let worktree = ["worktree", "add", "--quiet", "--detach", "../polecats/amber"];
    check(|d| drop(git(&d.town().rig(&street()).repo(), &worktree)), &["worktrees"]);
    check(|d| drop(git(&remote(d), &["branch", "polecat/amber/demo-a1-1", "main"])), &["remote"]);
    check(|d| d.sql("UPDATE incarnations SET ended_at = NULL WHERE attempt = 1"), &["sessions"]);
    let again = "INSERT INTO events (at, actor, verb, event, subject)
                 SELECT at, '', '', 'convoy-landed', 'hq-demo' FROM events LIMIT 1";
    check(|d| d.sql(again), &["convoy"]);
    check(|d| d.sql("UPDATE beads SET status = 'open' WHERE id = 'hq-demo'"), &["convoy"]);
    check(|d| d.sql("DELETE FROM deliveries WHERE mail = 'hq-m2'"), &["swarms"]);
    check(|d| d.sql("UPDATE swarms SET completed_at = NULL"), &["swarms"]);
    check(|d| drop(std::fs::remove_dir_all(remote(d))), &["beads", "trunk", "gates", "remote"]);
}

#[test]
fn a_live_process_is_named() {
    let demo = Demo::new();
    let child = sleeper(Some(&demo.folders().town()), None, None);
    assert_eq!(demo.failed(), ["processes"]);
    drop(child);
    assert_eq!(demo.failed(), Vec::<&str>::new());
}

#[test]
fn where_no_demo_is_there_is_nothing_to_verify() {
    let folder = tempfile::tempdir().unwrap();
    let error = verify(folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("no demo at"), "{error}");
    assert!(matches!(verify(&folder.path().join("missing")), Err(VerifyError::NoTown(_))));
}
