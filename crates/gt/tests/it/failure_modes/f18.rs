//! `gt` ends only processes that it started.

use std::os::unix::process::CommandExt as _;

use crate::clients;
use crate::town::{RIG, Town, identity_of};

#[test]
fn f18_gt_ends_no_process_that_only_looks_like_its_own() {
    let town = Town::new();
    town.script("[[act]]\nstep = \"implement\"\nsignal = \"hanging\"\nmisbehave = \"hang\"\n");
    let bead = town.bead("Hang");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_for_mark("hanging");
    let (_, _, agent) = town.session(&bead);
    let command = std::fs::read(format!("/proc/{}/cmdline", agent.pid)).unwrap();
    let name = String::from_utf8(command.split(|byte| *byte == 0).next().unwrap().to_vec()).unwrap();
    // A process with the name that the user's own agent would have.
    let mut twin = town.program("sleep", "/".as_ref()).arg0(&name).arg("600").spawn().unwrap();
    town.ok(&["unsling", &bead]);
    town.wait_until("the worker to be ended", || identity_of(agent.pid).as_ref() != Some(&agent));
    town.ok(&["down", "--now"]);
    assert_eq!(twin.try_wait().unwrap(), None, "the twin lives");
    twin.kill().unwrap();
    twin.wait().unwrap();
}

#[test]
fn f18_gt_leaves_the_users_own_client_and_its_state_alone() {
    let town = clients::town("headless", "");
    clients::manner(&town, "silent");
    let bead = clients::slung(&town, "Work");
    town.wait_until("the client to run", || clients::starts(&town) == 1);
    let (folder, _, agent) = town.session(&bead);
    // The user's own client, in the same worktree and with the same arguments as ours.
    let worktree = town.rig().join("polecats/amber");
    let settings = folder.join("settings.json").display().to_string();
    let words = ["--settings", &settings, "--session-id", "7d2e5a8e-0000-8000-8000-000000000000"];
    let mut own = town.program("claude", &worktree).args(words).spawn().unwrap();
    town.wait_until("the user's own client to run", || clients::starts(&town) == 2);
    town.ok(&["session", "stop", "app/polecats/amber"]);
    town.wait_until("the worker to be ended", || identity_of(agent.pid).as_ref() != Some(&agent));
    town.ok(&["unsling", &bead]);
    town.ok(&["down", "--now"]);
    assert_eq!(own.try_wait().unwrap(), None, "it lives");
    own.kill().unwrap();
    own.wait().unwrap();
}
