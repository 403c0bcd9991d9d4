//! It ends what it started, and nothing else.

use std::os::unix::process::CommandExt as _;

use crate::clients;
use crate::town::{RIG, Town, identity_of};

#[test]
fn f18_what_only_looks_like_ours_is_left_alone() {
    let town = Town::new();
    town.script("[[act]]\nstep = \"implement\"\nsignal = \"hanging\"\nmisbehave = \"hang\"\n");
    let bead = town.bead("Hang");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_for_mark("hanging");
    let (_, _, agent) = town.session(&bead);
    let command = std::fs::read(format!("/proc/{}/cmdline", agent.pid)).unwrap();
    let name = String::from_utf8(command.split(|byte| *byte == 0).next().unwrap().to_vec()).unwrap();
    // The same name, as the user's own agent would have it.
    let mut twin = town.program("sleep", "/".as_ref()).arg0(&name).arg("600").spawn().unwrap();
    town.ok(&["unsling", &bead]);
    town.wait_until("the worker to be ended", || identity_of(agent.pid).as_ref() != Some(&agent));
    town.ok(&["down", "--now"]);
    assert_eq!(twin.try_wait().unwrap(), None, "the twin lives");
    twin.kill().unwrap();
    twin.wait().unwrap();
}

#[test]
fn f18_the_users_own_client_and_its_state_are_left_alone() {
    let town = clients::town("headless", "");
    clients::manner(&town, "silent");
    let bead = clients::slung(&town, "Work");
    town.wait_until("the client to run", || clients::starts(&town) == 1);
    let (folder, _, agent) = town.session(&bead);
    // The user's own, in the very worktree and with the very words of ours.
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
