//! Kills any process at any point: `gt up` continues, and everything happens once.

use gt::demo::run::kill_hard;

use crate::town::{Output, RIG, Town, WORK, finish, identity_of};

/// Acts of a worker without a deacon. They skip the default of `prepare-for-review`, because no process fetches for the
/// worker.
const ALONE: &str = r#"
[[act]]
step = "load-context"
run = ["sh", "-c", 'echo begun >> "$GT_SIM_PLAY_DIR/begun"']

[[act]]
step = "prepare-for-review"
skip_default = true
"#;

/// Exit code of a process that a signal ended.
const KILLED: i32 = -1;

struct Stage {
    town: Town,
    bead: String,
}

impl Stage {
    fn new() -> Self {
        let town = Town::new();
        town.script(&format!("{ALONE}{WORK}"));
        let bead = town.bead("Crash");
        Self { town, bead }
    }

    fn sling(&self, env: &[(&str, &str)]) -> Output {
        self.town.gt_with(&self.town.root(), env, &["sling", &self.bead, RIG])
    }

    /// Runs the patrols by hand, with a fault point set, until one of them dies.
    fn patrol_until_death(&self, point: &str) {
        let verbs = [&["refinery", "run", "--once"], &["witness", "run", "--once"]];
        self.town.wait_until(&format!("{point} to be reached"), || {
            verbs.iter().any(|verb| self.town.gt_with(&self.town.root(), &[("GT_FAULT", point)], *verb).code == KILLED)
        });
    }

    /// Lets the deacon finish everything, and checks that everything happened once.
    fn finish(&self, point: &str) {
        let town = &self.town;
        town.ok(&["up"]);
        town.wait_closed(&self.bead);
        town.wait_quiet();
        assert_eq!(town.landings(&self.bead), 1, "{point}");
        assert_eq!(town.git(&town.remote(), &["rev-list", "--count", "main"]), "2", "{point}");
        for table in ["attempts", "incarnations", "merge_requests", "landings", "swarms"] {
            assert_eq!(town.ask(&format!("SELECT count(*) FROM {table}")), ["1"], "{point}: {table}");
        }
        let events = town.events(&self.bead);
        let times = |event: &str| events.iter().filter(|e| *e == event).count();
        for event in ["bead-hooked", "bead-landed", "worktree-archived"] {
            assert_eq!(times(event), 1, "{point}: {event} in {events:?}");
        }
        // A worker whose start could not be recorded may have submitted before the start is recorded.
        assert!(times("bead-begun") <= 1, "{point}: {events:?}");
        let begun = std::fs::read_to_string(town.folder().join("play/begun")).unwrap();
        assert_eq!(begun, "begun\n", "{point}: one worker began, once");
        assert_eq!(town.conditions(), Vec::<String>::new(), "{point}");
        assert_eq!(town.gt(&["doctor"]).code, 0, "{point}");
    }
}

fn check_patrol(point: &str) {
    let stage = Stage::new();
    assert_eq!(stage.sling(&[]).code, 0);
    stage.patrol_until_death(point);
    stage.finish(point);
}

fn check_sling(point: &str, committed: bool) {
    let stage = Stage::new();
    assert_eq!(stage.sling(&[("GT_FAULT", point)]).code, KILLED);
    let count = stage.town.ask("SELECT count(*) FROM attempts");
    assert_eq!(count, [if committed { "1" } else { "0" }], "all of it or nothing");
    assert_eq!(stage.sling(&[]).code, if committed { 4 } else { 0 });
    stage.finish(point);
}

/// Defines one test for each fault point.
macro_rules! crash_points {
    ($($name:ident: $check:ident($($argument:expr),*);)*) => {
        $(#[test] fn $name() { $check($($argument),*); })*
    };
}

crash_points! {
    a_crash_before_a_sling_is_committed: check_sling("commit:sling:before", false);
    a_crash_after_a_sling_is_committed: check_sling("commit:sling:after", true);
    a_crash_after_the_base_is_fetched: check_patrol("effect:fetch-base:after");
    a_crash_before_the_worktree_is_added: check_patrol("effect:add-worktree:before");
    a_crash_after_the_worktree_is_added: check_patrol("effect:add-worktree:after");
    a_crash_after_the_secret_is_set: check_patrol("commit:set secret:after");
    a_crash_after_the_session_is_started: check_patrol("effect:start-session:after");
    a_crash_after_the_head_is_pinned: check_patrol("effect:pin-mr:after");
    a_crash_after_the_session_is_ended: check_patrol("effect:end-session:after");
    a_crash_after_the_worktree_is_archived: check_patrol("effect:archive-worktree:after");
    a_crash_after_a_verdict_is_recorded: check_patrol("commit:verdict:after");
    a_crash_after_a_landing_is_decided: check_patrol("commit:decide landing:after");
    a_crash_before_the_push: check_patrol("effect:land:before");
    a_crash_after_the_push: check_patrol("effect:land:after");
    a_crash_before_the_landing_is_recorded: check_patrol("commit:land:before");
    a_crash_after_the_landing_is_recorded: check_patrol("commit:land:after");
}

#[test]
fn a_deacon_killed_at_work_loses_nothing() {
    let town = Town::new();
    town.settle("max_polecats = 2\n");
    town.script(&format!("{WORK}[[act]]\nstep = \"implement\"\nsignal = \"working\"\n"));
    let beads: Vec<String> = (0..4).map(|n| town.bead(&format!("Bead {n}"))).collect();
    town.ok(&["up"]);
    let words: Vec<&str> = ["sling"].into_iter().chain(beads.iter().map(String::as_str)).chain([RIG]).collect();
    town.ok(&words);
    town.wait_for_mark("working");
    kill_hard(&identity_of(town.deacon().unwrap()).unwrap());
    town.wait_until("the deacon to be gone", || town.deacon().is_none());
    assert!(town.ok(&["status"]).contains("the town is down: gt up"));
    assert!(town.ok(&["up"]).contains("the deacon runs"));
    for bead in &beads {
        town.wait_closed(bead);
    }
    town.wait_quiet();
    for bead in &beads {
        assert_eq!(town.landings(bead), 1, "{bead}");
    }
    assert_eq!(town.git(&town.remote(), &["rev-list", "--count", "main"]), "5");
    for table in ["attempts", "incarnations", "merge_requests"] {
        assert_eq!(town.ask(&format!("SELECT count(*) FROM {table}")), ["4"], "workers outlive their deacon: {table}");
    }
}

#[test]
fn only_one_of_several_started_deacons_stays() {
    let town = Town::new();
    let ups: Vec<_> = (0..4).map(|_| town.start(&[], &["up"])).collect();
    for output in ups.into_iter().map(finish) {
        assert_eq!(output.code, 0, "{output:?}");
    }
    let deacons = || {
        let strays = gt::demo::verify::strays(&town.root()).unwrap();
        strays.iter().filter(|stray| stray.command.contains("deacon run")).count()
    };
    town.wait_until("one deacon to be left", || deacons() == 1);
    let refused = town.gt(&["deacon", "run"]);
    assert_eq!((refused.code, refused.err.contains("a deacon of this town runs already")), (4, true), "{refused:?}");
    let bead = town.bead("Once");
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    assert_eq!((town.landings(&bead), deacons()), (1, 1));
}

#[test]
fn work_continues_after_gt_down_and_gt_up() {
    let town = Town::new();
    town.script(&format!(
        "{WORK}[[act]]\nstep = \"implement\"\nincarnation = 1\nsignal = \"working\"\nawait = \"x\"\n"
    ));
    let bead = town.bead("Interrupted");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_for_mark("working");
    let down = town.ok(&["down", "--now"]);
    assert!(down.contains(&format!("on {bead}; its work is kept")), "{down}");
    assert_eq!(gt::demo::verify::strays(&town.root()).unwrap(), [], "nothing is left running");
    assert_eq!(town.status_of(&bead), "in_progress");
    town.ok(&["up"]);
    town.wait_closed(&bead);
    assert_eq!(town.landings(&bead), 1);
    assert_eq!(town.ask("SELECT count(*) FROM attempts"), ["1"]);
}
