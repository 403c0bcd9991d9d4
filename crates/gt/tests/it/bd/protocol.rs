//! The requirements of the Go `bd`'s own protocol tests, rewritten with our words and data, one test each.
//! docs/ledger.md lists the tests that require other behaviour than ours, with the reason.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Project, ids};
use crate::town::{text, write};

/// Returns a bead with all its fields.
#[track_caller]
fn shown(project: &Project, id: &str) -> Value {
    project.json(&["show", id])[0].clone()
}

fn ready(project: &Project) -> BTreeSet<String> {
    ids(&project.json(&["ready"])).into_iter().collect()
}

fn texts(list: &Value, key: &str) -> BTreeSet<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .map(|item| if key.is_empty() { text(item) } else { text(&item[key]) })
        .collect()
}

fn set<const N: usize>(items: [&str; N]) -> BTreeSet<String> {
    items.map(str::to_owned).into()
}

#[track_caller]
fn exits_1(project: &Project, args: &[&str], words: &str) {
    let said = project.bd(args);
    assert_eq!(said.code, 1, "{args:?}: {said:#?}");
    assert!(said.err.contains(words), "{args:?}: {said:#?}");
}

mod blocking {
    use super::*;

    #[test]
    fn create_accepts_dependencies_in_both_directions() {
        let project = Project::new();
        let mast = project.q(&["Mast"]);
        let sail = project.q(&["Sail", "--deps", &format!("depends-on:{mast}")]);
        let rope = project.q(&["Rope", "--deps", &format!("blocked-by:{mast}")]);
        let keel = project.q(&["Keel", "--deps", &format!("blocks:{mast}")]);
        assert_eq!(ready(&project), set([keel.as_str()]));
        let blocked: BTreeSet<String> = ids(&project.json(&["blocked"])).into_iter().collect();
        assert_eq!(blocked, set([mast.as_str(), sail.as_str(), rope.as_str()]));
        exits_1(&project, &["create", "Typo", "--deps", &format!("blokcs:{mast}")], "did you mean `blocks`?");
        exits_1(&project, &["dep", "add", &keel, &rope, "--type", "relatd"], "did you mean `related`?");
        exits_1(&project, &["create", "X", "--deps", &format!("depends-on:{sail},blocks:{keel}")], "circle");
        assert_eq!(project.json(&["list", "-n", "0"]).as_array().unwrap().len(), 4, "nothing was made");
    }

    #[test]
    fn a_bead_may_not_depend_on_itself_through_its_parent() {
        let project = Project::new();
        let ship = project.q(&["Ship", "-t", "epic"]);
        let hull = project.q(&["Hull", "--parent", &ship, "-t", "epic"]);
        let plank = project.q(&["Plank", "--parent", &hull]);
        exits_1(&project, &["dep", "add", &plank, &ship], "circle");
        exits_1(&project, &["dep", "add", &ship, &plank], "circle");
        exits_1(&project, &["create", "Nail", "--parent", &hull, "--deps", &ship], "circle");
        let other = project.q(&["Paint", "--deps", &ship]);
        exits_1(&project, &["update", &other, "--parent", &ship], "circle");
        let file = format!(
            r#"{{"id":"vt-in","title":"In","dependencies":[{{"issue_id":"vt-in","depends_on_id":"{ship}","type":"parent-child"}},{{"issue_id":"vt-in","depends_on_id":"{ship}","type":"blocks"}}]}}"#
        );
        write(&project.folder().join("in.jsonl"), file);
        project.ok(&["import", "in.jsonl"]);
        let cycles = project.ok(&["dep", "cycles"]);
        assert!(cycles.contains("vt-in") && cycles.contains(&ship), "{cycles}");
        assert!(project.bd(&["doctor"]).out.contains("vt-in"));
    }

    #[test]
    fn a_blocked_bead_keeps_its_status() {
        let project = Project::new();
        let first = project.q(&["Mast"]);
        let second = project.q(&["Sail", "--deps", &first]);
        assert_eq!(ids(&project.json(&["blocked"])), std::slice::from_ref(&second));
        assert_eq!(ids(&project.json(&["list", "--status", "blocked", "-n", "0"])), [""; 0]);
    }

    #[test]
    fn a_bead_that_waits_for_the_children_of_another_is_blocked() {
        let project = Project::new();
        let spawner = project.q(&["Crew", "-t", "epic"]);
        let gate = project.q(&["Roll call"]);
        project.q(&["Sailor", "--parent", &spawner]);
        project.ok(&["dep", "add", &gate, &spawner, "--type", "waits-for"]);
        assert!(!ready(&project).contains(&gate));
        assert!(ids(&project.json(&["blocked"])).contains(&gate));
    }

    #[test]
    fn ready_work_is_sorted_by_priority() {
        let project = Project::new();
        for priority in ["4", "0", "2", "1", "3"] {
            project.q(&["Task", "-p", priority]);
        }
        let order: Vec<i64> = project
            .json(&["ready"])
            .as_array()
            .unwrap()
            .iter()
            .map(|bead| bead["priority"].as_i64().unwrap())
            .collect();
        assert_eq!(order, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_closed_bead_is_not_listed_as_a_blocker() {
        let project = Project::new();
        let first = project.q(&["Mast"]);
        let second = project.q(&["Sail"]);
        project.ok(&["dep", "add", &second, &first]);
        let listed = project.json(&["list", "--id", &second]);
        assert_eq!(listed[0]["dependencies"].as_array().unwrap().len(), 1);
        project.ok(&["close", &first]);
        assert!(ready(&project).contains(&second));
        assert!(!project.ok(&["list", "--status", "open"]).contains("blocked"));
    }

    #[test]
    fn closing_a_blocker_makes_its_dependents_ready() {
        let project = Project::new();
        let first = project.q(&["Mast"]);
        let second = project.q(&["Sail", "--deps", &first]);
        assert!(!ready(&project).contains(&second));
        project.ok(&["close", &first, "--reason", "done"]);
        assert!(ready(&project).contains(&second));
    }

    #[test]
    fn a_bead_with_two_blockers_waits_for_both() {
        let project = Project::new();
        let root = project.q(&["Root"]);
        let (left, right) = (project.q(&["Left", "--deps", &root]), project.q(&["Right", "--deps", &root]));
        let join = project.q(&["Join", "--deps", &format!("{left},{right}")]);
        project.ok(&["close", &root]);
        assert_eq!(ready(&project), set([&left, &right]));
        project.ok(&["close", &left]);
        assert_eq!(ready(&project), set([&right]));
        project.ok(&["close", &right]);
        assert_eq!(ready(&project), set([&join]));
    }

    #[test]
    fn closing_one_bead_of_a_chain_frees_only_the_next() {
        let project = Project::new();
        let mut chain = vec![project.q(&["Link"])];
        for _ in 0..3 {
            chain.push(project.q(&["Link", "--deps", chain.last().unwrap()]));
        }
        project.ok(&["close", &chain[0]]);
        assert_eq!(ready(&project), set([&chain[1]]));
    }

    #[test]
    fn a_deferred_bead_is_not_ready() {
        let project = Project::new();
        let id = project.q(&["Later"]);
        assert!(ready(&project).contains(&id));
        project.ok(&["defer", &id, "--until", "2099-12-31"]);
        assert!(!ready(&project).contains(&id));
        project.ok(&["undefer", &id]);
        assert!(ready(&project).contains(&id));
    }

    #[test]
    fn removing_a_dependency_makes_the_bead_ready() {
        let project = Project::new();
        let (first, second) = (project.q(&["Mast"]), project.q(&["Sail"]));
        project.ok(&["dep", "add", &second, &first]);
        assert!(!ready(&project).contains(&second));
        project.ok(&["dep", "rm", &second, &first]);
        assert!(ready(&project).contains(&second));
    }
}

mod closing {
    use super::*;

    #[test]
    fn a_dependency_circle_is_refused() {
        let project = Project::new();
        let first = project.q(&["A"]);
        let second = project.q(&["B", "--deps", &first]);
        let third = project.q(&["C", "--deps", &second]);
        exits_1(&project, &["dep", "add", &first, &third, "--type", "blocks"], "circle");
    }

    #[test]
    fn a_bead_may_not_depend_on_itself() {
        let project = Project::new();
        let id = project.q(&["A"]);
        exits_1(&project, &["dep", "add", &id, &id, "--type", "blocks"], "itself");
    }

    #[test]
    fn only_dependencies_that_block_keep_a_bead_open() {
        let project = Project::new();
        let (id, cause) = (project.q(&["Leak"]), project.q(&["Reef"]));
        project.ok(&["dep", "add", &id, &cause, "--type", "caused-by"]);
        project.ok(&["close", &id]);
    }

    #[test]
    fn a_blocked_bead_can_not_be_closed() {
        let project = Project::new();
        let first = project.q(&["Mast"]);
        let second = project.q(&["Sail", "--deps", &first]);
        project.bd(&["close", &second]);
        assert_eq!(text(&shown(&project, &second)["status"]), "open");
    }

    #[test]
    fn force_closes_a_blocked_bead() {
        let project = Project::new();
        let first = project.q(&["Mast"]);
        let second = project.q(&["Sail", "--deps", &first]);
        project.ok(&["close", &second, "--force"]);
        assert_eq!(text(&shown(&project, &second)["status"]), "closed");
    }

    #[test]
    fn superseding_a_bead_closes_it_and_links_the_new_one() {
        let project = Project::new();
        let (old, new) = (project.q(&["Oars"]), project.q(&["Sails"]));
        project.ok(&["supersede", &old, "--with", &new]);
        let old = shown(&project, &old);
        assert_eq!(text(&old["status"]), "closed");
        let link = &old["dependencies"][0];
        assert_eq!((text(&link["id"]), text(&link["dependency_type"])), (new, "supersedes".to_owned()));
    }

    #[test]
    fn closing_a_blocked_bead_exits_1() {
        let project = Project::new();
        let first = project.q(&["Mast"]);
        let second = project.q(&["Sail", "--deps", &first]);
        exits_1(&project, &["close", &second], &first);
    }

    #[test]
    fn closing_an_unblocked_bead_exits_0() {
        let project = Project::new();
        project.ok(&["close", &project.q(&["Mast"])]);
    }

    #[test]
    fn changing_a_missing_bead_exits_1() {
        exits_1(&Project::new(), &["update", "no-such", "--status", "in_progress"], "no issue found");
    }

    #[test]
    fn closing_only_some_beads_exits_0() {
        let project = Project::new();
        let (free, first) = (project.q(&["Deck"]), project.q(&["Mast"]));
        let second = project.q(&["Sail", "--deps", &first]);
        project.ok(&["close", &free, &second]);
        assert_eq!(text(&shown(&project, &free)["status"]), "closed");
        assert_eq!(text(&shown(&project, &second)["status"]), "open");
    }

    #[test]
    fn closing_a_missing_bead_exits_1() {
        exits_1(&Project::new(), &["close", "no-such"], "found");
    }

    #[test]
    fn reopening_an_open_bead_does_not_report_success() {
        let project = Project::new();
        let said = project.bd(&["reopen", &project.q(&["Mast"])]);
        assert!(!said.out.contains("Reopened") && said.err.contains("already open"), "{said:#?}");
    }

    #[test]
    fn undeferring_a_bead_that_is_not_deferred_does_not_report_success() {
        let project = Project::new();
        let said = project.bd(&["undefer", &project.q(&["Mast"])]);
        assert!(!said.out.contains("Undeferred") && said.err.contains("not deferred"), "{said:#?}");
    }
}

mod words {
    use super::*;

    #[test]
    fn an_empty_comment_is_refused() {
        let project = Project::new();
        let id = project.q(&["Mast"]);
        for text in ["", "   "] {
            exits_1(&project, &["comments", "add", &id, text], "text");
        }
    }

    #[test]
    fn deferring_until_a_past_time_prints_a_warning() {
        let project = Project::new();
        let said = project.bd(&["defer", &project.q(&["Mast"]), "--until=2020-01-01"]);
        assert!(said.err.contains("past"), "{said:#?}");
    }

    #[test]
    fn an_empty_title_is_refused() {
        let project = Project::new();
        let id = project.q(&["Mast"]);
        for title in ["", "   "] {
            exits_1(&project, &["update", &id, "--title", title], "title cannot be empty");
        }
        assert_eq!(text(&shown(&project, &id)["title"]), "Mast");
    }

    #[test]
    fn an_empty_label_is_refused_and_another_is_added() {
        let project = Project::new();
        let id = project.q(&["Mast"]);
        exits_1(&project, &["label", "add", &id, ""], "label cannot be empty");
        project.ok(&["label", "add", &id, "soon"]);
    }

    #[test]
    fn stale_refuses_less_than_one_day() {
        let project = Project::new();
        for days in ["0", "-1"] {
            assert_eq!(project.bd(&["stale", "--days", days]).code, 1, "{days}");
        }
    }

    #[test]
    fn a_custom_status_is_accepted() {
        let project = Project::new();
        let id = project.q(&["Mast"]);
        project.ok(&["config", "set", "status.custom", "drying,tarred"]);
        project.ok(&["update", &id, "--status", "drying"]);
        assert_eq!(text(&shown(&project, &id)["status"]), "drying");
    }

    #[test]
    fn an_unknown_status_or_type_is_refused_with_the_nearest_known_one() {
        let project = Project::new();
        let id = project.q(&["Mast"]);
        exits_1(&project, &["update", &id, "--status", "bogus"], "invalid status");
        exits_1(&project, &["update", &id, "--status", "opne"], "did you mean `open`?");
        exits_1(&project, &["create", "Sail", "--type", "invalid-type"], "invalid issue type");
        exits_1(&project, &["create", "Sail", "--type", "featrue"], "did you mean `feature`?");
        exits_1(&project, &["list", "--status", "opne"], "did you mean `open`?");
        exits_1(&project, &["list", "--type", "bugg"], "did you mean `bug`?");
        assert_eq!(ids(&project.json(&["list"])), [id.as_str()], "nothing was made");
    }

    #[test]
    fn synonyms_of_a_status_or_type_mean_the_known_one() {
        let project = Project::new();
        let id = project.q(&["Mast", "-t", "feat"]);
        assert_eq!(text(&shown(&project, &id)["issue_type"]), "feature");
        project.ok(&["update", &id, "--status", "in-progress"]);
        assert_eq!(text(&shown(&project, &id)["status"]), "in_progress");
        project.ok(&["update", &id, "--status", "done"]);
        assert_eq!(text(&shown(&project, &id)["status"]), "closed");
        assert_eq!(ids(&project.json(&["list", "--status", "done", "--type", "enhancement"])), [id.as_str()]);
    }

    #[test]
    fn an_import_keeps_unknown_statuses_and_types_and_names_them() {
        let project = Project::new();
        let line = r#"{"id":"vt-odd","title":"Odd","status":"on-the-slip","issue_type":"ritual","priority":2}"#;
        write(&project.folder().join("odd.jsonl"), line);
        project.ok(&["import", "odd.jsonl"]);
        assert_eq!(text(&shown(&project, "vt-odd")["status"]), "on-the-slip");
        assert_eq!(ids(&project.json(&["list", "--status", "on-the-slip", "--type", "ritual"])), ["vt-odd"]);
        let said = project.bd(&["doctor"]).out;
        assert!(
            said.contains("invalid status `on-the-slip`") && said.contains("invalid issue type `ritual`"),
            "{said}"
        );
        project.ok(&["config", "set", "types.custom", "ritual"]);
        project.ok(&["update", "vt-odd", "--status", "open"]);
        assert!(project.bd(&["doctor"]).out.contains("ok  unknown words"));
    }

    #[test]
    fn known_statuses_are_accepted() {
        let project = Project::new();
        let id = project.q(&["Mast"]);
        for status in ["in_progress", "open"] {
            project.ok(&["update", &id, "--status", status]);
            assert_eq!(text(&shown(&project, &id)["status"]), status);
        }
    }
}

mod documents {
    use super::*;

    #[track_caller]
    fn has(value: &Value, keys: &[&str]) {
        for key in keys {
            assert!(!value[key].is_null(), "{key}: {value}");
        }
    }

    #[test]
    fn a_list_is_an_array() {
        let project = Project::new();
        project.q(&["Mast"]);
        assert_eq!(project.json(&["list"]).as_array().unwrap().len(), 1);
    }

    /// `bd` 1.0.4 prints an array, though one of its own tests expects an object. Each bead carries the version.
    #[test]
    fn a_bead_that_is_shown_has_what_clients_need() {
        let project = Project::new();
        let bead = shown(&project, &project.q(&["Mast"]));
        has(&bead, &["id", "title", "status", "priority", "issue_type", "created_at", "schema_version"]);
    }

    #[test]
    fn without_ready_work_there_is_an_empty_array() {
        assert_eq!(Project::new().json(&["ready"]), json!([]));
    }

    #[test]
    fn create_prints_an_object_with_the_id() {
        has(&Project::new().json(&["create", "Mast", "--description=Of oak"]), &["id", "schema_version"]);
    }

    #[test]
    fn a_refusal_is_an_object_with_the_version() {
        let said = Project::new().bd(&["show", "no-such", "--json"]);
        assert_eq!(said.code, 1);
        for stream in [&said.out, &said.err] {
            has(&serde_json::from_str(stream).unwrap(), &["error", "schema_version"]);
        }
    }

    #[test]
    fn close_prints_the_new_status() {
        let project = Project::new();
        let id = project.q(&["Mast"]);
        assert_eq!(text(&project.json(&["close", &id])[0]["status"]), "closed");
    }

    #[test]
    fn ready_prints_whole_beads() {
        let project = Project::new();
        project.q(&["Mast"]);
        let bead = &project.json(&["ready"])[0];
        has(bead, &["id", "title", "status", "priority", "dependency_count", "dependent_count"]);
    }

    #[test]
    fn blocked_prints_the_blockers_of_each_bead() {
        let project = Project::new();
        let first = project.q(&["Mast"]);
        project.q(&["Sail", "--deps", &first]);
        let bead = &project.json(&["blocked"])[0];
        has(bead, &["id", "title", "status", "blocked_by_count"]);
        assert_eq!(texts(&bead["blocked_by"], ""), set([&first]));
    }

    #[test]
    fn ping_prints_how_long_it_took() {
        let said = Project::new().json(&["ping"]);
        has(&said, &["total_ms", "schema_version"]);
        assert_eq!(text(&said["status"]), "ok");
    }
}

mod keeping {
    use super::*;

    /// Creates a bead with labels, a dependency and comments.
    fn rich(project: &Project) -> (String, String) {
        let other = project.q(&["Mast"]);
        let id = project.q(&["Sail", "-t", "feature", "-p", "1"]);
        for label in ["deck", "soon"] {
            project.ok(&["label", "add", &id, label]);
        }
        project.ok(&["dep", "add", &id, &other]);
        for remark in ["Of linen", "Not of hemp"] {
            project.ok(&["comments", "add", &id, remark]);
        }
        (id, other)
    }

    #[track_caller]
    fn is_rich(bead: &Value, other: &str) {
        assert_eq!(texts(&bead["labels"], ""), set(["deck", "soon"]), "{bead}");
        assert_eq!(texts(&bead["dependencies"], "id"), set([other]), "{bead}");
        assert_eq!(texts(&bead["comments"], "text"), set(["Of linen", "Not of hemp"]), "{bead}");
    }

    #[test]
    fn labels_stay_when_the_title_changes() {
        let project = Project::new();
        let id = project.q(&["Sail", "-l", "deck,soon"]);
        project.ok(&["update", &id, "--title", "Jib"]);
        assert_eq!(texts(&shown(&project, &id)["labels"], ""), set(["deck", "soon"]));
    }

    #[test]
    fn dependencies_stay_when_the_title_changes() {
        let project = Project::new();
        let first = project.q(&["Mast"]);
        let second = project.q(&["Sail", "--deps", &first]);
        project.ok(&["update", &second, "--title", "Jib"]);
        assert_eq!(texts(&shown(&project, &second)["dependencies"], "id"), set([&first]));
    }

    #[test]
    fn comments_stay_when_the_title_changes() {
        let project = Project::new();
        let id = project.q(&["Sail"]);
        project.ok(&["comments", "add", &id, "Of linen"]);
        project.ok(&["update", &id, "--title", "Jib"]);
        assert_eq!(texts(&shown(&project, &id)["comments"], "text"), set(["Of linen"]));
    }

    #[test]
    fn labels_dependencies_and_comments_stay_when_any_field_changes() {
        let project = Project::new();
        let (id, other) = rich(&project);
        for change in [
            ["--title", "Jib"],
            ["--priority", "0"],
            ["--description", "In front"],
            ["--assignee", "eve"],
            ["--notes", "Wet"],
        ] {
            project.ok(&[&["update", &id], &change[..]].concat());
        }
        is_rich(&shown(&project, &id), &other);
    }

    #[test]
    fn labels_and_comments_stay_through_all_statuses() {
        let project = Project::new();
        let id = project.q(&["Sail", "-l", "deck"]);
        project.ok(&["comments", "add", &id, "Of linen"]);
        for args in [
            &["update", &id, "--status", "in_progress"][..],
            &["update", &id, "--status", "open"],
            &["close", &id],
            &["reopen", &id],
        ] {
            project.ok(args);
        }
        let bead = shown(&project, &id);
        assert_eq!(texts(&bead["labels"], ""), set(["deck"]));
        assert_eq!(texts(&bead["comments"], "text"), set(["Of linen"]));
    }

    #[test]
    fn deleting_a_bead_removes_references_to_it() {
        let project = Project::new();
        let first = project.q(&["Mast"]);
        let second = project.q(&["Sail", "--deps", &first]);
        let third = project.q(&["Flag", "--deps", &second]);
        project.ok(&["delete", &second, "--force"]);
        assert_eq!(project.bd(&["show", &second, "--json"]).code, 1);
        for left in [&first, &third] {
            let bead = shown(&project, left);
            assert!(!bead["dependencies"].to_string().contains(&second), "{bead}");
            assert!(!bead["dependents"].to_string().contains(&second), "{bead}");
        }
        assert!(ready(&project).contains(&third));
    }

    #[test]
    fn show_prints_labels_dependencies_and_comments() {
        let project = Project::new();
        let (id, other) = rich(&project);
        project.ok(&["label", "add", &other, "oak"]);
        is_rich(&shown(&project, &id), &other);
        assert_eq!(texts(&shown(&project, &other)["labels"], ""), set(["oak"]));
    }

    #[test]
    fn show_prints_every_field_that_was_set() {
        let project = Project::new();
        let id = project.q(&[
            "--title",
            "Sail",
            "--type",
            "feature",
            "--priority",
            "1",
            "--description",
            "In front",
            "--design",
            "A triangle",
            "--acceptance",
            "It fills",
            "--notes",
            "Wet",
            "--assignee",
            "eve",
            "--estimate",
            "180",
        ]);
        project.ok(&["update", &id, "--due", "2099-03-15"]);
        project.ok(&["update", &id, "--defer", "2099-01-15"]);
        let bead = shown(&project, &id);
        for (key, value) in [
            ("title", json!("Sail")),
            ("issue_type", json!("feature")),
            ("priority", json!(1)),
            ("description", json!("In front")),
            ("design", json!("A triangle")),
            ("acceptance_criteria", json!("It fills")),
            ("notes", json!("Wet")),
            ("assignee", json!("eve")),
            ("estimated_minutes", json!(180)),
        ] {
            assert_eq!(bead[key], value, "{key}");
        }
        for (key, date) in [("due_at", "2099-03-1"), ("defer_until", "2099-01-1")] {
            assert!(text(&bead[key]).starts_with(date), "{key}: {bead}");
        }
    }

    #[test]
    fn show_prints_stored_metadata() {
        let project = Project::new();
        let id = project.q(&["Sail"]);
        project.ok(&["update", &id, "--metadata", r#"{"cloth":"linen","wear":2}"#]);
        assert_eq!(shown(&project, &id)["metadata"], json!({ "cloth": "linen", "wear": 2 }));
    }

    #[test]
    fn show_prints_the_specification() {
        let project = Project::new();
        let id = project.q(&["Sail"]);
        project.ok(&["update", &id, "--spec-id", "RFC-9"]);
        assert_eq!(text(&shown(&project, &id)["spec_id"]), "RFC-9");
    }

    #[test]
    fn show_prints_the_close_reason() {
        let project = Project::new();
        let id = project.q(&["Leak", "-t", "bug"]);
        project.ok(&["close", &id, "--reason", "Caulked in 81f3"]);
        assert_eq!(text(&shown(&project, &id)["close_reason"]), "Caulked in 81f3");
    }

    #[test]
    fn parent_and_child_show_each_other() {
        let project = Project::new();
        let whole = project.q(&["Rigging", "-t", "epic"]);
        let part = project.q(&["Sail", "--parent", &whole]);
        let edge = shown(&project, &part)["dependencies"][0].clone();
        assert_eq!((text(&edge["id"]), text(&edge["dependency_type"])), (whole.clone(), "parent-child".to_owned()));
        assert_eq!(texts(&shown(&project, &whole)["dependents"], "id"), set([&part]));
    }

    #[test]
    fn removing_a_label_keeps_the_others() {
        let project = Project::new();
        let id = project.q(&["Sail"]);
        for label in ["deck", "soon", "linen"] {
            project.ok(&["label", "add", &id, label]);
        }
        project.ok(&["label", "remove", &id, "soon"]);
        assert_eq!(texts(&shown(&project, &id)["labels"], ""), set(["deck", "linen"]));
    }
}
