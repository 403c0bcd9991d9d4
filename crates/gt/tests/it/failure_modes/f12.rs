//! The trunk belongs to the remote: `gt` asks the remote for its name, fetches it, and records it as the base;
//! otherwise it fails with an error.

use crate::town::{RIG, Town, WORK};

#[test]
fn f12_gt_uses_the_trunk_that_the_remote_names() {
    let town = Town::empty();
    let remote = town.project("trunk-x", &[("run-tests", "true\n")]);
    town.git(&remote, &["branch", "main", "trunk-x"]);
    let added = town.ok(&["rig", "add", RIG, &remote.display().to_string(), "--prefix", "ap"]);
    assert!(added.contains("work lands on trunk-x of"), "{added}");
    town.play_in_rig(RIG);
    town.edit(&town.rig().join("rig.toml"), |text| text.replace("# landing = \"ask\"", "landing = \"auto\""));
    town.script(WORK);
    let main = town.remote_branch("main");
    // The remote moves after the rig was added: the base is its position when the work begins.
    let moved = town.push_a_commit("later.txt", "later\n");
    let bead = town.bead("On the trunk");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    assert_eq!(town.ask("SELECT base FROM attempts"), [moved]);
    assert_eq!(town.landings_on("trunk-x", &bead), 1);
    assert_eq!(town.remote_branch("main"), main, "a branch that happens to be called main is not touched");
    town.wait_quiet();
}

#[test]
fn f12_a_failing_fetch_is_reported_and_work_begins_when_it_succeeds() {
    let town = Town::new();
    let away = town.folder().join("away.git");
    std::fs::rename(town.remote(), &away).unwrap();
    let bead = town.bead("Wait for the remote");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    let failed = |least: u64| {
        let why = town.why(&bead);
        let effect = &why["effects"][0];
        effect["effect"]["kind"] == "fetch-base" && effect["tries"].as_u64().is_some_and(|tries| tries >= least)
    };
    town.wait_until("two tries", || failed(2));
    let why = town.ok(&["why", &bead]);
    assert!(why.contains("fetch the trunk") && why.contains("origin.git"), "{why}");
    assert!(town.ok(&["status"]).contains("fetch the trunk to start from, tried"), "{}", town.ok(&["status"]));
    assert!(!town.rig().join("polecats/amber").exists(), "no worktree on a base that nobody knows");
    assert_eq!(town.ask("SELECT count(*) FROM attempts WHERE base IS NOT NULL"), ["0"]);
    let doctor = town.gt(&["doctor"]);
    assert_eq!((doctor.code, doctor.out.contains("FAIL  app: remote")), (1, true), "{doctor:?}");
    std::fs::rename(&away, town.remote()).unwrap();
    town.wait_closed(&bead);
    assert_eq!(town.landings(&bead), 1);
}

#[test]
fn f12_a_bead_that_waited_for_a_slot_begins_on_the_newest_trunk() {
    let town = Town::new();
    town.settle("max_polecats = 1\n");
    let (first, second) = (town.bead("First"), town.bead("Second"));
    let acts = format!("[[act]]\nbead = \"{first}\"\nstep = \"implement\"\nsignal = \"begun\"\nawait = \"go\"\n");
    town.script(&format!("{acts}{WORK}"));
    town.ok(&["up"]);
    town.ok(&["sling", &first, &second, RIG]);
    town.wait_for_mark("begun");
    let moved = town.push_a_commit("meanwhile.txt", "meanwhile\n");
    town.signal("go");
    town.wait_closed(&second);
    let base = town.ask(&format!("SELECT base FROM attempts WHERE bead = '{second}'")).remove(0);
    town.git(&town.remote(), &["merge-base", "--is-ancestor", &moved, &base]);
    assert_eq!((town.landings(&first), town.landings(&second)), (1, 1));
}

#[test]
fn f12_a_landing_does_not_overwrite_a_trunk_that_moved_meanwhile() {
    let town = Town::asking();
    let bead = town.bead("Race");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_until("a person to be asked", || town.conditions() == ["approval"]);
    let theirs = town.push_a_commit("theirs.txt", "theirs\n");
    town.ok(&["mq", "approve", "--all"]);
    town.wait_closed(&bead);
    town.git(&town.remote(), &["merge-base", "--is-ancestor", &theirs, "main"]);
    assert_eq!(town.landings(&bead), 1);
}
