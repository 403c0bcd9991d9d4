//! Tests which other users of the machine may read what a town keeps.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::clients::{log_in, town};
use crate::town::{GT, RIG, Town};

/// Calls `gt` with a umask that hides nothing from other users.
fn openly(town: &Town, cwd: &Path, args: &[&str]) {
    let mut shell = town.program("sh", cwd);
    let output = shell.args(["-c", "umask 000; exec \"$0\" \"$@\"", GT]).args(args).output().unwrap();
    assert!(output.status.success(), "gt {}: {output:?}", args.join(" "));
}

/// Returns the rights that a file or folder gives to other users.
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
fn only_the_owner_can_read_session_files_with_any_umask() {
    check_session("headless");
    if crate::terminals::has_tmux() {
        check_session("tmux");
    }
}

#[test]
fn only_the_owner_can_read_a_new_town_with_any_umask() {
    let town = Town::nowhere();
    openly(&town, town.folder(), &["install", "town"]);
    assert_eq!(others(&town.root()), 0);
}
