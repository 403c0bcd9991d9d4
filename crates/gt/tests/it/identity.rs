//! A town is more than its path: processes of a removed town do nothing to a new one at the same path.

use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use gt_world::ProcessId;

use crate::town::{Output, RIG, Town, identity_of, output, write};

const HANG: &str = "[[act]]\nstep = \"implement\"\nsignal = \"hanging\"\nmisbehave = \"hang\"\n";

/// Returns boot, deacon, shim and agent of a town with one worker that hangs.
fn at_work(town: &Town) -> Vec<ProcessId> {
    town.script(HANG);
    let bead = town.bead("Hang");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_for_mark("hanging");
    let (_, shim, agent) = town.session(&bead);
    let daemons = [town.boot(), town.deacon()].map(|pid| identity_of(pid.unwrap()).unwrap());
    [daemons.into(), vec![shim, agent]].concat()
}

fn run(town: &Town, program: &str, args: &[&str]) {
    let done = output(town.program(program, town.folder()).args(args));
    assert_eq!(done.code, 0, "{program} {args:?}: {done:#?}");
}

/// Removes the town's folder, while other processes may still write in it.
fn remove(town: &Town) {
    let is_removed = || output(town.program("rm", town.folder()).args(["-rf", "town"])).code == 0;
    town.wait_until("the town's folder to be removed", is_removed);
}

fn wait_until_gone(town: &Town, processes: &[ProcessId]) {
    let is_gone = |process: &ProcessId| identity_of(process.pid).as_ref() != Some(process);
    town.wait_until("the processes of the former town to end", || processes.iter().all(is_gone));
}

fn ok(done: Output) -> String {
    assert_eq!(done.code, 0, "{done:#?}");
    done.out
}

#[test]
fn f16_processes_of_an_old_town_do_not_serve_a_new_one_at_its_path() {
    let town = Town::new();
    let former = at_work(&town);
    remove(&town);
    ok(town.gt_with(town.folder(), &[], &["install", "town"]));
    town.settle("");
    town.ok(&["rig", "add", RIG, &town.remote().display().to_string(), "--prefix", "ap"]);
    town.play_in_rig(RIG);
    town.ok(&["rig", "set", RIG, "landing=auto"]);
    let bead = town.bead("New work");
    town.script(crate::town::WORK);
    town.ok(&["sling", &bead, RIG]);
    town.ok(&["up"]);
    wait_until_gone(&town, &former);
    town.wait_closed(&bead);
    town.wait_quiet();
    assert!(former.iter().all(|old| town.deacon() != Some(old.pid)), "another deacon works here");
    assert_eq!(town.ask("SELECT count(*) FROM incarnations"), ["1"], "{}", town.dump());
}

#[test]
fn f16_a_town_restored_from_a_backup_counts_as_another_town() {
    let town = Town::new();
    run(&town, "cp", &["-a", "town", "backup"]);
    let former = at_work(&town);
    remove(&town);
    run(&town, "mv", &["backup", "town"]);
    wait_until_gone(&town, &former);
    town.ok(&["up"]);
    assert_eq!(town.ask("SELECT count(*) FROM incarnations"), ["0"], "nothing was written into the backup");
}

#[test]
fn f16_the_deacon_ends_and_writes_nothing_when_its_ledger_is_removed() {
    let town = Town::new();
    let processes = at_work(&town);
    run(&town, "mv", &["town/.beads/beads.db", "town/.beads/lost.db"]);
    run(&town, "cp", &["town/.beads/lost.db", "town/.beads/beads.db"]);
    wait_until_gone(&town, &processes[..2]);
    remove(&town);
    wait_until_gone(&town, &processes);
}

#[test]
fn a_town_that_was_moved_behind_a_link_continues() {
    let town = Town::new();
    let processes = at_work(&town);
    run(&town, "sh", &["-c", "mv town elsewhere && ln -s elsewhere town"]);
    town.bead("Through the link");
    ok(town.gt_with(&town.folder().join("elsewhere"), &[], &["bead", "create", "At its place"]));
    town.let_patrols_pass();
    town.let_patrols_pass();
    let is_there = |process: &ProcessId| identity_of(process.pid).as_ref() == Some(process);
    assert!(processes.iter().all(is_there), "{}", town.dump());
    assert!(town.ok(&["down", "--now"]).contains("ended session"));
}

#[test]
fn f16_a_town_moved_while_running_continues_at_its_new_path() {
    let town = Town::new();
    let former = at_work(&town);
    run(&town, "mv", &["town", "elsewhere"]);
    let root = town.folder().join("elsewhere");
    ok(town.gt_with(&root, &[], &["town", "adopt"]));
    ok(town.gt_with(&root, &[], &["up"]));
    wait_until_gone(&town, &former);
    let status = ok(town.gt_with(&root, &[], &["status"]));
    assert!(!status.contains("the town is down"), "{status}");
    town.let_patrols_pass();
    let doctor = town.gt_with(&root, &[], &["doctor"]).out;
    assert!(doctor.contains("deacon") && doctor.contains("it runs"), "{doctor}");
    ok(town.gt_with(&root, &[], &["down", "--now"]));
}

/// The deacon of an older `gt` does not check whether its town still exists.
#[test]
fn f16_the_doctor_reports_a_deacon_that_outlives_its_town() {
    let town = Town::empty();
    let quiet = town.gt(&["doctor"]).out;
    assert!(!quiet.contains("former town"), "{quiet}");
    // A shell that reads its script from a file of that name has the command line of a deacon.
    write(&town.folder().join("deacon"), "read line\n");
    let mut old = town.program("sh", town.folder());
    old.arg0("gt").args(["deacon", "run", "--town"]).arg(town.root()).stdin(Stdio::piped());
    let mut old = old.spawn().unwrap();
    let said = town.gt(&["doctor"]).out;
    assert!(said.contains("former town") && said.contains(&format!("kill {}", old.id())), "{said}");
    drop(old.stdin.take());
    old.wait().unwrap();
    town.ok(&["up"]);
    let said = town.gt(&["doctor"]).out;
    assert!(!said.contains("former town"), "the town's own are none: {said}");
}
