//! A session's processes end with it: no orphans stay.

use crate::town::{RIG, Town, WORK};

#[test]
fn f17_processes_that_a_worker_leaves_end_with_its_session() {
    let town = Town::new();
    town.script(&format!("[[act]]\nstep = \"load-context\"\nmisbehave = \"orphan\"\n{WORK}"));
    let bead = town.bead("Leave a child behind");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    town.wait_quiet();
    let sleeping: Vec<String> = town.running().into_iter().filter(|line| line.contains("sleep")).collect();
    assert_eq!(sleeping, Vec::<String>::new());
}

#[test]
fn f17_processes_that_a_gate_leaves_end_with_it() {
    let town = Town::new();
    let gate = "setsid sleep 3600 >/dev/null 2>&1 & test ! -e red";
    town.ok(&["rig", "gates", "add", RIG, "forks", gate]);
    let bead = town.bead("Work");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    town.wait_quiet();
    town.ok(&["down"]);
    let left: Vec<_> = gt::demo::verify::strays(town.folder()).unwrap();
    assert!(left.iter().all(|stray| !stray.command.contains("sleep 3600")), "{left:?}");
}

#[test]
fn f17_no_new_worker_starts_while_memory_is_short() {
    let town = Town::new();
    // More memory than any machine has.
    town.settle("min_free_memory_mb = 1000000000\n");
    town.script(WORK);
    let bead = town.bead("Wait for room");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG, "--runtime", "headless"]);
    town.wait_until("the shortage to be told", || town.conditions() == ["memory"]);
    town.let_patrols_pass();
    town.let_patrols_pass();
    assert_eq!(town.ask("SELECT id FROM incarnations"), Vec::<String>::new());
    assert!(town.ok(&["why", &bead]).contains("too little memory is free"), "{}", town.ok(&["why", &bead]));
    town.edit(&town.root().join("town.toml"), |text| text.replace("1000000000", "1"));
    town.wait_closed(&bead);
    assert_eq!(town.conditions(), Vec::<String>::new());
}
