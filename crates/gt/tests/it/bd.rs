//! The name `bd`: habits of its users and tools, the shapes of its JSON, and hostile input.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::town::{Output, Town, finish, output, text, write};

mod answers;
mod mcp;
mod protocol;
mod scripts;
mod verbs;

/// A folder outside of a town, where the tests call `bd`.
pub struct Project {
    town: Town,
    bd: String,
}

impl Project {
    /// Creates the project without a ledger.
    pub fn bare() -> Self {
        let town = Town::nowhere();
        let bd = town.folder().join("bd");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_gt"), &bd).unwrap();
        std::fs::create_dir(town.folder().join("proj")).unwrap();
        Self { bd: bd.display().to_string(), town }
    }

    /// Creates the project with a ledger whose prefix is `vt`.
    pub fn new() -> Self {
        let project = Self::bare();
        project.ok(&["init", "--prefix", "vt"]);
        project
    }

    pub fn folder(&self) -> PathBuf {
        self.town.folder().join("proj")
    }

    pub fn bd_at(&self, cwd: &Path, env: &[(&str, &str)], args: &[&str]) -> Output {
        output(self.town.program(&self.bd, cwd).env("USER", "ann").envs(env.iter().copied()).args(args))
    }

    pub fn bd(&self, args: &[&str]) -> Output {
        self.bd_at(&self.folder(), &[], args)
    }

    /// Calls git in the project's folder, or in one below or beside it.
    pub fn git_at(&self, folder: &Path, args: &[&str]) -> String {
        self.town.git(folder, args)
    }

    /// Builds a command in the project's environment.
    pub fn program(&self, name: &str) -> std::process::Command {
        self.town.program(name, &self.folder())
    }

    /// Calls `gt` in the project.
    pub fn gt(&self, args: &[&str]) -> Output {
        self.town.gt_with(&self.folder(), &[], args)
    }

    /// Calls `bd` with a text as its standard input.
    fn told(&self, args: &[&str], input: &str) -> Output {
        let mut command = self.town.program(&self.bd, &self.folder());
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        finish(child)
    }

    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.bd(args);
        assert_eq!(output.code, 0, "bd {args:?}: {output:#?}");
        output.out
    }

    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        let text = self.ok(&[args, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("bd {args:?}: {e}: {text}"))
    }

    #[track_caller]
    pub fn q(&self, args: &[&str]) -> String {
        self.ok(&[&["q"], args].concat()).trim().to_owned()
    }

    /// Returns the error of a refused `bd` call, which always has exit code 1 and prints an object with `error`.
    #[track_caller]
    fn refusal(&self, args: &[&str]) -> String {
        let output = self.bd(&[args, &["--json"]].concat());
        assert_eq!(output.code, 1, "bd {args:?}: {output:#?}");
        let value: Value =
            serde_json::from_str(&output.out).unwrap_or_else(|e| panic!("bd {args:?}: {e}: {output:#?}"));
        text(&value["error"])
    }
}

/// Returns the shape of a value: its keys with the kinds of their values, and an array as the shape of its first item.
fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "flag".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "text".to_owned(),
        Value::Array(items) => format!("[{}]", items.first().map(shape).unwrap_or_default()),
        Value::Object(keys) => {
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}: {}", shape(value))).collect();
            format!("{{{}}}", keys.join(", "))
        }
    }
}

fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|bead| text(&bead["id"])).collect()
}

#[test]
fn a_script_written_for_bd_works() {
    let project = Project::bare();
    project.ok(&["init", "--prefix", "app", "--quiet"]);
    let design = text(&project.json(&["create", "Design it", "-t", "task", "-p", "1", "-d", "How?"])["id"]);
    let build = text(&project.json(&["create", "Build it", "--type=feature", "--deps", &design, "-l", "ui,new"])["id"]);
    let found = project.q(&["Found on the way", "--deps", &format!("discovered-from:{build}")]);
    assert!([&design, &build, &found].iter().all(|id| id.starts_with("app-")));
    assert_eq!(ids(&project.json(&["ready", "--limit", "10"])), [design.clone(), found]);
    assert_eq!(ids(&project.json(&["blocked"])), [build.as_str()]);

    let claimed = project.json(&["update", &design, "--claim", "--actor", "bot-1", "--no-daemon"]);
    assert_eq!((text(&claimed[0]["status"]), text(&claimed[0]["assignee"])), ("in_progress".into(), "bot-1".into()));
    let late = project.refusal(&["update", &design, "--claim", "--actor", "bot-2"]);
    assert!(late.contains("held by bot-1"), "{late}");

    let closed = project.json(&["close", &design, "--reason", "Done", "--suggest-next"]);
    assert_eq!((ids(&closed["closed"]), ids(&closed["unblocked"])), (vec![design.clone()], vec![build.clone()]));
    assert_eq!(project.bd(&["close", &design]).code, 0, "whoever tries again is not told off");
    let taken = project.json(&["ready", "--claim", "--priority", "2", "--type", "feature"]);
    assert_eq!(ids(&taken), [build.as_str()]);
    project.ok(&["update", &build, "--status", "closed"]);
    assert_eq!(text(&project.json(&["show", &build])[0]["status"]), "closed");
    assert_eq!(text(&project.json(&["reopen", &build])[0]["status"]), "open");
    assert_eq!(project.json(&["count", "--status", "open"])["count"], 2);
}

#[test]
fn every_verb_prints_json_in_the_shape_that_clients_check() {
    let project = Project::new();
    let epic = project.q(&["Epic", "-t", "epic"]);
    let part = project.q(&["Part", "--parent", &epic, "-d", "Why", "-l", "ui"]);
    let after = project.q(&["After", "--deps", &part]);
    project.ok(&["comment", &after, "a remark"]);
    let bead = "id: text, title: text, status: text, priority: number, issue_type: text, created_at: text, created_by: text, updated_at: text";
    let edge = "{issue_id: text, depends_on_id: text, type: text, created_at: text}";
    let counts = "dependency_count: number, dependent_count: number, comment_count: number";
    let remark = "{id: text, issue_id: text, author: text, text: text, created_at: text}";
    let sorted = |text: &str| -> BTreeSet<String> { text.split(", ").map(str::to_owned).collect() };
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().iter().map(|(key, value)| format!("{key}: {}", shape(value))).collect()
    };
    let made = project.json(&["create", "X"]);
    assert_eq!(keys(&made), sorted(&format!("{bead}, schema_version: number")), "create: one object");
    let x = text(&made["id"]);
    for args in [&["list", "--id", &x][..], &["search", "X"], &["query", &format!("id={x}")]] {
        let list = project.json(args);
        let one = list.as_array().unwrap().iter().find(|bead| bead["id"] == x.as_str()).unwrap();
        assert_eq!(keys(one), sorted(&format!("{bead}, {counts}")), "{args:?}");
    }
    let waits = &project.json(&["blocked"])[0];
    assert_eq!(shape(&waits["dependencies"]), format!("[{edge}]"));
    assert_eq!((&waits["blocked_by_count"], &waits["blocked_by"][0]), (&1.into(), &part.clone().into()));
    assert_eq!((&waits["comment_count"], &waits["dependency_count"]), (&1.into(), &1.into()));
    let shown = &project.json(&["show", &part])[0];
    assert_eq!(text(&shown["parent"]), epic);
    assert_eq!(text(&shown["dependencies"][0]["dependency_type"]), "parent-child");
    assert_eq!(text(&shown["dependents"][0]["id"]), after);
    assert_eq!(text(&shown["dependents"][0]["title"]), "After", "whole beads, not ids");
    assert_eq!(shape(&project.json(&["show", &after])[0]["comments"]), format!("[{remark}]"));
    for args in [
        &["update", &x, "--notes", "n"][..],
        &["defer", &x, "--until", "+2d"],
        &["undefer", &x],
        &["close", &x],
        &["reopen", &x],
    ] {
        let list = project.json(args);
        assert_eq!(ids(&list), [x.as_str()], "{args:?}: an array of whole beads");
        assert!(keys(&list[0]).is_superset(&sorted(bead)), "{args:?}");
    }
    assert_eq!(keys(&project.json(&["dep", "tree", &after])[0]).len(), 8 + 3);
    assert_eq!(shape(&project.json(&["ready", "--label", "nothing"])), "[]", "never null");
}

#[test]
fn verbs_that_print_other_things_than_beads_keep_their_shapes() {
    let project = Project::new();
    let epic = project.q(&["Epic", "-t", "epic"]);
    let after = project.q(&["After", "--parent", &epic, "-l", "ui"]);
    let x = project.q(&["X"]);
    project.ok(&["comment", &after, "a remark"]);
    let bead = "id: text, title: text, status: text, priority: number, issue_type: text, created_at: text, created_by: text, updated_at: text";
    let insta = |args: &[&str]| shape(&project.json(args));
    insta::assert_snapshot!(
        [
            insta(&["stats"]),
            insta(&["count"]),
            insta(&["count", "--by-status"]),
            insta(&["comments", &after]),
            insta(&["comments", "add", &after, "more"]),
            insta(&["label", "add", &x, "new"]),
            insta(&["label", "list", &x]),
            insta(&["label", "list-all"]),
            insta(&["label", "remove", &x, "new"]),
            insta(&["dep", "add", &x, &epic, "--type", "related"]),
            insta(&["dep", "cycles"]),
            insta(&["dep", "remove", &x, &epic]),
            insta(&["epic", "status"]).replace(&format!("{{{bead}}}"), "BEAD"),
            insta(&["epic", "close-eligible"]),
            insta(&["delete", &x, "--dry-run"]),
            insta(&["delete", &x, "--force"]),
            insta(&["version"]),
            insta(&["where"]),
            insta(&["info"]),
            insta(&["config", "set", "a.b", "c"]),
            insta(&["config", "get", "a.b"]),
            insta(&["config", "list"]),
            insta(&["config", "unset", "a.b"]),
            insta(&["doctor"]),
        ]
        .join("\n"),
        @"
        {summary: {total_issues: number, open_issues: number, in_progress_issues: number, closed_issues: number, blocked_issues: number, deferred_issues: number, ready_issues: number, tombstone_issues: number, pinned_issues: number, epics_eligible_for_closure: number, average_lead_time_hours: number}, schema_version: number}
        {count: number, schema_version: number}
        {total: number, groups: [{group: text, count: number}], schema_version: number}
        [{id: text, issue_id: text, author: text, text: text, created_at: text}]
        {id: text, issue_id: text, author: text, text: text, created_at: text, schema_version: number}
        [{status: text, issue_id: text, label: text}]
        [text]
        [{label: text, count: number}]
        [{status: text, issue_id: text, label: text}]
        {status: text, issue_id: text, depends_on_id: text, type: text, schema_version: number}
        []
        {status: text, issue_id: text, depends_on_id: text, schema_version: number}
        [{epic: BEAD, total_children: number, closed_children: number, eligible_for_close: flag}]
        {closed: [], count: number, schema_version: number}
        {would_delete: [text], count: number, schema_version: number}
        {deleted: text, deleted_count: number, schema_version: number}
        {version: text, build: text, schema_version: number}
        {path: text, database_path: text, prefix: text, schema_version: number}
        {database_path: text, mode: text, issue_count: number, issue_prefix: text, config: {issue_prefix: text}, version: text, gt_version: text, schema_version: number}
        {key: text, value: text, schema_version: number}
        {key: text, value: text, schema_version: number}
        {a.b: text, issue_prefix: text, schema_version: number}
        {key: text, status: text, schema_version: number}
        {path: text, checks: [{name: text, status: text, message: text}], overall_ok: flag, cli_version: text, schema_version: number}
        "
    );
}

#[test]
fn list_filters_as_bd_does() {
    let project = Project::new();
    let a = project.q(&["Alpha", "-p", "0", "-l", "ui,slow", "-a", "ann", "-d", "about parsing"]);
    let b = project.q(&["Beta", "-p", "2", "-t", "bug", "-l", "ui"]);
    let c = project.q(&["Gamma", "-p", "4", "--parent", &a, "--notes", "see 50% of_it"]);
    project.ok(&["close", &b]);
    for (args, expected) in [
        (&[][..], vec![&a, &c]),
        (&["--all"], vec![&a, &b, &c]),
        (&["--status", "closed"], vec![&b]),
        (&["--status", "open,closed"], vec![&a, &b, &c]),
        (&["--label", "ui,slow"], vec![&a]),
        (&["--all", "--label-any", "slow,ui"], vec![&a, &b]),
        (&["--exclude-label", "slow"], vec![&c]),
        (&["--no-labels"], vec![&c]),
        (&["--assignee", "ann"], vec![&a]),
        (&["--no-assignee"], vec![&c]),
        (&["--priority-max", "1"], vec![&a]),
        (&["--priority-min", "P3"], vec![&c]),
        (&["--title-contains", "AMM"], vec![&c]),
        (&["--desc-contains", "parsing"], vec![&a]),
        (&["--notes-contains", "50% of_"], vec![&c]),
        (&["--notes-contains", "50%of"], vec![]),
        (&["--empty-description"], vec![&c]),
        (&["--parent", &a], vec![&c]),
        (&["--all", "--no-parent"], vec![&a, &b]),
        (&["--id", &format!("{a},{b}")], vec![&a, &b]),
        (&["--created-after", "yesterday", "--created-before", "tomorrow"], vec![&a, &c]),
        (&["--created-after", "tomorrow"], vec![]),
        (&["--closed-after", "1h"], vec![&b]),
        (&["--exclude-type", "task"], vec![]),
        (&["--sort", "title", "--reverse"], vec![&c, &a]),
        (&["--limit", "1"], vec![&a]),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(ids(&project.json(&[&["list"], args].concat())), expected, "list {args:?}");
    }
    let cut = project.bd(&["list", "-n", "1"]);
    assert!(cut.err.contains("--limit 0"), "who is not shown all is told: {cut:#?}");
    assert!(project.refusal(&["list", "--created-after", "soonish"]).contains("not a time"));
}

#[test]
fn hostile_input_is_stored_as_data_or_refused() {
    let project = Project::new();
    for id in ["../../x", "-rf", "a b", "", "x\u{1b}[2J", "a/b", "*", "%", "' OR 1=1 --"] {
        let said = project.refusal(&["create", "X", &format!("--id={id}")]);
        assert!(said.contains("can't be an id"), "{id}: {said}");
        project.refusal(&["show", &format!("--id={id}")]);
    }
    // An import accepts such ids as they are. `bd` can show, change, close and delete these beads.
    for (at, id) in ["../../x", "-rf", "x y", "vt-ü", "a\"b"].iter().enumerate() {
        let time = "2026-01-01T00:00:00Z";
        let line = serde_json::json!({ "id": id, "title": "T", "priority": 2, "created_at": time, "updated_at": time });
        let taken = project.told(&["import", "-"], &format!("{line}\n"));
        assert_eq!(taken.code, 0, "{taken:#?}");
        assert_eq!(text(&project.json(&["show", "--id", id])[0]["id"]), *id);
        project.ok(&["update", "--notes", "n", "--", id]);
        project.ok(&["close", "--", id]);
        assert_eq!(project.json(&["list", "--all"]).as_array().unwrap().len(), at + 1);
    }
    assert_eq!(std::fs::read_dir(project.town.folder()).unwrap().count(), 4, "no file came from an id");

    let long = "x".repeat(100_000);
    assert!(project.refusal(&["create", &long]).contains("at most"));
    let whole = project.told(&["create", "--stdin"], &"y".repeat(1024 * 1024));
    assert_eq!((whole.code, whole.out.as_str()), (1, ""));
    assert!(whole.err.contains("at most") && whole.err.len() < 500, "{}", whole.err.len());
    let bell = project.q(&["Ring \u{7}\u{1b}[31m"]);
    assert!(!project.ok(&["list"]).contains('\u{1b}'));
    assert!(!project.ok(&["show", &bell]).contains('\u{7}'));
    assert!(project.refusal(&["list", "--actor", "a\nb"]).contains("invalid name"));
    for query in ["(((((", "status=", "title~'", "priority>x", "nofield=1", "\u{0}"] {
        let args: Vec<&str> = vec!["query", query];
        if !query.contains('\0') {
            project.refusal(&args);
        }
    }
    let deep = "not ".repeat(10_000) + "ready=true";
    assert!(!project.refusal(&["query", &deep]).is_empty());
}

#[test]
fn a_unique_abbreviation_of_an_id_is_enough() {
    let project = Project::new();
    for id in ["vt-abc", "vt-abd", "vt-xyz"] {
        project.ok(&["create", id, "--id", id]);
    }
    assert_eq!(ids(&project.json(&["show", "xy"])), ["vt-xyz"]);
    assert_eq!(ids(&project.json(&["show", "vt-x", "abc"])), ["vt-xyz", "vt-abc"]);
    let said = project.refusal(&["show", "ab"]);
    assert!(said.contains("vt-abc") && said.contains("vt-abd"), "{said}");
    assert!(project.refusal(&["create", "again", "--id", "vt-abc"]).contains("already"));
    assert_eq!(project.bd(&["close", "ab"]).code, 1);
    assert_eq!(project.json(&["count", "--status", "closed"])["count"], 0);
}

#[test]
fn bd_finds_the_ledger_that_it_is_given_or_one_above() {
    let project = Project::new();
    let mine = project.q(&["Mine"]);
    let deep = project.folder().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    let elsewhere = project.town.folder().join("home");
    let (db, dir) = (project.folder().join(".beads/beads.db"), project.folder().join(".beads"));
    let (db, dir) = (db.display().to_string(), dir.display().to_string());
    let list = |cwd: &Path, env: &[(&str, &str)], args: &[&str]| {
        project.bd_at(cwd, env, &[&["list", "--json"], args].concat())
    };
    for found in [
        list(&deep, &[], &[]),
        list(&elsewhere, &[("BEADS_DIR", &dir)], &[]),
        list(&elsewhere, &[("BEADS_DB", &db)], &[]),
        list(&elsewhere, &[], &["--db", &db]),
        list(&elsewhere, &[], &["--db", &dir]),
        list(&elsewhere, &[("BEADS_DB", "/nonsense")], &["--db", &db]),
    ] {
        assert!(found.out.contains(&mine), "{found:#?}");
    }
    let lost = list(&elsewhere, &[], &[]);
    assert_eq!(lost.code, 1);
    assert!(lost.out.contains("bd init"), "{lost:#?}");
    assert!(!elsewhere.join(".beads").exists(), "looking makes nothing");
    std::fs::create_dir(elsewhere.join("old")).unwrap();
    let old = elsewhere.join("old/beads.db");
    rusqlite::Connection::open(&old).unwrap().execute_batch("CREATE TABLE issues (id)").unwrap();
    let before = std::fs::read(&old).unwrap();
    let foreign = list(&elsewhere, &[], &["--db", "old/beads.db"]);
    assert!(foreign.code == 1 && foreign.out.contains("another program"), "{foreign:#?}");
    assert_eq!(std::fs::read(&old).unwrap(), before, "what is not ours is not touched");
    let missing = list(&elsewhere, &[], &["--db", "nope.db"]);
    assert!(missing.code == 1 && missing.out.contains("no ledger at"), "{missing:#?}");
    assert_eq!(project.bd(&["init"]).code, 1, "a ledger is not made twice");
    assert_eq!(
        text(
            &project
                .bd_at(&project.folder(), &[("BD_ACTOR", "eve")], &["create", "X", "--json"])
                .out
                .parse::<Value>()
                .unwrap()["created_by"]
        ),
        "eve"
    );
}

#[test]
fn bd_uses_the_towns_ledger_inside_a_town() {
    let town = Town::new();
    let bd = town.root().join("bin/bd").display().to_string();
    let call = |cwd: &Path, args: &[&str]| output(town.program(&bd, cwd).args(args));
    let made = call(&town.rig(), &["q", "From the rig"]);
    assert!(made.out.starts_with("ap-"), "{made:#?}");
    let refused = call(&town.rig(), &["init"]);
    assert!(refused.code == 1 && refused.err.contains("in a town"), "{refused:#?}");
    assert!(!town.rig().join(".beads/gt.db").exists());
    let by_folder = town.root().join(".beads").display().to_string();
    let other = call(&town.folder().join("home"), &["--db", &by_folder, "list", "--json"]);
    assert!(other.out.contains("From the rig"), "{other:#?}");
    assert!(town.ok(&["bead", "list"]).contains("From the rig"));
}

#[test]
fn one_call_creates_many_beads_from_lines_or_a_file() {
    let project = Project::new();
    let made = project.told(&["create", "--stdin", "--json", "-p", "3"], "one\n\n  two \nthree\n");
    let made: Value = serde_json::from_str(&made.out).unwrap();
    assert_eq!(made.as_array().unwrap().iter().map(|b| text(&b["title"])).collect::<Vec<_>>(), ["one", "two", "three"]);
    assert_eq!(made[2]["priority"], 3);
    let described = project.told(&["create", "With words", "--stdin", "--json"], "first\nsecond\n");
    let described: Value = serde_json::from_str(&described.out).unwrap();
    assert_eq!(text(&described["description"]), "first\nsecond\n");
    write(&project.folder().join("plan.md"), "## A\nwhy\n### Priority\n0\n## B\n### Dependencies\nnope\n");
    assert!(project.refusal(&["create", "--file", "plan.md"]).contains("nope"));
    assert_eq!(project.json(&["count"])["count"], 4, "all or none");
    write(&project.folder().join("plan.md"), "## A\nwhy\n### Priority\n0\n## B\n");
    assert_eq!(ids(&project.json(&["create", "-f", "plan.md"])).len(), 2);
}

#[test]
fn a_dry_import_changes_nothing_and_one_bad_line_refuses_the_file() {
    let project = Project::new();
    let line = |id: &str| {
        format!(
            "{{\"id\":\"{id}\",\"title\":\"T\",\"priority\":1,\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":\"2026-01-01T00:00:00Z\"}}\n"
        )
    };
    let good = line("vt-1") + &line("vt-2");
    let rehearsed = project.told(&["import", "-", "--dry-run", "--json"], &good);
    let rehearsed: Value = serde_json::from_str(&rehearsed.out).unwrap();
    assert_eq!((&rehearsed["created"], &rehearsed["dry_run"]), (&2.into(), &true.into()));
    assert_eq!(project.json(&["count"])["count"], 0, "a rehearsal leaves nothing");
    let bad = good + "<<<<<<< HEAD\n";
    let refused = project.told(&["import"], &bad);
    assert!(refused.code == 1 && refused.err.contains("line 3"), "{refused:#?}");
    assert_eq!(project.json(&["count"])["count"], 0);
    let saved = project.told(&["import", "--salvage"], &bad);
    assert!(saved.code == 0 && saved.err.contains("line 3"), "{saved:#?}");
    assert_eq!(project.ok(&["export"]).lines().count(), 2);
    project.ok(&["export", "-o", "out.jsonl"]);
    assert_eq!(std::fs::read_to_string(project.folder().join("out.jsonl")).unwrap(), project.ok(&["export"]));
}

/// Returns the exported line of a bead with this change.
fn version(project: &Project, id: &str, change: impl Fn(&mut Value)) -> String {
    let exported = project.ok(&["export"]);
    let beads = exported.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut bead = beads.into_iter().find(|bead| bead["id"] == id).unwrap();
    change(&mut bead);
    format!("{bead}\n")
}

#[test]
fn an_import_merges_and_reports_kept_and_replaced_values() {
    let project = Project::new();
    let id = project.q(&["Title", "-l", "there"]);
    let newer = version(&project, &id, |bead| {
        bead["updated_at"] = "2099-01-01T00:00:00Z".into();
        bead["priority"] = 0.into();
        bead["labels"] = serde_json::json!(["there", "theirs"]);
    });
    project.ok(&["comment", &id, "only here"]);
    project.ok(&["label", "add", &id, "ours"]);
    project.ok(&["update", &id, "--assignee", "ann"]);
    let said = project.told(&["import", "-"], &newer);
    assert!(said.out.contains(&format!("{id} priority: \"2\" was replaced by \"0\"")), "{said:#?}");
    let bead = &project.json(&["show", &id])[0];
    assert_eq!((&bead["priority"], text(&bead["assignee"])), (&0.into(), "ann".to_owned()));
    assert_eq!(bead["labels"], serde_json::json!(["there", "ours", "theirs"]));
    assert_eq!(text(&bead["comments"][0]["text"]), "only here");
    let whole = project.ok(&["export"]);
    let again = project.told(&["import", "-", "--json"], &newer);
    let again: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!((&again["unchanged"], project.ok(&["export"])), (&1.into(), whole), "once more changes nothing");
}

#[test]
fn an_import_of_an_equally_old_version_keeps_values_and_reports_the_difference() {
    let project = Project::new();
    let id = project.q(&["Title", "-l", "ours"]);
    let other = version(&project, &id, |bead| {
        bead["title"] = "Another".into();
        bead.as_object_mut().unwrap().remove("labels");
    });
    let before = project.ok(&["export"]);
    let said = project.told(&["import", "-"], &other);
    assert!(said.out.contains("\"Title\" was kept; the file says \"Another\""), "{said:#?}");
    assert_eq!(project.ok(&["export"]), before);
    assert_eq!(project.told(&["import", "-", "--replace"], &other).code, 0);
    assert_eq!(text(&project.json(&["show", &id])[0]["title"]), "Another", "the file's, as asked for");
    assert!(project.json(&["show", &id])[0].get("labels").is_none());
}

#[test]
fn an_older_file_does_not_restore_what_was_removed_here() {
    let project = Project::new();
    let (id, other) = (project.q(&["One", "-l", "away"]), project.q(&["Other"]));
    project.ok(&["dep", "add", &id, &other]);
    project.ok(&["update", &id, "--assignee", "ann"]);
    let older = project.ok(&["export"]);
    project.ok(&["label", "remove", &id, "away"]);
    project.ok(&["dep", "remove", &id, &other]);
    project.ok(&["update", &id, "--assignee", ""]);
    let now = project.ok(&["export"]);
    let said = project.told(&["import", "-"], &older);
    assert!(said.out.contains("the file says \"away\""), "{said:#?}");
    assert_eq!(project.ok(&["export"]), now);
}

#[test]
fn an_import_replaces_a_nul_in_a_text_and_reports_it() {
    let project = Project::new();
    let id = project.q(&["Title"]);
    let with_nul = version(&project, &id, |bead| {
        bead["id"] = "vt-nul".into();
        bead["description"] = "a\0b".into();
    });
    assert!(with_nul.contains("\\u0000"));
    let said = project.told(&["import", "-"], &with_nul);
    assert!(said.code == 0 && said.err.contains("line 1: a NUL character"), "{said:#?}");
    assert_eq!(text(&project.json(&["show", "vt-nul"])[0]["description"]), "a\u{fffd}b");
}

#[test]
fn deleting_asks_first_and_can_be_undone() {
    let project = Project::new();
    let id = project.q(&["Keep me"]);
    assert!(project.refusal(&["delete", &id]).contains("not deleted"), "nobody could be asked");
    assert_eq!(project.json(&["count"])["count"], 1);
    project.ok(&["delete", &id, "--yes", "--reason", "double"]);
    assert_eq!(ids(&project.json(&["list"])), [""; 0]);
    assert!(project.ok(&["export"]).contains("\"delete_reason\":\"double\""), "a tombstone is kept for merges");
    project.ok(&["reopen", &id]);
    assert_eq!(ids(&project.json(&["ready"])), [id]);
}

#[test]
fn the_history_says_who_changed_what_and_when() {
    let project = Project::new();
    let id = project.q(&["Old title", "-l", "ui", "--actor", "ann"]);
    let other = project.q(&["Other"]);
    project.ok(&["update", &id, "--title", "New title", "--actor", "bob"]);
    project.ok(&["dep", "add", &id, &other]);
    project.ok(&["comment", &id, "a remark", "--actor", "eve"]);
    project.ok(&["close", &id, "--reason", "done", "--force"]);
    let steps = project.json(&["history", &id]);
    let steps = steps.as_array().unwrap();
    let names: Vec<String> = steps.iter().map(|step| text(&step["event"])).collect();
    assert_eq!(names, ["bead-created", "bead-updated", "dependency-added", "bead-commented", "bead-closed"]);
    let who: Vec<String> = steps.iter().map(|step| text(&step["actor"])).collect();
    assert_eq!((who[0].as_str(), who[1].as_str(), who[3].as_str()), ("ann", "bob", "eve"));
    let changes = &steps[1]["changes"];
    assert_eq!(*changes, serde_json::json!([{ "field": "title", "before": "Old title", "after": "New title" }]));
    assert!(steps.iter().all(|step| text(&step["at"]).parse::<jiff::Timestamp>().is_ok()));
    let fields = |at: usize| -> Vec<String> {
        steps[at]["changes"].as_array().unwrap().iter().map(|change| text(&change["field"])).collect()
    };
    assert!(fields(0).contains(&"labels".to_owned()) && !fields(0).contains(&"description".to_owned()));
    assert_eq!(fields(4), ["status", "closed_at", "close_reason"]);
    let newest = project.json(&["history", &id, "--limit", "1"]);
    assert_eq!(text(&newest[0]["event"]), "bead-closed");
    let said = project.ok(&["history", &id]);
    assert!(said.contains("title: Old title -> New title") && said.contains("by bob"), "{said}");
    assert!(project.refusal(&["history", "nope"]).contains("no issue found matching `nope`"));
}

#[test]
fn lists_filter_by_due_date_and_metadata() {
    let project = Project::new();
    let late = project.q(&["Late", "--due", "2026-01-01", "--metadata", r#"{"team":"core","tries":2,"hot":true}"#]);
    let soon = project.q(&["Soon", "--due", "+2d", "--metadata", r#"{"team":"web"}"#]);
    let done = project.q(&["Done", "--due", "2026-01-01"]);
    let never = project.q(&["Never"]);
    project.ok(&["close", &done]);
    for (args, expected) in [
        (&["list", "--overdue"][..], vec![&late]),
        (&["list", "--due-after", "today"], vec![&soon]),
        (&["list", "--due-before", "tomorrow", "--all"], vec![&late, &done]),
        (&["list", "--metadata-field", "team=core"], vec![&late]),
        (&["list", "--metadata-field", "tries=2"], vec![&late]),
        (&["list", "--metadata-field", "hot=true"], vec![&late]),
        (&["list", "--metadata-field", "team=web", "--metadata-field", "tries=2"], vec![]),
        (&["list", "--has-metadata-key", "team"], vec![&late, &soon]),
        (&["query", "due=none status=open"], vec![&never]),
        (&["query", "due<now not status=closed"], vec![&late]),
        (&["query", "metadata=none status=open"], vec![&never]),
        (&["query", "metadata:team metadata!=\"team=core\""], vec![&soon]),
        (&["query", "metadata~cor"], vec![&late]),
    ] {
        let expected: BTreeSet<String> = expected.into_iter().cloned().collect();
        let found: BTreeSet<String> = ids(&project.json(args)).into_iter().collect();
        assert_eq!(found, expected, "{args:?}");
    }
    project.ok(&["update", &late, "--due", ""]);
    assert_eq!(project.json(&["list", "--overdue"]), serde_json::json!([]));
    assert_eq!(project.json(&["show", &late])[0]["due_at"], Value::Null);
    assert!(project.refusal(&["list", "--metadata-field", "team"]).contains("not key=value"));
    assert!(project.refusal(&["create", "X", "--due", "soonish"]).contains("not a time"));
}

#[test]
fn a_plan_is_created_completely_or_not_at_all() {
    let project = Project::new();
    let there = project.q(&["There"]);
    let plan = serde_json::json!({
        "commit_message": "ignored",
        "nodes": [
            { "key": "test", "title": "Test it", "parent_key": "all", "priority": 0 },
            { "key": "all", "title": "All of it", "type": "epic", "labels": ["big"], "metadata_refs": { "last": "ship" } },
            { "key": "ship", "title": "Ship it", "description": "Now", "assignee": "ann", "metadata": { "x": "1" } },
        ],
        "edges": [
            { "from_key": "ship", "to_key": "test" },
            { "from_key": "test", "to_id": there, "type": "discovered-from" },
        ],
    });
    write(&project.folder().join("plan.json"), plan.to_string());
    let dry = project.json(&["create", "--graph", "plan.json", "--dry-run"]);
    assert_eq!((dry.as_array().unwrap().len(), &project.json(&["count"])["count"]), (3, &1.into()));
    let made = project.json(&["create", "--graph", "plan.json"])["ids"].clone();
    let id = |key: &str| text(&made[key]);
    assert_eq!(id("test"), format!("{}.1", id("all")));
    let ship = &project.json(&["show", &id("ship")])[0];
    assert_eq!((text(&ship["assignee"]), text(&ship["metadata"]["x"])), ("ann".into(), "1".into()));
    assert_eq!(text(&ship["dependencies"][0]["id"]), id("test"));
    assert_eq!(text(&project.json(&["show", &id("all")])[0]["metadata"]["last"]), id("ship"));
    assert_eq!(text(&project.json(&["list", "--id", &id("test")])[0]["dependencies"][0]["depends_on_id"]), id("all"));
    let before = project.ok(&["export"]);
    for (what, change) in [
        ("no node `gone`", r#""edges":[{"from_key":"a","to_key":"gone"}]"#),
        ("a circle", r#""edges":[{"from_key":"a","to_key":"b"},{"from_key":"b","to_key":"a"}]"#),
        ("two ends", r#""edges":[{"from_key":"a"}]"#),
        ("no issue found matching `nope`", r#""edges":[{"from_key":"a","to_id":"nope"}]"#),
        ("unknown field `prority`", r#""edges":[],"prority":1"#),
    ] {
        let nodes = r#""nodes":[{"key":"a","title":"A"},{"key":"b","title":"B"}]"#;
        write(&project.folder().join("bad.json"), format!("{{{nodes},{change}}}"));
        let said = project.refusal(&["create", "--graph", "bad.json"]);
        assert!(said.contains(what), "{what}: {said}");
    }
    for (what, nodes) in [
        ("has no node", ""),
        ("two nodes", r#"{"key":"a","title":"A"},{"key":"a","title":"B"}"#),
        ("is a part of itself", r#"{"key":"a","title":"A","parent":"b"},{"key":"b","title":"B","parent":"a"}"#),
        ("is no node", r#"{"key":"a","title":"A","parent":"x"}"#),
        ("the title is empty", r#"{"key":"b","title":"B"},{"key":"a","title":" "}"#),
        ("not 0 (critical) to 4", r#"{"key":"b","title":"B","priority":9}"#),
    ] {
        write(&project.folder().join("bad.json"), format!("{{\"nodes\":[{nodes}]}}"));
        let said = project.refusal(&["create", "--graph", "bad.json"]);
        assert!(said.contains(what), "{what}: {said}");
    }
    assert_eq!(project.ok(&["export"]), before, "all or none");
}

#[test]
fn wisps_are_exported_only_on_request() {
    let project = Project::new();
    let (bead, wisp) = (project.q(&["Bead"]), project.q(&["Wisp", "--ephemeral"]));
    let exported = project.bd(&["export"]);
    let without = exported.out;
    assert!(without.contains(&bead) && !without.contains(&wisp), "{without}");
    assert!(exported.err.contains("1 ephemeral beads (wisps) are left out: --wisps"), "{}", exported.err);
    let with = project.ok(&["export", "--wisps"]);
    assert!(with.contains(&bead) && with.contains(&wisp), "{with}");
    let again = Project::new();
    assert_eq!(again.told(&["import", "-"], &with).code, 0);
    assert_eq!(again.ok(&["export", "--wisps"]), with, "a wisp stays a wisp");
}

#[test]
fn an_import_refuses_bad_bytes_and_numbers_by_line_and_changes_nothing() {
    let project = Project::new();
    let line = |entries: &str| {
        format!(
            "{{\"id\":\"vt-1\",\"title\":\"T\",\"priority\":1,\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":\"2026-01-01T00:00:00Z\"{entries}}}\n"
        )
    };
    let good = line("").replace("vt-1", "vt-0");
    let mut cases: Vec<(Vec<u8>, &str)> = [
        (line(r#","x":"\ud800""#), "surrogate"),
        (line(r#","priority":9223372036854775808"#), "whole number"),
        (line(r#","priority":1e400"#), "whole number"),
        (line(r#","estimated_minutes":1,"comments":[{"id":1.5}]"#), "whole number"),
        (line(r#","created_at":"2026-13-01T00:00:00Z""#), "not an RFC 3339 time"),
        (line(r#","created_at":"99999-01-01T00:00:00Z""#), "not an RFC 3339 time"),
        (line(&format!(r#","x":{}{}"#, "[".repeat(100_000), "]".repeat(100_000))), "deep"),
    ]
    .map(|(text, said)| (text.into_bytes(), said))
    .into();
    cases.push((b"{\"id\":\"\xff\"}\n".to_vec(), "UTF-8"));
    cases.push((b"{\"id\":\"a\0b\"}\n".to_vec(), "JSON"));
    for (bad, said) in cases {
        let file = project.folder().join("bad.jsonl");
        write(&file, [good.as_bytes(), &bad].concat());
        let refused = project.bd(&["import", "bad.jsonl"]);
        assert!(
            refused.code == 1 && refused.err.contains("line 2") && refused.err.contains(said),
            "{said}: {refused:#?}"
        );
        assert!(refused.err.len() < 2000, "{}", refused.err.len());
        assert_eq!(project.json(&["count"])["count"], 0);
    }
    // An imported title of one megabyte is data: an export writes it unchanged.
    let large = line(&format!(r#","notes":"{}""#, "n".repeat(1 << 20)))
        .replace("\"T\"", &format!("\"{}\"", "t".repeat(1 << 20)));
    let taken = project.told(&["import", "-"], &large);
    assert_eq!(taken.code, 0, "{:.300}", taken.err);
    assert!(project.ok(&["list"]).len() < 1 << 21);
    assert_eq!(project.json(&["list"])[0]["title"].as_str().unwrap().len(), 1 << 20);
    project.ok(&["update", "vt-1", "--title", "Short"]);
    assert_eq!(text(&project.json(&["show", "vt-1"])[0]["title"]), "Short");
    let priorities = line(r#","priority":-9223372036854775808"#);
    assert_eq!(
        project.told(&["import", "-"], &priorities.replace("vt-1", "vt-2")).code,
        0,
        "a number of another tool's"
    );
    assert_eq!(project.json(&["show", "vt-2"])[0]["priority"], i64::MIN);
    assert_eq!(project.json(&["ready", "--limit", "1"])[0]["id"], "vt-2");
}

#[test]
fn an_import_accepts_dependency_circles_and_reports_them() {
    let project = Project::new();
    let line = |id: &str, on: &str| {
        format!(
            "{{\"id\":\"{id}\",\"title\":\"T\",\"priority\":1,\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":\"2026-01-01T00:00:00Z\",\
             \"dependencies\":[{{\"issue_id\":\"{id}\",\"depends_on_id\":\"{on}\",\"type\":\"blocks\"}}]}}\n"
        )
    };
    let text_in = line("vt-self", "vt-self") + &line("vt-a", "vt-b") + &line("vt-b", "vt-c") + &line("vt-c", "vt-a");
    assert_eq!(project.told(&["import", "-"], &text_in).code, 0);
    let free = project.q(&["Free"]);
    assert_eq!(ids(&project.json(&["ready"])), std::slice::from_ref(&free));
    assert_eq!(ids(&project.json(&["blocked"])), ["vt-a", "vt-b", "vt-c", "vt-self"]);
    let circles = project.json(&["dep", "cycles"]);
    assert_eq!(circles.as_array().unwrap().iter().map(|circle| ids(circle).len()).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(project.bd(&["doctor"]).code, 1, "it is told");
    assert!(project.refusal(&["dep", "add", &free, &free]).contains("circle"));
    assert!(project.ok(&["dep", "tree", "vt-a"]).lines().count() >= 4);
    project.ok(&["dep", "remove", "vt-self", "vt-self"]);
    project.ok(&["dep", "remove", "vt-c", "vt-a"]);
    assert_eq!(project.bd(&["doctor"]).code, 0);
    assert_eq!(ids(&project.json(&["ready"])).len(), 3);
}

#[test]
fn a_deep_dependency_tree_is_drawn_with_a_limited_width() {
    const DEEP: usize = 3000;
    let project = Project::new();
    let time = "2026-01-01T00:00:00Z";
    let line = |n: usize| {
        let before = n.saturating_sub(1);
        let edge = serde_json::json!([{ "issue_id": format!("vt-{n}"), "depends_on_id": format!("vt-{before}"), "type": "blocks" }]);
        let edge = if n == 0 { serde_json::json!([]) } else { edge };
        let id = format!("vt-{n}");
        serde_json::json!({ "id": id, "title": "T", "priority": 2, "created_at": time, "updated_at": time, "dependencies": edge })
            .to_string()
            + "\n"
    };
    let chain: String = (0..DEEP).map(line).collect();
    assert_eq!(project.told(&["import", "-"], &chain).code, 0);
    let top = format!("vt-{}", DEEP - 1);
    let tree = |more: &[&str]| project.ok(&[&["dep", "tree", "--max-depth", "1000000", &top], more].concat());
    let drawn = tree(&[]);
    assert!(drawn.lines().all(|line| line.chars().count() < 2500), "a line is as wide as it is deep");
    assert!(drawn.trim_end().ends_with('…'), "and it is told that there is more");
    assert_eq!(tree(&["--mermaid"]).matches("-->").count(), DEEP - 1);
    let nodes: Value = serde_json::from_str(&tree(&["--json"])).unwrap();
    assert_eq!(nodes.as_array().unwrap().len(), DEEP);
}

#[test]
fn an_export_replaces_only_files() {
    let project = Project::new();
    project.q(&["Bead"]);
    let at = |name: &str| project.folder().join(name);
    rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), rustix::fs::Mode::RWXU).unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    write(&at("kept.jsonl"), "old");
    std::os::unix::fs::symlink(at("kept.jsonl"), at("link")).unwrap();
    std::os::unix::fs::symlink(at("fifo"), at("link-to-fifo")).unwrap();
    for name in ["fifo", "link-to-fifo", "folder"] {
        let refused = project.bd(&["export", "-o", name]);
        assert!(refused.code == 1 && refused.err.contains("can't write"), "{name}: {refused:#?}");
    }
    let is = |name: &str| at(name).symlink_metadata().unwrap().file_type();
    assert!(!is("fifo").is_file() && is("link-to-fifo").is_symlink() && is("folder").is_dir());
    project.ok(&["export", "-o", "link"]);
    assert!(is("link").is_symlink());
    assert_eq!(std::fs::read_to_string(at("kept.jsonl")).unwrap(), project.ok(&["export"]));
}

#[test]
fn a_new_ledger_contains_nothing_of_a_removed_one() {
    let project = Project::new();
    let file = project.folder().join(".beads/gt.db");
    let log = project.folder().join(".beads/gt.db-wal");
    // While another process has the ledger open, written data stays in SQLite's log, as after a killed call.
    let open = rusqlite::Connection::open(&file).unwrap();
    let count =
        |open: &rusqlite::Connection| open.query_row("SELECT count(*) FROM beads", [], |row| row.get::<_, i64>(0));
    assert_eq!(count(&open), Ok(0));
    project.ok(&["create", "Of before"]);
    let left = std::fs::read(&log).unwrap();
    assert!(!left.is_empty());
    drop(open);
    std::fs::remove_file(&file).unwrap();
    write(&log, left);
    project.ok(&["init", "--prefix", "new"]);
    assert_eq!(project.ok(&["count"]).trim(), "0");
    project.ok(&["create", "Of now"]);
    assert_eq!(project.ok(&["count"]).trim(), "1");
}
