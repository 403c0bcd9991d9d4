//! The first run: set-up does everything or nothing. If the doctor is green, a session starts; if a session could not
//! start, the doctor says why, and its hint repairs it.

#![expect(clippy::disallowed_methods, reason = "a test stands outside of gt: it looks at files by itself")]

use std::path::Path;

use serde_json::Value;

use crate::clients;
use crate::town::{RIG, Town, list, text, write};

/// Returns the failed checks of the doctor, as name and hint.
fn bad(town: &Town) -> Vec<(String, String)> {
    let output = town.gt(&["doctor", "--json"]);
    let report: Value = serde_json::from_str(&output.out).unwrap();
    let bad = report["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == false);
    let bad: Vec<_> = bad.map(|check| (text(&check["name"]), text(&check["hint"]))).collect();
    assert_eq!(output.code == 0, bad.is_empty(), "{output:?}");
    assert!(bad.iter().all(|(_, hint)| hint != "null" && !hint.is_empty()), "each bad line has its repair: {bad:?}");
    bad
}

/// Checks that the doctor reports only this problem, with these words.
#[track_caller]
fn misses(town: &Town, name: &str, hint: &str) {
    let bad = bad(town);
    assert_eq!(bad.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), [name], "{bad:?}");
    assert!(bad[0].1.contains(hint), "{bad:?}");
}

/// Checks that the doctor is green and that it is right: a session starts, and work lands.
#[track_caller]
fn green_and_starts(town: &Town) {
    assert_eq!(bad(town), []);
    town.ok(&["up"]);
    let bead = town.bead("Begin");
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    assert_eq!(bad(town), []);
    town.ok(&["down"]);
    assert_eq!(bad(town), [], "a town that is down is as somebody wanted it");
}

#[test]
fn f25_the_doctor_reports_a_kind_of_agent_that_is_unset_or_unknown() {
    let town = Town::new();
    green_and_starts(&town);
    town.edit(&town.root().join("town.toml"), |toml| toml.replace("agent = \"sim\"\n", ""));
    misses(&town, "app: agent", "agent = \"claude\" in town.toml");
    assert_eq!(town.gt(&["do", "Nothing"]).code, 5, "nothing is begun that could not be");
    town.edit(&town.root().join("town.toml"), |toml| format!("agent = \"mine\"\n{toml}"));
    misses(&town, "agent mine", "define it in town.toml");
    town.edit(&town.root().join("town.toml"), |toml| format!("{toml}[agents.mine]\ncommand = [\"not-installed\"]\n"));
    misses(&town, "mine: program", "install it, then gt agent check mine --update; or fix [agents.mine] command");
    town.edit(&town.root().join("town.toml"), |toml| toml.replace("\"not-installed\"", "\"{gt}\", \"sim-worker\""));
    green_and_starts(&town);
}

#[test]
fn f25_the_doctor_reports_a_client_that_is_not_installed_or_not_logged_in() {
    let town = clients::town("headless", "");
    let names = |town: &Town| bad(town).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(&town), ["claude: login", "claude: first start"]);
    clients::log_in(&town);
    green_and_starts(&town);
    let client = town.folder().join("tools/claude");
    std::fs::rename(&client, client.with_extension("away")).unwrap();
    // If this machine has another Claude Code, the doctor has nothing to report.
    let here = std::env::var("PATH").unwrap().split(':').any(|folder| Path::new(folder).join("claude").exists());
    if !here {
        misses(&town, "claude: program", "install Claude Code");
    }
    std::fs::rename(client.with_extension("away"), &client).unwrap();
    green_and_starts(&town);
}

/// Creates a folder with a program of this name and content.
fn shim(town: &Town, name: &str, script: &str) -> String {
    let folder = town.folder().join("shims");
    write(&folder.join(name), format!("#!/bin/sh\n{script}\n"));
    let mut chmod = town.program("chmod", &folder);
    assert!(chmod.args(["+x", name]).status().unwrap().success());
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

#[test]
fn f25_the_doctor_reports_a_git_that_is_too_old() {
    let mut town = Town::new();
    let path = std::env::var("PATH").unwrap();
    let says = "case \" $* \" in *version*) echo git version 2.30.1;;";
    let old = shim(&town, "git", &format!("{says} *) PATH={path} exec git \"$@\";; esac"));
    town.set_env("PATH", &old);
    misses(&town, "git", "install git 2.38 or newer");
    town.set_env("PATH", &path);
    green_and_starts(&town);
}

#[test]
fn f25_the_doctor_reports_a_required_tmux_that_is_too_old() {
    let mut town = Town::nowhere();
    let path = std::env::var("PATH").unwrap();
    // The workers have the PATH of the installation.
    town.set_env("PATH", &shim(&town, "tmux", "echo tmux 1.8"));
    assert_eq!(town.gt_with(town.folder(), &[], &["install", "town"]).code, 0);
    town.settle("runtime = \"tmux\"\n");
    town.project("main", &[("run-tests", "true\n")]);
    town.ok(&["rig", "add", RIG, &town.remote().display().to_string(), "--prefix", "ap"]);
    town.play_in_rig(RIG);
    town.script(crate::town::WORK);
    town.ok(&["rig", "set", RIG, "landing=auto"]);
    misses(&town, "app: runtime", "set runtime = \"auto\"");
    town.settle("runtime = \"auto\"\n");
    town.set_env("PATH", &path);
    green_and_starts(&town);
}

#[test]
fn f25_the_doctor_reports_a_gate_whose_program_is_missing() {
    let town = Town::new();
    town.ok(&["rig", "gates", "add", RIG, "lint", "no-such-linter --all"]);
    misses(&town, "app: gate lint", "install it");
    town.ok(&["rig", "gates", "remove", RIG, "lint"]);
    green_and_starts(&town);
}

#[test]
fn f25_the_doctor_reports_a_town_that_should_be_up_and_is_not() {
    let town = Town::new();
    town.ok(&["up"]);
    for pid in [town.boot().unwrap(), town.deacon().unwrap()] {
        let mut kill = town.program("kill", town.folder());
        assert!(kill.args(["-9", &pid.to_string()]).status().unwrap().success());
    }
    town.wait_until("both to be gone", || town.deacon().is_none() && town.boot().is_none());
    misses(&town, "deacon", "gt up");
    town.ok(&["up"]);
    green_and_starts(&town);
}

#[test]
fn f25_set_up_verbs_do_everything_or_nothing() {
    let town = Town::nowhere();
    let fails = |env: &[(&str, &str)], cwd: &Path, args: &[&str]| {
        let output = town.gt_with(cwd, env, args);
        assert_ne!(output.code, 0, "{args:?}: {output:?}");
    };
    // `gt install`, killed before its ledger exists, then called again.
    let before = town.listing(town.folder());
    fails(&[("GT_FAULT", "commit:install:before")], town.folder(), &["install", "town"]);
    assert!(!town.root().join("town.toml").exists(), "no half of a town looks like one");
    assert_eq!(town.gt_with(town.folder(), &[], &["install", "town"]).code, 0);
    let left = list(town.folder()).into_iter().map(|path| path.file_name().unwrap().to_owned());
    let left: Vec<_> = left.filter(|name| !["home", "play"].iter().any(|known| name == known)).collect();
    assert_eq!((before.len() >= 2, left), (true, vec!["town".into()]), "nothing beside it");
    town.settle("");
    // `gt rig add`: a missing remote, a missing trunk, a kill half way.
    let remote = town.project("main", &[("run-tests", "true\n")]).display().to_string();
    let whole = || (town.ask("SELECT count(*) FROM rigs"), town.root().join(RIG).exists());
    let none = (vec!["0".to_owned()], false);
    fails(&[], &town.root(), &["rig", "add", RIG, "/nowhere.git"]);
    fails(&[], &town.root(), &["rig", "add", RIG, &remote, "--branch", "nope"]);
    assert_eq!(whole(), none);
    fails(&[("GT_FAULT", "commit:rig add:before")], &town.root(), &["rig", "add", RIG, &remote]);
    assert_eq!(town.ask("SELECT count(*) FROM rigs"), ["0"], "what was killed is no rig");
    assert_eq!(town.json(&["rig", "list"])["rigs"].as_array().unwrap().len(), 0);
    town.ok(&["rig", "add", RIG, &remote, "--prefix", "ap"]);
    // `gt rig set` and `gt rig gates`: one bad word, and nothing changes.
    let toml = || std::fs::read_to_string(town.rig().join("rig.toml")).unwrap();
    let kept = toml();
    fails(&[], &town.root(), &["rig", "set", RIG, "landing=auto", "trust=sometimes"]);
    fails(&[], &town.root(), &["rig", "set", RIG, "landing=auto", "colour=red"]);
    fails(&[], &town.root(), &["rig", "gates", "remove", RIG, "nope"]);
    assert_eq!(toml(), kept);
    // `gt crew add`.
    fails(&[], &town.root(), &["crew", "add", RIG, "Not A Name"]);
    assert_eq!(list(&town.rig().join("crew")), Vec::<std::path::PathBuf>::new());
    town.play_in_rig(RIG);
    town.script(crate::town::WORK);
    town.ok(&["rig", "set", RIG, "landing=auto"]);
    green_and_starts(&town);
}
