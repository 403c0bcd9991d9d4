//! Logs of the deacon and of verbs: one JSON document a line, with its spans. An idle town logs nothing.

#![expect(clippy::disallowed_methods, reason = "a test stands outside of gt: it plants files by itself")]

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::town::{RIG, Town, text};

/// Returns the deacon's log, line by line.
fn deacons_lines(town: &Town) -> Vec<Value> {
    let lines = town.ok(&["log", "--deacon", "-n", "100000", "--json"]);
    lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Returns all logs of the town, with their sizes and times.
fn logs(town: &Town) -> Vec<String> {
    town.listing(&town.root().join("logs"))
}

#[test]
fn a_landed_bead_is_in_the_deacons_log_and_an_idle_town_logs_nothing() {
    let town = Town::new();
    town.ok(&["up"]);
    let bead = town.bead("A thing");
    town.ok(&["sling", &bead]);
    town.wait_closed(&bead);
    town.wait_quiet();
    let lines = deacons_lines(&town);
    for effect in ["fetch-base", "add-worktree", "archive-worktree"] {
        let of_effect = |line: &&Value| line["effect"] == effect && line["bead"] == bead.as_str();
        let line = lines.iter().find(of_effect).unwrap_or_else(|| panic!("no {effect}: {lines:#?}"));
        assert_eq!((&line["level"], &line["rig"], &line["process"]), (&"info".into(), &RIG.into(), &"deacon".into()));
        let spans: Vec<String> = line["spans"].as_array().unwrap().iter().map(text).collect();
        assert!(spans.ends_with(&["rig", "bead", "attempt", "effect"].map(str::to_owned)), "{spans:?}");
    }
    let landing = lines.iter().find(|line| line["effect"] == "land").unwrap();
    assert_eq!((&landing["rig"], &landing["message"]), (&RIG.into(), &"the effect is done".into()));
    assert!(lines.iter().all(|line| line["level"] != "debug"));
    let of_bead = town.ok(&["log", &bead, "--deacon"]);
    assert!(of_bead.lines().count() > 3 && of_bead.lines().all(|line| line.contains(&bead)), "{of_bead}");
    let mode = town.root().join("logs/deacon.jsonl").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    town.let_patrols_pass();
    let before = logs(&town);
    town.let_patrols_pass();
    town.let_patrols_pass();
    assert_eq!(logs(&town), before);
    assert_eq!(before.iter().filter(|log| log.contains(".jsonl")).count(), 1, "one log: {before:?}");
}

#[test]
fn a_failing_effect_is_an_error_line_at_every_level() {
    let town = Town::new();
    town.ok(&["up", "--log-level", "error"]);
    std::fs::rename(town.remote(), town.folder().join("elsewhere")).unwrap();
    let bead = town.bead("A thing");
    town.ok(&["sling", &bead]);
    let failed = |line: &Value| line["effect"] == "fetch-base" && line["bead"] == bead.as_str();
    town.wait_until("the effect to fail", || deacons_lines(&town).iter().any(failed));
    let lines = deacons_lines(&town);
    let line = lines.iter().find(|line| failed(line)).unwrap();
    assert_eq!((&line["level"], &line["rig"]), (&"error".into(), &RIG.into()));
    assert!(text(&line["error"]).contains("remote"), "{line}");
    assert!(lines.iter().all(|line| line["level"] == "error"), "{lines:#?}");
}

#[test]
fn a_verb_logs_at_the_chosen_level_and_never_its_arguments() {
    let town = Town::new();
    let root = town.root();
    town.ok(&["mail", "send", "mayor/", "-s", "One", "-m", "body"]);
    assert!(logs(&town).is_empty(), "nothing is logged that is not wanted");
    let args = ["mail", "send", "mayor/", "-s", "Two", "-m", "the-secret-body"];
    let sent = town.gt_with(&root, &[("GT_LOG", "trace"), ("SOME_KEY", "the-secret-value")], &args);
    assert!(sent.err.contains("verb=gt mail send") && sent.err.contains("the ledger was changed"), "{sent:?}");
    let shown = town.ok(&["log", "--debug"]);
    assert!(shown.contains("verb=gt mail send"), "{shown}");
    let logged = std::fs::read_to_string(root.join("logs/verbs.jsonl")).unwrap();
    assert!(logged.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{logged}");
    assert!(!logged.contains("the-secret"), "{logged}");
    let quiet = town.gt(&["status", "--log-level", "error"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""), "{quiet:?}");
    let per_target = town.gt(&["status", "--log-level", "error,gt=debug"]);
    assert!(per_target.err.contains("the verb has ended"), "{per_target:?}");
    assert_eq!(town.gt(&["status", "--log-level", "gt=loud"]).code, 2);
    let refused = town.gt(&["show", "nothing-1", "--log-level", "error"]);
    assert!(refused.err.contains("the verb failed") && refused.code != 0, "{refused:?}");
}

#[test]
fn the_doctor_names_logs_of_an_older_gt_and_deletes_none() {
    let town = Town::empty();
    let said = |town: &Town| town.gt(&["doctor"]).out.contains("older logs");
    assert!(!said(&town));
    std::fs::write(town.root().join("logs/deacon-errors.log"), "once\n").unwrap();
    assert!(said(&town));
    assert!(town.root().join("logs/deacon-errors.log").exists());
}
