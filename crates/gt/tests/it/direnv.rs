//! A project's `.envrc`: `gt` loads it only after a person allowed its exact bytes, and never a changed one.

use std::os::unix::fs::PermissionsExt as _;

use crate::setup::town_with;
use crate::town::{RIG, Town, write};

/// A stand-in for direnv: it exports what `.envrc` and `.env` export, and watches both.
const STAND_IN: &str = "#!/bin/sh
case $1 in
export) grep '^export ' .envrc; [ ! -e .env ] || sed 's/^/export /' .env; echo \"export DIRENV_WATCHES='$PWD'\" ;;
show_dump) printf '[{\"Path\":\"%s/.envrc\"},{\"Path\":\"%s/.env\"}]' \"$2\" \"$2\" ;;
esac
";

/// Sets up a town whose project's tests need variables of its `.envrc`.
fn settle(town: &Town) {
    assert_eq!(town.gt_with(town.folder(), &[], &["install", "town"]).code, 0);
    town.settle("");
    let envrc = "export GREETING=hello\ndotenv_if_exists .env\n";
    let tests = "test \"$GREETING\" = hello || { echo \"GREETING is '$GREETING'\"; exit 1; }\n";
    let remote = town.project("main", &[(".envrc", envrc), ("run-tests", tests), ("README.md", "An app\n")]);
    let added = town.ok(&["rig", "add", RIG, &remote.display().to_string(), "--prefix", "ap"]);
    assert!(added.contains("it has an .envrc, which is not loaded: gt rig allow-envrc shows it"), "{added}");
    assert!(added.contains("GREETING is ''"), "{added}");
    town.play_in_rig(RIG);
    town.script(
        "[[act]]\nstep = \"implement\"\nrun = [\"sh\", \"-c\", \"echo $GREETING > said.txt\"]\ncommit = \"Say it\"\n",
    );
    town.ok(&["rig", "set", RIG, "landing=auto"]);
}

/// Returns whether direnv's own folder for consents does not exist.
fn is_unchanged(town: &Town) -> bool {
    !town.folder().join("home/.local/share/direnv").exists()
}

fn check(town: &Town) {
    settle(town);
    let shown = town.gt(&["rig", "allow-envrc", RIG]);
    assert!(shown.code == 1 && shown.out.contains("export GREETING=hello"), "{shown:#?}");
    assert!(
        shown.err.contains("nothing was allowed") && shown.err.contains("--yes allows what is shown"),
        "{shown:#?}"
    );
    let root = town.root();
    let of_gate =
        town.gt_with(&root, &[("GT_GATE", &root.display().to_string())], &["rig", "allow-envrc", RIG, "--yes"]);
    assert!(of_gate.code != 0 && !of_gate.out.contains("GREETING"), "{of_gate:#?}");
    let settings = || std::fs::read_to_string(town.rig().join("rig.toml")).unwrap();
    assert!(!settings().contains("direnv"));

    let allowed = town.ok(&["rig", "allow-envrc", RIG, "--yes"]);
    assert!(allowed.contains("direnv loads .envrc for set-up, gates and sessions from now on"), "{allowed}");
    assert!(
        settings().contains("\".env\" = \"absent\"") && settings().contains("\".envrc\" = \"sha256:"),
        "{}",
        settings()
    );
    assert!(town.ok(&["rig", "release", RIG]).contains("green run-tests"));
    let bead = town.bead("Say it");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    assert_eq!(town.git(&town.remote(), &["show", "main:said.txt"]).trim(), "hello", "the worker had it, too");
    assert!(town.ok(&["doctor"]).contains("ok    app: direnv: the trunk's .envrc is the one that you allowed"));
    town.ok(&["down"]);

    // Adding a missing file that direnv would load does not add variables.
    town.push_a_commit(".env", "GREETING=planted\n");
    town.ok(&["rig", "fetch", RIG]);
    let red = town.gt(&["rig", "prove", RIG]);
    let words = ".envrc is not loaded: .env differs from what you allowed; look at it on the trunk, then gt rig allow-envrc \
         app";
    assert!(red.code == 1 && red.out.contains("GREETING is ''") && red.out.contains(words), "{red:#?}");
    let doctor = town.gt(&["doctor"]).out;
    assert!(
        doctor.contains("FAIL  app: direnv: not loaded: on the trunk, .env differs from what you allowed"),
        "{doctor}"
    );
    let again = town.ok(&["rig", "allow-envrc", RIG, "--yes"]);
    assert!(again.contains(".env:\nGREETING=planted") && again.contains("direnv loads .envrc, .env for"), "{again}");
    assert!(town.gt(&["rig", "prove", RIG]).out.contains("GREETING is 'planted'"));

    town.ok(&["rig", "allow-envrc", RIG, "--remove"]);
    assert!(!settings().contains("direnv"), "{}", settings());
    assert!(town.gt(&["rig", "prove", RIG]).out.contains("GREETING is ''"));
    town.push_a_commit(".envrc", "source_up\n");
    town.ok(&["rig", "fetch", RIG]);
    let above = town.gt(&["rig", "allow-envrc", RIG, "--yes"]);
    assert!(above.code == 4 && above.err.contains("it loads files above the worktree"), "{above:#?}");
    assert!(is_unchanged(town), "the person's own direnv learns nothing of it");
}

#[test]
fn an_envrc_is_loaded_only_exactly_as_a_person_allowed_it() {
    let mut town = Town::nowhere();
    let program = town.folder().join("tools/direnv");
    write(&program, STAND_IN);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", program.parent().unwrap().display(), town.var("PATH"));
    town.set_env("PATH", &path);
    check(&town);
}

#[test]
fn the_real_direnv_loads_an_allowed_envrc() {
    let Some(_) = town_with("direnv") else { return };
    check(&Town::nowhere());
}

#[test]
fn a_missing_direnv_is_reported() {
    let mut town = Town::nowhere();
    let tools = town.folder().join("tools");
    std::fs::create_dir(&tools).unwrap();
    for folder in std::env::split_paths(town.var("PATH")) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name() != "direnv" {
                _ = std::os::unix::fs::symlink(entry.path(), tools.join(entry.file_name()));
            }
        }
    }
    town.set_env("PATH", &tools.display().to_string());
    settle(&town);
    let refused = town.gt(&["rig", "allow-envrc", RIG, "--yes"]);
    assert!(refused.code == 4 && refused.err.contains("direnv is not in the PATH of agents and gates"), "{refused:#?}");
}
