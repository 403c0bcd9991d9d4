//! First contact with real projects: their tools, their remotes, a person's own settings of git.

use crate::town::{RIG, Town, WORK, write};

/// What a test in a hook does that makes a repository, in a worktree where git exports GIT_DIR.
const HOOK: &str = "#!/bin/sh -e\nd=$(mktemp -d) && cd \"$d\" && git init -q && echo x > x && git add -A\n";

#[test]
fn a_hook_that_makes_a_repository_harms_no_worktree() {
    let town = Town::new();
    town.edit(&town.rig().join("rig.toml"), |text| {
        format!("{text}\n[worktree]\nsetup = \"git config core.hooksPath .husky\"\n")
    });
    write(&town.checkout().join(".husky/pre-commit"), HOOK);
    town.git(&town.checkout(), &["add", "--all", "--chmod=+x"]);
    town.git(&town.checkout(), &["commit", "--quiet", "-m", "Add a hook"]);
    town.push_a_commit("README.md", "With hooks\n");
    let bead = town.bead("With a hook");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    assert!(town.ok(&["doctor"]).contains("core.hookspath=.husky"), "what tools add is shown");
    // What hooks can't be kept from by us: a tool writes there by itself.
    town.git(&town.repo(), &["config", "--file", "config", "core.bare", "true"]);
    town.git(&town.repo(), &["config", "--file", "config", "extensions.unknown", "x"]);
    let mended = "SELECT count(*) FROM events WHERE event = 'repository-mended'";
    town.wait_until("the patrol to mend it", || town.ask(mended) == ["1"]);
    assert!(town.ok(&["doctor"]).contains("app: repository: sound"));
    let bead = town.bead("Another");
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
}

#[test]
fn the_doctor_names_what_is_damaged_and_mends_it_on_request() {
    let town = Town::new();
    town.script(WORK);
    town.git(&town.repo(), &["config", "--file", "config", "core.bare", "true"]);
    std::fs::remove_file(town.repo().join("HEAD")).unwrap();
    let said = town.gt(&["doctor"]);
    assert_eq!(said.code, 1);
    for expected in ["core.bare: `true`; the town wrote nothing", "repository: HEAD", "hint: gt doctor --fix"] {
        assert!(said.out.contains(expected), "{expected}: {}", said.out);
    }
    let said = town.ok(&["doctor", "--fix"]);
    assert!(said.contains("app: mended core.bare") && said.contains("app: repository: sound"), "{said}");
}
