//! Submitted work has not landed: a bead closes only when the remote's trunk contains its work.

use crate::town::{RIG, Town, WORK, write};

/// The worker waits at its last step until the test sets a mark.
const WAIT: &str = "[[act]]\nstep = \"submit-and-exit\"\nattempt = 1\nsignal = \"ready\"\nawait = \"go\"\n";

#[test]
fn f03_a_refused_push_closes_nothing() {
    let town = Town::new();
    let first = town.bead("First");
    let second = town.bead_after("Second", &first);
    let hook = town.remote().join("hooks/pre-receive");
    write(&hook, "#!/bin/sh\necho closed for today\nexit 1\n");
    make_executable(&town, &hook);
    let before = town.remote_branch("main");
    town.ok(&["up"]);
    town.ok(&["sling", &first, RIG]);
    let held = "SELECT count(*) FROM merge_requests WHERE held LIKE '%closed for today%'";
    town.wait_until("the landing to be refused", || town.ask(held) == ["1"]);
    assert_eq!(town.remote_branch("main"), before);
    assert_eq!(town.status_of(&first), "in_progress");
    assert!(town.ok(&["why", &first]).contains("closed for today"));
    assert_eq!(town.json(&["bead", "ready"]).as_array().unwrap().len(), 0, "the dependent waits");
    let refused = town.gt(&["sling", &second, RIG]);
    assert_eq!((refused.code, refused.err.contains("is blocked by")), (4, true), "{refused:?}");

    std::fs::remove_file(&hook).unwrap();
    town.script(&format!(
        "[[act]]\nbead = \"{second}\"\nstep = \"load-context\"\nrun = [\"test\", \"-f\", \"work/{first}.txt\"]\n{WORK}"
    ));
    town.ok(&["mq", "approve", &first]);
    town.wait_closed(&first);
    let landed = town.remote_branch("main");
    assert_eq!(town.landings(&first), 1);
    town.ok(&["sling", &second, RIG]);
    town.wait_closed(&second);
    assert_eq!(town.landings(&second), 1);
    let base = town.ask(&format!("SELECT base FROM attempts WHERE bead = '{second}'"));
    assert_eq!(base, [landed], "the dependent began on what had landed");
    town.wait_quiet();
}

fn make_executable(town: &Town, path: &std::path::Path) {
    let mode = town.program("chmod", town.folder()).arg("+x").arg(path).status().unwrap();
    assert!(mode.success());
}

#[test]
fn f03_an_unreachable_remote_closes_nothing() {
    let town = Town::new();
    town.script(&format!("{WAIT}{WORK}"));
    let first = town.bead("First");
    let second = town.bead_after("Second", &first);
    town.ok(&["up"]);
    let convoy = town.json(&["convoy", "create", "Both", &first, &second]);
    let convoy = crate::town::text(&convoy["convoy"]["id"]);
    town.ok(&["sling", &first, RIG]);
    town.wait_for_mark("ready");
    let away = town.folder().join("away.git");
    std::fs::rename(town.remote(), &away).unwrap();
    town.signal("go");
    let submitted = format!("SELECT count(*) FROM attempts WHERE bead = '{first}' AND submitted_at IS NOT NULL");
    town.wait_until("the work to be submitted", || town.ask(&submitted) == ["1"]);
    town.wait_until("the failing fetch to be told", || town.conditions() == ["refinery"]);
    assert!(town.ok(&["status"]).contains("origin.git can't be reached"));
    assert_eq!(town.status_of(&first), "in_progress", "submitted is not merged");
    assert_eq!(town.status_of(&second), "open");
    assert_eq!(town.json(&["convoy", "show", &convoy])["convoy"]["landed"], false);

    std::fs::rename(&away, town.remote()).unwrap();
    // The deacon slings the dependent bead as soon as it is ready.
    town.wait_closed(&first);
    town.wait_closed(&second);
    assert_eq!((town.landings(&first), town.landings(&second)), (1, 1));
    assert_eq!(town.conditions(), Vec::<String>::new(), "and it is over when the remote is back");
    assert_eq!(town.json(&["convoy", "show", &convoy])["convoy"]["landed"], true);
    let order = town.git(&town.remote(), &["log", "--reverse", "--format=%(trailers:key=Bead,valueonly)", "main"]);
    let order: Vec<&str> = order.split_whitespace().collect();
    assert_eq!(order, [first, second]);
    town.wait_quiet();
}

#[test]
fn f03_gt_done_submits_and_no_agent_closes_its_own_bead() {
    let town = Town::asking();
    town.script(&format!("[[act]]\nstep = \"implement\"\nmisbehave = \"close\"\n{WORK}"));
    let bead = town.bead("First");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_until("a person to be asked", || town.conditions() == ["approval"]);
    assert_eq!(town.status_of(&bead), "in_progress");
    let refused = town.gt(&["bead", "close", &bead]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert_eq!(town.landings(&bead), 0);
    assert!(!town.events(&bead).contains(&"bead-closed".to_owned()));
}
