//! No change of a worker's own is lost silently between its last step and the trunk.

use gt_ledger::MergeRequest;
use gt_town::effects;
use gt_town::effects::catch_up::{self, CaughtUp};
use gt_town::work::done::Ending;
use gt_town::work::hook;

use super::*;

const STEPS: &str = r#"
formula = "short"
description = "Work, then bring it up to the trunk."
version = 1
type = "workflow"

[[steps]]
id = "work"
title = "Work"
description = "Do it."

[[steps]]
id = "tidy"
title = "Tidy"
needs = ["work"]
description = "Leave nothing behind."

[[steps]]
id = "catch-up"
title = "Catch up"
needs = ["tidy"]
description = "Bring it up to the trunk."
acceptance = ["gt:rebased"]

[[steps]]
id = "submit"
title = "Submit"
needs = ["catch-up"]
description = "Say gt done."
"#;

/// A worker in a town of its own.
struct Worker {
    scene: Scene,
    attempt: Attempt,
    path: PathBuf,
}

impl Worker {
    /// Creates it; the trunk has `src/base` with lines 1 to 9, and `src/other`.
    fn new() -> Self {
        let mut scene = scene();
        RealDisk.write(&scene.at("town/.beads/formulas/short.toml"), STEPS.as_bytes()).unwrap();
        let worker = |scene: &mut Scene| scene.sling("Work");
        scene.sh(&scene.at("seed"), "seq 9 | sed 's/^/line /' > src/base; echo other > src/other");
        person(&scene, ":");
        let (_, attempt, path) = worker(&mut scene);
        Self { scene, attempt, path }
    }

    fn caller(&self) -> Caller {
        let incarnations = |view: &gt_ledger::View<'_>| Ok::<_, Error>(view.incarnations_of(self.attempt.id)?);
        let incarnation = self.scene.town.ledger.read(incarnations).unwrap().pop().map(|incarnation| incarnation.id);
        Caller { incarnation, ..Caller::role(self.attempt.address()) }
    }

    /// Runs a shell script as the worker.
    fn sh(&self, script: &str) -> String {
        self.scene.sh(&self.path, script)
    }

    /// Does the work, and closes the step before the one that catches up with the trunk.
    fn works(&mut self, script: &str) {
        self.sh(script);
        for step in ["work", "tidy"] {
            hook::step_done(&self.scene.town, &self.caller(), Some(step), None).unwrap();
        }
        deacon::look(&self.scene.town, &mut self.scene.memory).unwrap();
    }

    /// Brings the branch up to the trunk in the given way, and submits.
    fn submits(&self, script: &str) -> Result<MergeRequest, String> {
        self.sh(script);
        hook::step_done(&self.scene.town, &self.caller(), Some("catch-up"), None).map_err(|e| e.to_string())?;
        self.done(&Exit::Completed.into())
    }

    fn done(&self, ending: &Ending<'_>) -> Result<MergeRequest, String> {
        let submitted = done::done(&self.scene.town, &self.caller(), ending).map_err(|error| error.to_string())?;
        let id = submitted.mr.unwrap();
        let mr = |view: &gt_ledger::View<'_>| Ok::<_, Error>(view.merge_request(&id.as_str().into())?.unwrap());
        Ok(self.scene.town.ledger.read(mr).unwrap())
    }

    fn catches_up(&self) -> gt_town::Result<CaughtUp> {
        // The deacon fetches while the verb waits.
        let over = &std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let town = self.scene.at("town");
            let outside = self.scene.town.outside.clone();
            scope.spawn(move || {
                let town = Town::open(&town, outside).unwrap();
                let mut memory = Memory::default();
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    deacon::look(&town, &mut memory).unwrap();
                    std::thread::sleep(Duration::from_millis(10));
                }
            });
            let caught_up = catch_up::catch_up(&self.scene.town, &self.caller());
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            caught_up
        })
    }
}

/// Changes the trunk with a shell script, as a person, and lets the town fetch.
fn person(scene: &Scene, script: &str) {
    let script = format!("{script}\ngit add -A; git commit -qm 'By hand'; git push -q origin HEAD:main");
    scene.sh(&scene.at("seed"), &script);
    effects::fetch(&scene.town, &Caller::overseer(), &scene.rig()).unwrap();
}

/// Checks the refusal of `gt done` for a worker that worked, met a new trunk, and continued.
#[track_caller]
fn check(work: &str, trunk: &str, then: &str, expected: Result<(), &[&str]>) {
    let mut worker = Worker::new();
    worker.works(&format!("{work}\ngit add -A; git commit -qm Work"));
    person(&worker.scene, trunk);
    let end = worker.submits(then);
    match (end, expected) {
        (Ok(mr), Ok(())) => assert_eq!(mr.dropped, None),
        (Err(said), Err(words)) => {
            for word in words {
                assert!(said.contains(word), "{word} in: {said}");
            }
        }
        (end, _) => panic!("{work} / {trunk} / {then}: {end:?}"),
    }
}

const EDIT: &str = "sed -i 's/line 5/own 5/' src/base; echo own > src/own";
const REBASE: &str = "git rebase -q origin/main";

#[test]
fn changes_that_a_rebase_keeps_are_submitted() {
    check(EDIT, "echo more >> src/other", REBASE, Ok(()));
    check(EDIT, "sed -i 's/line 1/their 1/' src/base", REBASE, Ok(()));
    check(EDIT, "git mv src/base src/moved", REBASE, Ok(()));
    check("git rm -q src/other", "sed -i 's/line 1/their 1/' src/base", REBASE, Ok(()));
    check(EDIT, "echo x > x", "git merge -q --no-edit origin/main", Ok(()));
    // Both sides' lines stay.
    let union = "git -c merge.default=union rebase -q origin/main";
    check(EDIT, "sed -i 's/line 5/their 5/' src/base", union, Ok(()));
}

#[test]
fn gt_done_reports_lost_changes_of_a_merge_commit() {
    let mut worker = Worker::new();
    person(&worker.scene, "sed -i 's/line 1/their 1/' src/base");
    worker.works(
        "echo 'call old' > w; git add w; git commit -qm 'Use it'
         git merge -q --no-commit origin/main; echo 'call new' > w; git add w; git commit -qm 'Merge, follow the rename'",
    );
    person(&worker.scene, "echo x > x");
    let said = worker.submits("git rebase -q origin/main").unwrap_err();
    assert!(said.contains("w:1") && said.contains("gone:  call new") && !said.contains("src/base"), "{said}");
    worker.sh("echo 'call new' > w; git commit -qam 'Follow it again'");
    let mr = worker.done(&Exit::Completed.into()).unwrap();
    assert_eq!(mr.dropped, None);
}

#[test]
fn gt_done_reports_dropped_changes_with_file_and_lines() {
    let base = Err(&["src/base:5", "gone:  own 5"][..]);
    let all = Err(&["src/base:5", "gone:  own 5", "again: line 5", "src/own: it is not there"][..]);
    let clash = "sed -i 's/line 5/their 5/' src/base";
    check(EDIT, clash, "git rebase -q -X ours origin/main", base);
    check(EDIT, clash, "git rebase -q -X theirs origin/main", Ok(()));
    check(EDIT, clash, "git merge -q -X theirs --no-edit origin/main", base);
    check(
        EDIT,
        "echo x > x",
        &format!("{REBASE}; git rm -q src/own; git commit -q --amend --no-edit"),
        Err(&["src/own: it is"]),
    );
    let anew = "git reset -q --hard origin/main; echo again > src/again; git add -A; git commit -qm Again";
    check(EDIT, "echo x > x", anew, all);
    check(
        "git rm -q src/other",
        "echo x > x",
        "git reset -q --hard origin/main; echo y > y; git add y; git commit -qm y",
        Err(&["src/other: it is there again"]),
    );
    check(
        "chmod +x src/other; printf 'a\\0b' > bin",
        "echo x > x",
        anew,
        Err(&["src/other: its executable bit", "bin: it is not there"]),
    );
    check("ln -s base src/link", "echo x > x", anew, Err(&["src/link: it is not there"]));
    // The trunk changed it, and the resolution took the trunk's side.
    let resolve = "git rebase -q origin/main || { git checkout -q --ours src/base; git add src/base; GIT_EDITOR=true git rebase --continue; }";
    check(EDIT, clash, resolve, base);
}

#[test]
fn gt_done_reports_undone_changes_of_others() {
    let theirs = "echo their > src/their; sed -i 's/line 1/their 1/' src/base; git mv src/other src/moved";
    let ours = "git merge -q -s ours -m Merge origin/main";
    check(
        "echo own > src/own",
        theirs,
        ours,
        Err(&["undoes changes", "src/base", "src/their", "src/other", "src/moved"]),
    );
    check("echo own > src/own", theirs, "git merge -q --no-edit origin/main", Ok(()));
    let whole = "git merge -q --no-commit origin/main; git checkout -q HEAD -- src; git commit -qm Merge";
    check("echo own > own", theirs, whole, Err(&["undoes changes", "src/base"]));
    // A commit that undoes them on purpose is accepted.
    check("echo own > own", theirs, &format!("{REBASE}; git rm -q src/their; git commit -qm 'Not theirs'"), Ok(()));
    check("echo own > own", theirs, &format!("{REBASE}; git revert --no-edit HEAD~1 > /dev/null"), Ok(()));
}

#[test]
fn gt_done_reports_a_submodule_that_was_set_back() {
    let add = format!("mkdir lib; git update-index --add --cacheinfo 160000,{},lib", "1".repeat(40));
    let mut worker = Worker::new();
    worker.works("echo own > own; git add own; git commit -qm Own");
    person(&worker.scene, &add);
    let said = worker.submits(&format!("{REBASE}; git rm -q --cached lib; git commit -qm 'As it lies here'"));
    assert!(said.as_ref().is_err_and(|said| said.contains("undoes changes") && said.contains("lib")), "{said:?}");
}

#[test]
fn gt_done_refuses_large_files_that_would_not_be_uploaded() {
    let begin = "echo '*.bin -text filter=lfs' > .gitattributes; echo x > src/x.bin";
    check(begin, "echo x > x", REBASE, Err(&["git-lfs", "sends no large files"]));
    // A filter of the project's own, and files that are not git-lfs's.
    check(EDIT, "echo '*.bin filter=lfs' > .gitattributes", REBASE, Ok(()));
    check("echo '*.bin filter=other' > .gitattributes", "echo x > x", REBASE, Ok(()));
}

#[test]
fn removals_by_a_later_commit_are_accepted() {
    let later = "export GIT_AUTHOR_DATE=2090-01-01T00:00:00Z";
    let undo = format!("{REBASE}; {later}; git rm -q src/own; git commit -qm 'Not needed'");
    check(EDIT, "echo x > x", &undo, Ok(()));
    check(
        EDIT,
        "echo x > x",
        &format!("git merge -q --no-edit origin/main; {later}; git rm -q src/own; git commit -qm no"),
        Ok(()),
    );
    check(
        EDIT,
        "echo x > x",
        &format!("{REBASE}; {later}; sed -i 's/own 5/mended 5/' src/base; git commit -qam fix"),
        Ok(()),
    );
}

#[test]
fn gt_done_reports_lost_changes_that_were_never_committed() {
    let mut worker = Worker::new();
    worker.works("echo own > src/own; git add -A; git commit -qm Own; echo forgotten > src/forgotten");
    person(&worker.scene, "echo x > x");
    let said = worker.submits("git clean -qfd; git rebase -q origin/main").unwrap_err();
    assert!(said.contains("src/forgotten: it is not there") && !said.contains("src/own"), "{said}");
}

#[test]
fn conflict_markers_do_not_count_as_work() {
    let mut worker = Worker::new();
    person(&worker.scene, "sed -i 's/line 5/their 5/' src/base");
    worker.works(
        "sed -i 's/line 5/own 5/' src/base; git commit -qam Own; git merge -q origin/main > /dev/null || git add -A; git commit -qm Merge",
    );
    person(&worker.scene, "echo x > x");
    worker.submits("sed -i '/^[<=>]\\{7\\}/d' src/base; git commit -q --amend -a --no-edit; git merge -q --no-edit origin/main").unwrap();
}

#[test]
fn a_worker_may_say_why_it_dropped_something() {
    let mut worker = Worker::new();
    worker.works(&format!("{EDIT}; git add -A; git commit -qm Work"));
    person(&worker.scene, "echo x > x");
    let anew = "git reset -q --hard origin/main; echo again > src/again; git add -A; git commit -qm Again";
    assert!(worker.submits(anew).is_err());
    let ending = |why| Ending { dropped: Some(why), ..Exit::Completed.into() };
    assert!(worker.done(&ending(" ")).is_err(), "that is no reason");
    let mr = worker.done(&ending("a simpler way")).unwrap();
    let dropped = mr.dropped.unwrap();
    assert!(dropped.starts_with("a simpler way (src/base, src/own, as "), "{dropped}");
    let bead = |view: &gt_ledger::View<'_>| Ok::<_, Error>(view.bead(&worker.attempt.bead)?.unwrap());
    let bead = worker.scene.town.ledger.read(bead).unwrap();
    assert!(bead.comments.last().unwrap().text.contains("a simpler way"));
}

#[test]
fn catching_up_rebases_a_linear_branch_and_merges_another() {
    let mut worker = Worker::new();
    worker.works(&format!("{EDIT}; git add -A; git commit -qm Work"));
    assert_eq!(worker.catches_up().unwrap().way, None);
    person(&worker.scene, "echo x > x");
    assert_eq!(worker.catches_up().unwrap().way, Some("rebase"));
    assert_eq!(worker.sh("git log --format=%s origin/main..HEAD"), "Work");
    worker.sh("git checkout -q --detach; echo side > side; git add side; git commit -qm Side; s=$(git rev-parse HEAD)
               git checkout -q -; git merge -q --no-ff -m Evil --no-commit $s; echo evil > evil; git add evil; git commit -qm Evil");
    person(&worker.scene, "echo y > y");
    assert_eq!(worker.catches_up().unwrap().way, Some("merge"));
    assert_eq!(worker.sh("cat evil side src/own x y"), "evil\nside\nown\nx\ny");
    assert_eq!(worker.submits(":").unwrap().dropped, None);
}

#[test]
fn catching_up_names_its_obstacle() {
    let mut worker = Worker::new();
    worker.works(&format!("{EDIT}; git add -A; git commit -qm Work"));
    worker.sh("echo dirty >> src/base");
    let said = |worker: &Worker| worker.catches_up().unwrap_err().to_string();
    assert!(said(&worker).contains("not committed: src/base"));
    worker.sh("git checkout -q src/base");
    person(&worker.scene, "sed -i 's/line 5/their 5/' src/base");
    let stopped = said(&worker);
    assert!(stopped.contains("the rebase with main stopped: both sides changed src/base"), "{stopped}");
    assert!(said(&worker).contains("a rebase is unfinished"));
    worker.sh("sed -i '/^[<=>]/d' src/base; git add src/base; GIT_EDITOR=true git rebase --continue");
    assert_eq!(worker.catches_up().unwrap().way, None);
    assert_eq!(worker.submits(":").unwrap().dropped, None);
    let person = catch_up::catch_up(&worker.scene.town, &Caller::role(worker.attempt.address()));
    assert!(person.is_err(), "only its own processes run its git");
}
