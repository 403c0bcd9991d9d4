//! A process counts as alive only if it is the recorded one. An unknown state permits nothing destructive.

use std::process::Child;

use gt::demo::run::kill_hard;

use crate::town::{RIG, Town, WORK, identity_of, write};

const HANG: &str = "[[act]]\nstep = \"implement\"\nsignal = \"hanging\"\nmisbehave = \"hang\"\n";

fn is_there(pid: i32) -> bool {
    identity_of(pid).is_some()
}

/// A process that is not the town's. Only this test may end it.
struct Stranger(Child);

impl Stranger {
    fn new(town: &Town) -> Self {
        Self(town.program("sleep", "/".as_ref()).arg("600").spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    fn is_untouched(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Creates a town whose one worker hangs and whose deacon is dead. Returns the bead.
fn hanging_without_deacon(town: &Town) -> String {
    town.script(HANG);
    let bead = town.bead("Hang");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_for_mark("hanging");
    town.wait_until("the start to be recorded", || town.status_of(&bead) == "in_progress");
    // Boot goes first: it would start another deacon.
    kill_hard(&identity_of(town.boot().unwrap()).unwrap());
    kill_hard(&identity_of(town.deacon().unwrap()).unwrap());
    town.wait_until("the deacon to be gone", || town.deacon().is_none());
    bead
}

#[test]
fn f01_a_worker_that_is_silent_for_long_is_not_ended() {
    let town = Town::new();
    town.settle("quiet_minutes = 0\n");
    town.script(&format!("[[act]]\nstep = \"implement\"\nsignal = \"silent\"\nawait = \"enough\"\n{WORK}"));
    let bead = town.bead("Think for long");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_for_mark("silent");
    let (_, _, agent) = town.session(&bead);
    town.let_patrols_pass();
    let patrol = town.ok(&["witness", "run", "--once"]);
    assert!(patrol.contains("working"), "{patrol}");
    assert_eq!(identity_of(agent.pid), Some(agent));
    town.signal("enough");
    town.wait_closed(&bead);
    town.wait_quiet();
    assert_eq!(town.ask("SELECT count(*) FROM incarnations"), ["1"]);
}

#[test]
fn f01_gt_never_signals_another_process_with_the_recorded_pid() {
    for end in [&["unsling"][..], &["down", "--now"]] {
        let town = Town::new();
        let bead = hanging_without_deacon(&town);
        let (folder, shim, agent) = town.session(&bead);
        kill_hard(&shim);
        kill_hard(&agent);
        town.wait_until("the worker to be gone", || !is_there(shim.pid) && !is_there(agent.pid));
        let mut stranger = Stranger::new(&town);
        // Simulates reused pids: the same numbers, but other processes.
        town.edit(&folder.join("started.json"), |text| {
            let pid = |old: i32| format!("\"pid\":{old},");
            let compact: serde_json::Value = serde_json::from_str(&text).unwrap();
            let text = compact.to_string();
            assert!(text.contains(&pid(shim.pid)) && text.contains(&pid(agent.pid)), "{text}");
            text.replace(&pid(shim.pid), &pid(stranger.pid())).replace(&pid(agent.pid), &pid(stranger.pid()))
        });
        let args = if end == ["unsling"] { vec!["unsling", &bead] } else { end.to_vec() };
        town.ok(&args);
        town.ok(&["witness", "run", "--once"]);
        town.ok(&["down", "--now"]);
        assert!(stranger.is_untouched(), "gt {} signalled a stranger", args.join(" "));
    }
}

#[test]
fn f01_an_unknown_state_permits_nothing_destructive() {
    let town = Town::new();
    let bead = hanging_without_deacon(&town);
    let (folder, shim, agent) = town.session(&bead);
    let record = folder.join("started.json");
    let sound = std::fs::read_to_string(&record).unwrap();
    write(&record, "{ damaged");
    let patrol = town.ok(&["witness", "run", "--once"]);
    assert!(patrol.contains("unknown"), "{patrol}");
    assert!(town.ok(&["status"]).contains("unknown: "));
    town.ok(&["up"]);
    town.let_patrols_pass();
    let down = town.gt(&["down", "--now"]);
    assert_ne!(down.code, 0, "{down:?}");
    assert!(down.err.contains("started.json"), "the damage is named: {down:?}");
    assert_eq!((identity_of(shim.pid), identity_of(agent.pid)), (Some(shim), Some(agent)), "nobody was ended");
    assert_eq!(town.ask("SELECT count(*) FROM incarnations"), ["1"], "nobody was started beside it");
    assert!(town.rig().join("polecats/amber").is_dir());
    write(&record, &sound);
    town.ok(&["down", "--now"]);
}
