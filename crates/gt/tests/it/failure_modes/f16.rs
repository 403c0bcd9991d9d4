//! After `gt down` nothing starts again.

use gt::demo::run::kill_hard;

use crate::town::{RIG, Town, WORK, finish, identity_of};

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
fn f16_gt_down_leaves_no_process_and_none_comes_back() {
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
fn f16_sessions_end_when_their_town_is_removed() {
    let town = Town::new();
    hanging(&town);
    let gone = town.folder().join("gone");
    std::fs::rename(town.root(), &gone).unwrap();
    town.wait_until("boot, deacon, shim and agent to end", || town.running().is_empty());
    std::fs::rename(&gone, town.root()).unwrap();
}

#[test]
fn f16_boot_restarts_a_dead_deacon_but_not_after_gt_down() {
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

#[test]
fn f16_gt_down_lets_a_worker_finish_its_step_and_gt_up_continues_there() {
    let town = Town::new();
    town.script(&format!("[[act]]\nstep = \"implement\"\nsignal = \"busy\"\nawait = \"go\"\n{WORK}"));
    let bead = town.bead("Finish the step");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_for_mark("busy");
    let down = town.start(&[], &["down"]);
    town.wait_until("the town to drain", || town.ask("SELECT value FROM meta WHERE key = 'desired'") == ["draining"]);
    town.let_patrols_pass();
    assert_eq!(town.ask("SELECT count(*) FROM incarnations WHERE ended_at IS NOT NULL"), ["0"], "no step is cut short");
    town.signal("go");
    let said = finish(down);
    assert!(said.code == 0 && said.out.contains("ended session"), "{said:?}");
    assert_eq!(town.ask("SELECT count(*) FROM steps WHERE id = 'implement' AND done_at IS NOT NULL"), ["1"]);
    assert_eq!(town.running(), Vec::<String>::new());
    town.ok(&["up"]);
    town.wait_closed(&bead);
    assert_eq!(town.landings(&bead), 1);
}
