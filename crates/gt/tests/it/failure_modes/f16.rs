//! What is stopped stays stopped.

use gt::demo::run::kill_hard;

use crate::town::{RIG, Town, identity_of};

const HANG: &str = "[[act]]\nstep = \"implement\"\nsignal = \"hanging\"\nmisbehave = \"hang\"\n";

fn hanging(town: &Town) -> String {
    town.script(HANG);
    let bead = town.bead("Hang");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_for_mark("hanging");
    bead
}

#[test]
fn f16_down_leaves_nothing_and_nothing_comes_back() {
    let town = Town::new();
    let bead = hanging(&town);
    let said = town.ok(&["down", "--now"]);
    assert!(said.contains("ended session"), "{said}");
    assert_eq!(town.running(), Vec::<String>::new());
    town.let_patrols_pass();
    assert_eq!(town.running(), Vec::<String>::new(), "nothing comes back by itself");
    assert!(town.ok(&["status"]).contains("the town is down"));
    assert_eq!(town.status_of(&bead), "in_progress", "the work is still on its hook");
}

#[test]
fn f16_a_town_that_is_gone_spends_nothing() {
    let town = Town::new();
    hanging(&town);
    let gone = town.folder().join("gone");
    std::fs::rename(town.root(), &gone).unwrap();
    town.wait_until("boot, deacon, shim and agent to end", || town.running().is_empty());
    std::fs::rename(&gone, town.root()).unwrap();
}

#[test]
fn f16_a_deacon_that_dies_is_started_again_and_not_after_down() {
    let town = Town::new();
    town.ok(&["up"]);
    let first = town.deacon().unwrap();
    kill_hard(&identity_of(first).unwrap());
    town.wait_until("another deacon", || town.deacon().is_some_and(|pid| pid != first));
    assert!(town.ok(&["log", "-n", "100"]).contains("deacon-ended"), "what happened is on record");
    town.ok(&["down"]);
    town.let_patrols_pass();
    assert_eq!(town.running(), Vec::<String>::new());
}
