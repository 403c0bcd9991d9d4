//! Without a gate nothing lands.

use crate::town::{RIG, Town, WORK};

#[test]
fn f11_a_rig_without_a_gate_lands_nothing_until_a_person_allows_it() {
    let town = Town::empty();
    let remote = town.project("main", &[("README.md", "Nothing to run\n")]).display().to_string();
    let added = town.ok(&["rig", "add", RIG, &remote, "--prefix", "ap"]);
    assert!(added.contains("held: no gate was found"), "{added}");
    town.play_in_rig(RIG);
    town.script(WORK);
    town.edit(&town.rig().join("rig.toml"), |text| text.replace("# landing = \"ask\"", "landing = \"auto\""));
    assert_eq!(town.conditions(), ["rig-held"]);
    assert!(town.ok(&["why", RIG]).contains("no gate was found"));
    let bead = town.bead("Ungated");
    town.ok(&["up"]);
    let refused = town.gt(&["sling", &bead, RIG]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("the rig app is held: no gate was found"), "{refused:?}");
    assert!(refused.err.contains("hint: gt why app"), "{refused:?}");
    assert_eq!(town.ask("SELECT count(*) FROM attempts"), ["0"]);
    let refused = town.gt(&["rig", "release", RIG]);
    assert_eq!((refused.code, refused.err.contains("has no gate")), (4, true), "{refused:?}");
    assert_eq!(town.conditions(), ["rig-held"]);

    town.edit(&town.rig().join("rig.toml"), |text| format!("allow_ungated = true\n{text}"));
    assert_eq!(town.conditions(), ["rig-held"], "the setting alone releases nothing");
    town.ok(&["rig", "release", RIG]);
    assert_eq!(town.conditions(), Vec::<String>::new());
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    assert_eq!(town.landings(&bead), 1);
}

#[test]
fn f11_removing_all_gates_stops_landing() {
    let town = Town::new();
    town.script(&format!("[[act]]\nstep = \"submit-and-exit\"\nsignal = \"ready\"\nawait = \"go\"\n{WORK}"));
    let bead = town.bead("Late");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_for_mark("ready");
    town.ok(&["rig", "gates", "remove", RIG, "run-tests"]);
    let before = town.remote_branch("main");
    town.signal("go");
    town.wait_until("the rig to stop", || town.conditions() == ["ungated"]);
    town.let_patrols_pass();
    assert_eq!(town.remote_branch("main"), before);
    assert_eq!(town.status_of(&bead), "in_progress");
    assert!(town.ok(&["why", RIG]).contains("no gate is configured"));
    let doctor = town.gt(&["doctor"]);
    assert_eq!((doctor.code, doctor.out.contains("no gate, so nothing lands")), (1, true), "{doctor:?}");
    town.ok(&["rig", "gates", "add", RIG, "tests", "sh ./run-tests"]);
    town.wait_closed(&bead);
    assert_eq!((town.landings(&bead), town.conditions()), (1, Vec::new()));
}

#[test]
fn f11_work_that_fails_its_gates_is_sent_back_and_does_not_land() {
    let town = Town::new();
    // A second gate, which fails only on the merged tree, gets past the check of the worker's step.
    let gate = format!("case $PWD in */refinery/gate) test ! -e {} ;; esac", "work/red.txt");
    town.ok(&["rig", "gates", "add", RIG, "merged", &gate]);
    town.script(&format!(
        "{WORK}[[act]]\nstep = \"implement\"\nattempt = 1\nwrite = {{ \"work/red.txt\" = \"red\" }}\ncommit = \"Red\"\n\
         [[act]]\nstep = \"implement\"\nattempt = 2\nremove = [\"work/red.txt\"]\ncommit = \"Green\"\n"
    ));
    let bead = town.bead("Red at first");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    assert_eq!(town.landings(&bead), 1);
    assert_eq!(town.ask("SELECT outcome FROM attempts ORDER BY number"), ["rework", "landed"]);
    let files = town.git(&town.remote(), &["ls-tree", "-r", "--name-only", "main"]);
    assert!(!files.contains("red.txt"), "{files}");
    assert_eq!(town.git(&town.remote(), &["rev-list", "--count", "main"]), "2", "one commit landed, the green one");
}
