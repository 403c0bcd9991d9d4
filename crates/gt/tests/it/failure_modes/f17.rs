//! No orphans: what a session started ends with it.

use crate::town::{RIG, Town, WORK};

#[test]
fn f17_what_a_worker_leaves_running_ends_with_its_session() {
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
fn f17_what_a_gate_leaves_running_ends_with_it() {
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
