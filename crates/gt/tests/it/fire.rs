//! Effects under load: killed within a git command, run by several runners at once, with people working beside the
//! deacon and agents' calls killed at any moment. No effect is done twice, and none is lost.

use std::os::unix::fs::PermissionsExt as _;

use gt::demo::run::kill_hard;

use crate::town::{RIG, Town, WORK, finish, identity_of, write};

/// Checks that every bead landed once, by as many workers as there are beads.
fn check_once(town: &Town, beads: &[String]) {
    for bead in beads {
        town.wait_closed(bead);
    }
    town.wait_quiet();
    for bead in beads {
        assert_eq!(town.landings(bead), 1, "{bead}");
    }
    let count = beads.len().to_string();
    let commits = (beads.len() + 1).to_string();
    assert_eq!(town.git(&town.remote(), &["rev-list", "--count", "main"]), commits);
    for table in ["attempts", "incarnations", "merge_requests"] {
        assert_eq!(
            town.ask(&format!("SELECT count(*) FROM {table}")),
            std::slice::from_ref(&count),
            "{table}\n{}",
            town.dump()
        );
    }
    assert_eq!(town.conditions(), [""; 0]);
    assert_eq!(town.gt(&["doctor"]).code, 0);
}

/// Makes each push to the remote slow, and reports when it has begun.
fn slow_down_pushes(town: &Town) {
    let hook = town.remote().join("hooks/pre-receive");
    let mark = town.folder().join("play/pushing");
    write(&hook, format!("#!/bin/sh\ntouch {}\nsleep 3\n", mark.display()));
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_landing_happens_once_if_its_runner_dies_while_git_pushes() {
    let town = Town::new();
    slow_down_pushes(&town);
    let bead = town.bead("Slow");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_for_mark("pushing");
    kill_hard(&identity_of(town.deacon().unwrap()).unwrap());
    // The push continues without its runner. Two other processes want to land, and boot starts another deacon.
    let rounds = [(); 2].map(|()| town.start(&[], &["refinery", "run", "--once"]));
    for round in rounds.map(finish) {
        assert!(matches!(round.code, 0 | 4), "at work, or refused since another one is: {round:?}");
    }
    check_once(&town, &[bead]);
    assert_eq!(town.ask("SELECT count(*) FROM landings"), ["1"]);
}

#[test]
fn several_runners_do_no_effect_twice() {
    let town = Town::new();
    let beads: Vec<String> = (0..3).map(|n| town.bead(&format!("Bead {n}"))).collect();
    town.ok(&["up"]);
    town.ok(&[&["sling"], &beads.iter().map(String::as_str).collect::<Vec<_>>()[..], &[RIG]].concat());
    town.wait_until("all to land while others run patrols", || {
        let verbs = [["refinery", "run", "--once"], ["refinery", "run", "--once"], ["witness", "run", "--once"]];
        let runners = verbs.map(|verb| town.start(&[], &verb));
        for runner in runners.map(finish) {
            assert!(matches!(runner.code, 0 | 4), "at work, or refused since another one is: {runner:?}");
        }
        town.ask("SELECT count(*) FROM beads WHERE close_reason LIKE 'merged%'") == ["3"]
    });
    check_once(&town, &beads);
}

#[test]
fn one_of_several_people_who_sling_a_bead_at_once_succeeds() {
    let town = Town::new();
    let bead = town.bead("Wanted");
    town.ok(&["up"]);
    let calls = [(); 4].map(|()| town.start(&[], &["sling", &bead, RIG]));
    let mut codes = calls.map(|call| finish(call).code);
    codes.sort_unstable();
    assert_eq!(codes, [0, 4, 4, 4]);
    check_once(&town, &[bead]);
}

/// Calls `$1…` repeatedly, and kills each call a bit later than the one before.
const KILL_IN_MID_CALL: &str = r#"
for ms in 000 002 004 006 008 010 013 016 020 025 030 040 060; do
    "$@" >/dev/null 2>&1 &
    call=$!
    sleep 0.$ms
    kill -9 $call 2>/dev/null
    wait $call 2>/dev/null
done
exit 0
"#;

#[test]
fn an_agents_killed_calls_do_nothing_twice_and_lose_nothing() {
    let town = Town::new();
    let kill = format!("run = [\"sh\", \"-c\", '''{KILL_IN_MID_CALL}''', \"sh\", \"gt\"");
    town.script(&format!(
        "{WORK}\n[[act]]\nstep = \"implement\"\n{kill}, \"step\", \"done\", \"implement\"]\n\
         [[act]]\nstep = \"submit-and-exit\"\n{kill}, \"done\"]\n"
    ));
    let bead = town.bead("Nervous");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    check_once(&town, std::slice::from_ref(&bead));
    let closed = town.events(&bead).iter().filter(|event| *event == "step-done").count();
    let steps = town.ask("SELECT count(*) FROM steps");
    assert_eq!(steps, [closed.to_string()], "each step is closed once");
}
