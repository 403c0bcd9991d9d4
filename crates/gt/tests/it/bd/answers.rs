//! How `bd` answers programs: what its JSON contains, where it reports a refusal, and what partial success means.

use serde_json::{Value, json};

use super::Project;
use crate::town::text;

fn parsed(said: &str) -> Value {
    serde_json::from_str(said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// Checks that each value that a client could take for a bead is a whole bead, and not a raw dependency row.
#[track_caller]
fn has_no_raw_edges(answer: &Value) {
    match answer {
        Value::Array(items) => items.iter().for_each(has_no_raw_edges),
        Value::Object(keys) => {
            let edges = ["dependencies", "dependents"].iter().filter_map(|key| keys.get(*key)?.as_array());
            for edge in edges.flatten() {
                assert!(edge["title"].is_string() && edge["depends_on_id"].is_null(), "{answer:#}");
            }
            keys.values().for_each(has_no_raw_edges);
        }
        _ => {}
    }
}

#[test]
fn verbs_that_change_beads_print_no_raw_dependency_rows() {
    let project = Project::new();
    let first = project.q(&["First"]);
    let epic = project.q(&["Epic", "-t", "epic"]);
    let made = project.json(&["create", "Second", "--deps", &first, "--parent", &epic]);
    let second = text(&made["id"]);
    has_no_raw_edges(&made);
    for args in [
        &["update", &second, "--notes", "n"][..],
        &["update", &second, "--claim"],
        &["update", &second, "--status", "open"],
        &["defer", &second],
        &["undefer", &second],
        &["close", &first, "--suggest-next"],
        &["close", &second],
        &["reopen", &second],
        &["note", &second, "more"],
        &["epic", "status"],
        &["show", &second],
        &["show", &epic],
    ] {
        let answer = project.json(args);
        assert!(answer.to_string().contains(&second) || args[0] == "epic", "{args:?}: {answer}");
        has_no_raw_edges(&answer);
    }
    let whole = &project.json(&["show", &epic])[0];
    assert_eq!((&whole["epic_total_children"], &whole["epic_closed_children"]), (&1.into(), &0.into()));
    assert_eq!(whole["epic_closeable"], false);
}

#[test]
fn objects_have_a_schema_version_and_arrays_do_not() {
    let project = Project::new();
    let id = project.q(&["Bead"]);
    for args in [
        &["create", "Other"][..],
        &["stats"],
        &["count"],
        &["where"],
        &["ping"],
        &["version"],
        &["config", "list"],
        &["create", "Not made", "--dry-run"],
    ] {
        assert_eq!(project.json(args)["schema_version"], 1, "{args:?}");
    }
    assert!(project.json(&["list"]).as_array().unwrap().iter().all(|bead| bead["schema_version"].is_null()));
    assert!(project.json(&["ready"]).is_array());
    let of_gt = project.gt(&["bead", "create", "Third", "--json"]);
    assert_eq!(parsed(&of_gt.out)["schema_version"], 1, "the shapes are one, whatever the name");

    let wrapped = |args: &[&str]| {
        parsed(&project.bd_at(&project.folder(), &[("BD_JSON_ENVELOPE", "1")], &[args, &["--json"]].concat()).out)
    };
    for args in [&["list"][..], &["list", "--label", "none"], &["show", &id], &["create", "Fourth"], &["stats"]] {
        let document = wrapped(args);
        assert_eq!(document["schema_version"], 1, "{args:?}");
        assert!(document["data"].is_array() || document["data"]["schema_version"].is_null(), "{args:?}: {document}");
        assert_eq!(document.as_object().unwrap().len(), 2, "{args:?}: nothing beside them");
    }
    assert!(text(&wrapped(&["show", "nope"])["data"]["error"]).contains("nope"));
}

#[test]
fn an_update_keeps_metadata_that_it_does_not_name() {
    let project = Project::new();
    let id = project.q(&["Bead", "--metadata", r#"{"team":"core","tries":1}"#]);
    let after = |args: &[&str]| {
        project.ok(&[&["update", &id], args].concat());
        project.json(&["show", &id])[0]["metadata"].clone()
    };
    assert_eq!(after(&["--metadata", r#"{"tries":2}"#]), json!({ "team": "core", "tries": 2 }));
    let set = ["--set-metadata", "hot=true", "--set-metadata", "note=a=b", "--unset-metadata", "team"];
    assert_eq!(after(&set), json!({ "tries": 2, "hot": true, "note": "a=b" }));
    assert!(project.refusal(&["update", &id, "--metadata", "[1]"]).contains("not a JSON object"));
    let unset = ["--unset-metadata", "tries", "--unset-metadata", "hot", "--unset-metadata", "note"];
    assert_eq!(after(&unset), Value::Null);
}

#[test]
fn a_refusal_is_printed_on_both_outputs() {
    let project = Project::new();
    let (first, second) = (project.q(&["First"]), project.q(&["Second"]));
    project.ok(&["dep", "add", &second, &first]);
    for args in [&["close", &second][..], &["show", "nope"], &["create", "X", "-p", "99"], &["close"], &["jira"]] {
        let refused = project.bd(&[args, &["--json"]].concat());
        assert_eq!(refused.code, 1, "{args:?}: {refused:#?}");
        let (on_out, on_err) = (parsed(&refused.out), parsed(&refused.err));
        assert_eq!(on_out, on_err, "{args:?}");
        assert!(!text(&on_out["error"]).is_empty() && on_out["schema_version"] == 1, "{args:?}: {on_out}");
    }
    let plain = project.bd(&["close", &second]);
    assert!(plain.out.is_empty() && plain.err.contains(&first), "{plain:#?}");
}

#[test]
fn closing_several_beads_closes_those_that_can_be_closed() {
    let project = Project::new();
    let make = |title: &str| project.q(&[title]);
    let (free, first, waits) = (make("Free"), make("First"), make("Waits"));
    project.ok(&["dep", "add", &waits, &first]);
    let closed = project.bd(&["close", &waits, &free, "--json"]);
    assert_eq!(closed.code, 0, "{closed:#?}");
    assert_eq!(super::ids(&parsed(&closed.out)), [free.as_str()]);
    assert!(closed.err.contains(&format!("{waits} waits for {first}")), "{closed:#?}");
    assert_eq!(text(&project.json(&["show", &waits])[0]["status"]), "open");

    let none = project.bd(&["close", &waits, "nope"]);
    assert_eq!(none.code, 1, "what is not there refuses the whole: {none:#?}");
    let other = make("Other");
    project.ok(&["dep", "add", &other, &first]);
    let all_refused = project.bd(&["close", &waits, &other]);
    assert!(all_refused.code == 1 && all_refused.err.contains(&waits) && all_refused.err.contains(&other));

    let changed = project.bd(&["update", "nope", &waits, "--priority", "0", "--json"]);
    assert_eq!((changed.code, super::ids(&parsed(&changed.out))), (0, vec![waits.clone()]), "{changed:#?}");
    assert!(changed.err.contains("no issue found matching `nope`"), "{changed:#?}");
    let shown = project.bd(&["show", "nope", &waits, "--json"]);
    assert_eq!((shown.code, super::ids(&parsed(&shown.out))), (0, vec![waits.clone()]), "{shown:#?}");

    // Called as `gt`, the program closes them too, but its exit code says that one bead failed.
    let free = make("Free again");
    let own = project.gt(&["bead", "close", &waits, &free]);
    assert_eq!(own.code, 4, "{own:#?}");
    assert_eq!(text(&project.json(&["show", &free])[0]["status"]), "closed");
}

#[test]
fn a_change_that_was_already_made_is_reported_and_not_counted() {
    let project = Project::new();
    let id = project.q(&["Bead"]);
    for (verb, word, said) in [("reopen", "Reopened", "already open"), ("undefer", "Undeferred", "not deferred")] {
        let answer = project.bd(&[verb, &id]);
        assert_eq!(answer.code, 0, "{answer:#?}");
        assert!(answer.err.contains(said) && !answer.out.contains(word), "{answer:#?}");
        assert_eq!(project.json(&[verb, &id]), Value::from(Vec::<Value>::new()));
    }
    assert!(project.bd(&["defer", &id, "--until", "2020-01-01"]).err.contains("in the past"));
}

#[test]
fn outputs_contain_the_words_that_scripts_search_for() {
    let project = Project::new();
    let said = project.ok(&["create", "Bead"]);
    let id = said.split("Created issue: ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    assert!(id.starts_with("vt-"), "{said}");
    let other = project.q(&["Other"]);
    for (args, words) in [
        (&["update", &id, "--claim"][..], "Updated issue: "),
        (&["dep", "add", &id, &other], "Added dependency: "),
        (&["dep", "remove", &id, &other], "Removed dependency: "),
        (&["label", "add", &id, "ui"], "Added label 'ui' to "),
        (&["label", "remove", &id, "ui"], "Removed label 'ui' from "),
        (&["comment", &id, "words"], "Comment added to "),
        (&["note", &id, "words"], "Note added to "),
        (&["close", &id, "--reason", "Fixed"], "Closed vt-"),
        (&["reopen", &id], "Reopened vt-"),
        (&["defer", &id], "Deferred vt-"),
        (&["undefer", &id], "Undeferred vt-"),
        (&["config", "set", "a.b", "c"], "Set a.b = c"),
        (&["config", "unset", "a.b"], "Unset a.b"),
        (&["delete", &id, "--force"], "Deleted vt-"),
    ] {
        let said = project.ok(args);
        assert!(said.contains(words), "{args:?}: {said}");
    }
    let own = project.gt(&["bead", "create", "In our words"]);
    assert!(own.out.contains("created: In our words") && !own.out.contains("issue"), "{own:#?}");
}
