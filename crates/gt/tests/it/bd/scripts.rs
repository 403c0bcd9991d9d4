//! The cases of the Go `bd`'s own scripts, one test each, rewritten with our words and data. Where our behaviour
//! differs on purpose, the test shows it, and docs/ledger.md says why.

use crate::town::write;

use super::Project;

/// Makes calls that must fail, and checks the error output of each for the given words.
#[track_caller]
fn fails(project: &Project, calls: &[(&[&str], &str)]) {
    for (args, words) in calls {
        let said = project.bd(args);
        assert_eq!(said.code, 1, "{args:?}: {said:#?}");
        assert!(said.err.contains(words), "{args:?}: {said:#?}");
    }
}

/// Makes calls that must succeed, and checks the output of each for the given words.
#[track_caller]
fn says(project: &Project, calls: &[(&[&str], &[&str])]) {
    for (args, words) in calls {
        let said = project.ok(args);
        for word in *words {
            assert!(said.contains(word), "{args:?}, {word}: {said}");
        }
    }
}

/// Creates a bead with `create`, and finds its id by the prefix, as scripts do.
#[track_caller]
fn make(project: &Project, args: &[&str]) -> String {
    let said = project.ok(&[&["create"], args].concat());
    let at = said.find("vt-").unwrap_or_else(|| panic!("{said}"));
    said[at..].split_whitespace().next().unwrap().to_owned()
}

#[test]
fn create() {
    let project = Project::new();
    says(&project, &[(&["create", "Rig a sail"], &["Created issue:", "vt-"])]);
}

#[test]
fn create_errors() {
    let project = Project::new();
    fails(
        &project,
        &[
            (&["create"], "title required"),
            (&["create", ""], "title is required"),
            (&["create", "Sail", "--priority", "99"], "invalid priority"),
        ],
    );
    assert_eq!(project.json(&["count"])["count"], 0);
}

#[test]
fn show() {
    let project = Project::new();
    let id = make(&project, &["Rig a sail"]);
    says(&project, &[(&["show", &id], &["Rig a sail", "Status:", "Priority:"])]);
}

#[test]
fn show_errors() {
    let project = Project::new();
    fails(&project, &[(&["show", "no-such"], "no issue found"), (&["show"], "issue ID is required")]);
}

#[test]
fn update() {
    let project = Project::new();
    let id = make(&project, &["Rig a sail"]);
    says(&project, &[(&["update", &id, "--claim"], &["Updated issue:"]), (&["show", &id], &["in_progress"])]);
}

#[test]
fn update_errors() {
    let project = Project::new();
    let id = make(&project, &["Rig a sail"]);
    fails(
        &project,
        &[
            (&["update", "no-such", "--title", "X"], "no issue found"),
            (&["update", &id, "--priority", "99"], "invalid priority"),
            (&["update", &id, "--estimate", "-5"], "estimate must be a non-negative"),
            (&["update", &id, "--due", "some-day"], "invalid --due format"),
            (&["update"], "no issue ID provided"),
        ],
    );
}

#[test]
fn close() {
    let project = Project::new();
    let id = make(&project, &["Rig a sail"]);
    says(
        &project,
        &[(&["close", &id, "--reason", "Rigged"], &["Closed vt-", "Rigged"]), (&["show", &id], &["closed"])],
    );
}

#[test]
fn close_errors() {
    let project = Project::new();
    // Without an id, the Go `bd` closes the bead that was touched last by any process. Ours requires an id.
    make(&project, &["Rig a sail"]);
    fails(&project, &[(&["close", "no-such"], "no issue found"), (&["close"], "no issue ID provided")]);
}

#[test]
fn delete() {
    let project = Project::new();
    let id = make(&project, &["Rig a sail"]);
    says(&project, &[(&["delete", &id], &["DELETE PREVIEW", &id])]);
    project.ok(&["show", &id]);
    project.ok(&["delete", &id, "--force"]);
    fails(&project, &[(&["show", &id], "no issue found")]);
}

#[test]
fn delete_errors() {
    let project = Project::new();
    fails(&project, &[(&["delete"], "no issue IDs provided"), (&["delete", "no-such", "--force"], "not found")]);
}

#[test]
fn list() {
    let project = Project::new();
    make(&project, &["Rig a sail"]);
    make(&project, &["Haul the anchor"]);
    says(&project, &[(&["list"], &["Rig a sail", "Haul the anchor"])]);
}

#[test]
fn ready() {
    let project = Project::new();
    make(&project, &["Rig a sail"]);
    says(&project, &[(&["ready"], &["Rig a sail"])]);
}

#[test]
fn blocked() {
    let project = Project::new();
    let first = make(&project, &["Rig a sail"]);
    let second = make(&project, &["Set sail", "--deps", &first]);
    says(&project, &[(&["blocked"], &[&second, &first])]);
}

#[test]
fn stats() {
    let project = Project::new();
    let first = make(&project, &["Rig a sail"]);
    make(&project, &["Haul the anchor"]);
    project.ok(&["close", &first]);
    says(&project, &[(&["stats"], &["Total Issues:", "Open:", "Closed:"])]);
}

#[test]
fn search() {
    let project = Project::new();
    for args in [&["Compass sticks", "--type", "bug", "--priority", "1"][..], &["Tar the deck", "--priority", "3"]] {
        make(&project, args);
    }
    says(
        &project,
        &[
            (&["search", "compass"], &["Compass sticks"]),
            (&["search", "sticks", "--status", "open"], &["Compass sticks"]),
        ],
    );
    let nothing = project.ok(&["search", "no-such-word"]);
    assert!(!nothing.contains("Compass") && !nothing.contains("Tar"), "{nothing}");
    fails(&project, &[(&["search", "--type", "task"], "search query is required")]);
}

#[test]
fn label() {
    let project = Project::new();
    let id = make(&project, &["Rig a sail"]);
    says(&project, &[(&["label", "add", &id, "deck"], &["Added label"]), (&["label", "list", &id], &["deck"])]);
    project.ok(&["label", "add", &id, "soon"]);
    says(&project, &[(&["label", "list", &id], &["deck", "soon"])]);
    project.ok(&["label", "remove", &id, "soon"]);
    assert_eq!(project.ok(&["label", "list", &id]), "deck\n");
    says(&project, &[(&["label", "list-all"], &["deck"])]);
}

#[test]
fn comments() {
    let project = Project::new();
    let id = make(&project, &["Rig a sail"]);
    says(
        &project,
        &[
            (&["comments", "add", &id, "The mast is cracked"], &["Comment added"]),
            (&["comments", &id], &["The mast is cracked"]),
            (&["comments", "add", &id, "Mended", "--author", "carpenter"], &["Comment added"]),
        ],
    );
    fails(&project, &[(&["comments", "no-such"], "no issue found")]);
}

#[test]
fn config() {
    let project = Project::new();
    says(
        &project,
        &[
            (&["config", "set", "port.url", "https://port.example"], &["Set port.url"]),
            (&["config", "get", "port.url"], &["https://port.example"]),
            (&["config", "list"], &["port.url"]),
        ],
    );
    project.ok(&["config", "set", "port.name", "East"]);
    project.ok(&["config", "unset", "port.url"]);
    let left = project.ok(&["config", "list"]);
    assert!(!left.contains("port.example") && left.contains("port.name"), "{left}");
}

#[test]
fn dep_add() {
    let project = Project::new();
    let (first, second) = (make(&project, &["Rig a sail"]), make(&project, &["Set sail"]));
    says(
        &project,
        &[
            (&["dep", "add", &second, &first], &["Added dependency"]),
            (&["show", &second], &["Dependencies (1)", &first]),
        ],
    );
}

#[test]
fn dep_remove() {
    let project = Project::new();
    let (first, second) = (make(&project, &["Rig a sail"]), make(&project, &["Set sail"]));
    project.ok(&["dep", "add", &second, &first]);
    says(&project, &[(&["dep", "remove", &second, &first], &["Removed dependency"])]);
    assert!(!project.ok(&["show", &second]).contains("Dependencies"));
}

#[test]
fn dep_tree() {
    let project = Project::new();
    let (first, second) = (make(&project, &["Rig a sail"]), make(&project, &["Set sail"]));
    project.ok(&["dep", "add", &second, &first]);
    says(&project, &[(&["dep", "tree", &second], &[&first, &second]), (&["dep", "tree", &first], &[&first])]);
}

#[test]
fn dep_errors() {
    let project = Project::new();
    let id = make(&project, &["Rig a sail"]);
    fails(
        &project,
        &[
            (&["dep", "add", &id, "no-such"], "no issue found"),
            (&["dep", "add", &id, &id], "cannot depend on itself"),
            (&["dep", "tree", "no-such"], "no issue found"),
        ],
    );
}

#[test]
fn export() {
    let project = Project::new();
    make(&project, &["Rig a sail"]);
    project.ok(&["export", "-o", "out.jsonl"]);
    project.ok(&["import", "out.jsonl"]);
    says(&project, &[(&["list"], &["Rig a sail"])]);
    assert_eq!(project.json(&["count"])["count"], 1);
}

#[test]
fn import() {
    let project = Project::new();
    let line = r#"{"id":"vt-99","title":"From afar","status":"open","priority":1,"issue_type":"task","created_at":"2025-01-01T00:00:00Z","updated_at":"2025-01-01T00:00:00Z"}"#;
    write(&project.folder().join("in.jsonl"), format!("{line}\n"));
    project.ok(&["import", "in.jsonl"]);
    says(&project, &[(&["show", "vt-99"], &["From afar"])]);
}

/// `init` writes other files than the Go `bd` does: one database, and a `.gitignore` for what git must not track.
#[test]
fn init() {
    let project = Project::bare();
    says(&project, &[(&["init", "--prefix", "vt"], &["initialized successfully"])]);
    let beads = project.folder().join(".beads");
    assert!(beads.join("gt.db").is_file());
    let ignored = std::fs::read_to_string(beads.join(".gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "gt.db") && !ignored.contains("jsonl"), "{ignored}");
}

/// `bd` writes no file beside the ledger unless it is asked to.
#[test]
fn auto_export() {
    let project = Project::new();
    let file = project.folder().join(".beads/issues.jsonl");
    make(&project, &["Rig a sail"]);
    assert!(!file.exists());
    project.ok(&["export", "-o", ".beads/issues.jsonl"]);
    assert!(std::fs::read_to_string(&file).unwrap().contains("Rig a sail"));
}

#[test]
fn help() {
    let project = Project::bare();
    says(&project, &[(&["help"], &["Usage:", "Available Commands:", "create", "list", "show"])]);
}

#[test]
fn lint() {
    let project = Project::new();
    make(&project, &["Compass sticks", "--type", "bug"]);
    make(&project, &["Scrub the deck", "--type", "chore"]);
    let said = project.bd(&["lint"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("Compass sticks") && !said.out.contains("Scrub"), "{said:#?}");
}

/// `prime --full` names only verbs that exist here.
#[test]
fn prime_content() {
    let project = Project::new();
    let verbs = ["bd lint", "bd defer", "bd supersede", "bd stale", "conventions"];
    says(&project, &[(&["prime", "--full"], &verbs)]);
}

#[test]
fn quickstart() {
    let project = Project::bare();
    says(&project, &[(&["quickstart"], &["Dependency-Aware", "bd init", "bd create"])]);
}

#[test]
fn version() {
    let project = Project::bare();
    says(&project, &[(&["version"], &["bd version"])]);
}
