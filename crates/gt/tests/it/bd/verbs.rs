//! The verbs that a user of the Go `bd` types first.

use serde_json::{Value, json};

use super::{Project, ids};
use crate::town::{output, text, write};

#[test]
fn an_unsupported_verb_says_why_and_what_to_type_instead() {
    let project = Project::bare();
    for args in [&["sync"][..], &["dolt", "push"], &["dolt", "pull"], &["hooks", "install"], &["backup"], &["upgrade"]]
    {
        let said = project.bd(args);
        assert_eq!((said.code, said.out.lines().count(), said.err.as_str()), (0, 1, ""), "{args:?}: {said:#?}");
        assert!(said.out.starts_with(&format!("bd {}: ", args[0])) && said.out.contains('`'), "{args:?}: {said:#?}");
        let said: Value = serde_json::from_str(&project.bd(&[args, &["--json"]].concat()).out).unwrap();
        assert_eq!(text(&said["status"]), "nothing_to_do", "{args:?}");
    }
    // A script that needs the verb's result must stop.
    for verb in ["mol", "formula", "jira", "sql"] {
        let said = project.bd(&[verb, "list"]);
        assert!(said.code == 1 && said.err.contains(&format!("bd {verb}: ")), "{said:#?}");
    }
    let typo = project.bd(&["craete", "X"]);
    assert!(typo.code == 1 && typo.err.contains("create"), "a slip is still a slip: {typo:#?}");
    assert!(!project.folder().join(".beads").exists());
}

#[test]
fn setup_writes_nothing() {
    let project = Project::bare();
    for (client, file) in [("claude", "CLAUDE.md"), ("codex", "AGENTS.md"), ("cursor", ".cursor/rules/beads.mdc")] {
        let said = project.ok(&["setup", client]);
        assert!(said.contains("Nothing was written") && said.contains(file) && said.contains("bd prime"), "{said}");
        let alone = project.ok(&["setup", client, "--print"]);
        assert!(alone.contains("bd prime") && !alone.contains("Nothing"), "{alone}");
        assert_eq!(project.json(&["setup", client])["written"], false);
    }
    assert!(project.ok(&["setup", "--list"]).contains("cursor"));
    assert_eq!(std::fs::read_dir(project.folder()).unwrap().count(), 0);
    assert_eq!(project.bd(&["setup", "emacs"]).code, 1);
}

#[test]
fn memories_are_exported_and_imported_with_the_beads() {
    let project = Project::new();
    assert!(project.ok(&["remember", "Run the tests with a fake clock"]).contains("[run-the-tests-with-a-fake-clock]"));
    let again = project.json(&["remember", "The port is 81", "--key", "port"]);
    assert_eq!((text(&again["action"]), text(&again["key"])), ("remembered".into(), "port".into()));
    assert_eq!(text(&project.json(&["remember", "The port is 82", "--key", "port"])["action"]), "updated");
    let all = project.json(&["memories"]);
    assert_eq!((text(&all["port"]), all.as_object().unwrap().len()), ("The port is 82".into(), 3), "with the version");
    assert!(project.ok(&["memories", "CLOCK"]).lines().count() == 1);
    assert_eq!(project.ok(&["recall", "port"]), "The port is 82\n");
    assert!(project.ok(&["prime"]).contains("- [port] The port is 82"));

    let exported = project.ok(&["export"]);
    let other = Project::new();
    let theirs = json!({ "_type": "memory", "key": "of the Go bd", "value": "Stays" });
    assert_eq!(other.told(&["import", "-"], &format!("{exported}{theirs}\n")).code, 0);
    assert_eq!(text(&other.json(&["recall", "of the Go bd"])["value"]), "Stays");
    assert_eq!(text(&other.json(&["recall", "port"])["value"]), "The port is 82");
    assert_eq!(text(&other.json(&["forget", "port"])["deleted"]), "true");
    assert!(!other.ok(&["export"]).contains("82"));
    assert_eq!((other.bd(&["recall", "port"]).code, other.bd(&["forget", "port"]).code), (1, 1));
    assert_eq!((project.bd(&["remember", " "]).code, project.bd(&["remember", "…"]).code), (1, 1), "no key, no memory");
}

#[test]
fn a_bead_can_be_superseded_or_marked_as_a_duplicate() {
    let project = Project::new();
    let (old, new, twin) = (project.q(&["Old"]), project.q(&["New"]), project.q(&["Old too"]));
    let waits = project.q(&["Waits", "--deps", &old]);
    let said = project.json(&["supersede", &old, "--with", &new]);
    assert_eq!((text(&said["superseded"]), text(&said["replacement"])), (old.clone(), new.clone()));
    let said = project.json(&["duplicate", &twin, "--of", &new]);
    assert_eq!((text(&said["duplicate"]), text(&said["canonical"])), (twin.clone(), new.clone()));
    for (id, kind) in [(&old, "supersedes"), (&twin, "duplicates")] {
        let shown = &project.json(&["show", id])[0];
        assert_eq!(text(&shown["status"]), "closed");
        assert_eq!(text(&shown["dependencies"][0]["dependency_type"]), kind);
        assert!(text(&shown["close_reason"]).contains(&new), "{shown}");
    }
    assert!(ids(&project.json(&["ready"])).contains(&waits), "what waited for it waits no more");
    assert!(project.refusal(&["supersede", &new, "--with", &new]).contains("itself"));
    assert_eq!(text(&project.json(&["show", &new])[0]["status"]), "open", "and is not closed for itself");
}

#[test]
fn ready_explains_its_answer() {
    let project = Project::new();
    let (done, open) = (project.q(&["Done"]), project.q(&["Open"]));
    let after = project.q(&["After", "--deps", &done]);
    let waits = project.q(&["Waits", "--deps", &open]);
    project.ok(&["close", &done]);
    let said = project.json(&["ready", "--explain"]);
    let of = |list: &str, id: &str| {
        said[list].as_array().unwrap().iter().find(|bead| bead["id"] == id).cloned().unwrap_or_default()
    };
    assert_eq!(of("ready", &after)["resolved_blockers"], json!([done]));
    assert_eq!(text(&of("ready", &open)["reason"]), "no blocking dependencies");
    assert_eq!(of("ready", &open)["dependent_count"], 1);
    assert_eq!(of("blocked", &waits)["blocked_by"][0]["title"], "Open");
    assert_eq!(said["summary"], json!({ "total_ready": 2, "total_blocked": 1, "cycle_count": 0 }));
    let told = project.ok(&["ready", "--explain"]);
    assert!(told.contains(&format!("waits for {open} (open)")), "{told}");
}

#[test]
fn edit_opens_an_editor_on_one_text() {
    let project = Project::new();
    let id = project.q(&["Title", "-d", "Old"]);
    let edit = |editor: &str, args: &[&str]| {
        project.bd_at(&project.folder(), &[("EDITOR", editor)], &[&["edit", &id], args].concat())
    };
    write(&project.folder().join("append"), "#!/bin/sh\necho \"and $(cat \"$1\")\" > \"$1\"\n");
    let editor = format!("sh {}", project.folder().join("append").display());
    for (args, key, text_after) in [
        (&[][..], "description", "and Old"),
        (&["--title"], "title", "and Title"),
        (&["--notes"], "notes", "and"),
        (&["--acceptance"], "acceptance_criteria", "and"),
        (&["--design"], "design", "and"),
    ] {
        let edited = edit(&editor, args);
        assert_eq!(edited.code, 0, "{edited:#?}");
        assert_eq!(text(&project.json(&["show", &id])[0][key]), text_after, "{args:?}");
    }
    let before = project.ok(&["export"]);
    assert!(edit("true", &[]).out.contains("nothing was changed"));
    assert_eq!(edit("false", &[]).code, 1);
    let refused = edit("sh -c ': > \"$1\"' sh", &["--title"]);
    assert!(refused.code == 1 && refused.err.contains("kept in"), "what was written is not lost: {refused:#?}");
    assert_eq!(project.ok(&["export"]), before);
}

#[test]
fn lint_names_missing_parts_of_a_beads_texts() {
    let project = Project::new();
    let bug = project.q(&["Crash", "-t", "bug", "-d", "## Steps to reproduce\n1. start"]);
    let task = project.q(&["Task"]);
    project.q(&["Well said", "--acceptance", "It is green"]);
    project.q(&["Chore", "-t", "chore"]);
    let answer = project.bd(&["lint", "--json"]);
    assert_eq!(answer.code, 0, "as in bd, JSON is no complaint: {answer:#?}");
    let answer: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!((&answer["total"], &answer["issues"]), (&2.into(), &2.into()), "{answer}");
    let plain = project.bd(&["lint"]);
    assert!(plain.code == 1 && plain.out.contains(&bug) && plain.out.contains(&task), "{plain:#?}");
    assert!(!plain.out.contains("Steps") && plain.out.contains("Acceptance Criteria"), "{plain:#?}");
    assert_eq!(project.bd(&["lint", "--type", "chore"]).code, 0);
    project.ok(&["close", &bug, &task]);
    assert_eq!((project.bd(&["lint"]).code, project.bd(&["lint", "--status", "all"]).code), (0, 1));
    assert_eq!(project.bd(&["lint", &bug]).code, 1);
}

#[test]
fn a_comment_takes_an_author_and_a_bead_a_specification() {
    let project = Project::new();
    let id = project.q(&["Bead", "--spec-id", "RFC-1"]);
    project.ok(&["comments", "add", &id, "For you", "--author", "eve"]);
    assert_eq!(text(&project.json(&["comments", &id])[0]["author"]), "eve");
    assert_eq!(text(&project.json(&["show", &id])[0]["spec_id"]), "RFC-1");
    project.ok(&["update", &id, "--spec-id", ""]);
    assert!(project.json(&["show", &id])[0]["spec_id"].is_null());
}

#[test]
fn dependencies_on_missing_beads_are_found_and_removed() {
    let project = Project::new();
    let time = "2026-01-01T00:00:00Z";
    let edge = json!({ "issue_id": "vt-1", "depends_on_id": "vt-gone", "type": "blocks" });
    let bead = json!({ "id": "vt-1", "title": "T", "priority": 2, "created_at": time, "updated_at": time,
                       "dependencies": [edge] });
    assert_eq!(project.told(&["import", "-"], &format!("{bead}\n")).code, 0);
    let found = project.json(&["repair-deps"]);
    assert_eq!((&found["orphans_found"], &found["fixed"]), (&1.into(), &0.into()));
    assert_eq!(text(&found["orphans"][0]["depends_on_id"]), "vt-gone");
    let checks = project.json(&["doctor", "--check=validate"]);
    assert!(checks["checks"].as_array().unwrap().iter().any(|check| check["status"] == "warning"), "{checks}");
    assert_eq!(project.json(&["repair-deps", "--fix"])["fixed"], 1);
    assert_eq!(project.json(&["repair-deps"])["orphans_found"], 0);
    assert_eq!(ids(&project.json(&["ready"])), ["vt-1"]);
}

#[test]
fn beads_left_by_tests_are_listed_and_deleted_only_on_request() {
    let project = Project::new();
    let (left, said) = (project.q(&["test issue 3"]), project.q(&["Test the pump", "-d", "It leaks"]));
    let found = project.json(&["doctor", "--check=pollution"]);
    assert_eq!((found["polluted_count"].as_u64(), ids(&found["issues"])), (Some(1), vec![left.clone()]));
    assert_eq!(project.bd(&["doctor", "--check=pollution", "--clean"]).code, 1, "not without --yes");
    assert_eq!(project.json(&["doctor", "--check=pollution", "--clean", "--yes"])["deleted"], 1);
    assert_eq!(ids(&project.json(&["list"])), [said]);
    project.ok(&["reopen", &left]);
}

#[test]
fn a_new_ledger_imports_an_existing_file_of_beads() {
    let project = Project::bare();
    let none = project.bd(&["init", "--from-jsonl"]);
    assert!(none.code == 1 && none.err.contains("issues.jsonl"), "{none:#?}");
    assert!(!project.folder().join(".beads/gt.db").exists(), "without the file nothing is made");
    let other = Project::new();
    let id = other.q(&["Of before"]);
    std::fs::create_dir_all(project.folder().join(".beads")).unwrap();
    write(&project.folder().join(".beads/issues.jsonl"), other.ok(&["export"]));
    assert_eq!(project.json(&["init", "--from-jsonl", "--prefix", "vt"])["imported"], 1);
    assert_eq!(ids(&project.json(&["list"])), [id]);
}

#[test]
fn the_first_steps_need_no_ledger() {
    let project = Project::bare();
    for args in [&["quickstart"][..], &["prime"], &["prime", "--full"], &["help"], &["version"]] {
        assert!(project.ok(args).len() > 10, "{args:?}");
    }
    assert_eq!(project.bd(&["ping"]).code, 1);
    assert_eq!(output(project.program("git").args(["status"])).code, 128, "nothing was made");
}
