//! Who else on the machine may read what a town keeps.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::clients::{log_in, town};
use crate::town::{GT, RIG, Town};

/// Calls `gt` as a user would who keeps nothing from others.
fn openly(town: &Town, cwd: &Path, args: &[&str]) {
    let mut shell = town.program("sh", cwd);
    let output = shell.args(["-c", "umask 000; exec \"$0\" \"$@\"", GT]).args(args).output().unwrap();
    assert!(output.status.success(), "gt {}: {output:?}", args.join(" "));
}

/// The rights that a file or folder gives to others.
fn others(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o077
}

fn check_session(runtime: &str) {
    let town = town(runtime, "");
    log_in(&town);
    openly(&town, &town.root(), &["up"]);
    let bead = town.bead("Work");
    openly(&town, &town.root(), &["sling", &bead, RIG]);
    town.wait_closed(&bead);
    town.wait_quiet();
    let (folder, _, _) = town.session(&bead);
    assert_eq!(others(&folder), 0, "what an agent says and is told");
    for name in ["plan.json", "started.json", "exit.json", "output.log"] {
        assert_eq!(others(&folder.join(name)), 0, "{name}");
    }
}

#[test]
fn what_a_session_keeps_is_its_owners_only_whatever_the_umask() {
    check_session("headless");
    if crate::terminals::has_tmux() {
        check_session("tmux");
    }
}

#[test]
fn a_new_town_is_its_owners_only_whatever_the_umask() {
    let town = Town::nowhere();
    openly(&town, town.folder(), &["install", "town"]);
    assert_eq!(others(&town.root()), 0);
}
