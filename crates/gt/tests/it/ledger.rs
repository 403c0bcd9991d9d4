//! The ledger as a file: copies, checks, and what is taken in from elsewhere.

use serde_json::Value;

use crate::bd::Project;
use crate::town::{Town, text, write};

/// `gt --json`, which must answer with 0.
#[track_caller]
fn json(project: &Project, args: &[&str]) -> Value {
    let output = project.gt(&[args, &["--json"]].concat());
    assert_eq!(output.code, 0, "gt {args:?}: {output:#?}");
    serde_json::from_str(&output.out).unwrap()
}

#[test]
fn a_backup_is_sound_and_brings_back_what_was() {
    let project = Project::new();
    let kept = project.q(&["Kept"]);
    let made = json(&project, &["ledger", "backup"]);
    let backup = text(&made["backup"]["path"]);
    assert_eq!(made["backup"]["beads"], 1);
    assert!(
        !project
            .folder()
            .join(".beads/backups")
            .read_dir()
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().ends_with(".making") })
    );
    let lost = project.q(&["Made later"]);
    let unasked = project.gt(&["ledger", "restore", &backup]);
    assert!(unasked.code == 4 && unasked.err.contains("--yes"), "{unasked:#?}");
    let restored = json(&project, &["ledger", "restore", &backup, "--yes"]);
    assert_eq!(project.bd(&["show", &kept]).code, 0);
    assert_eq!(project.bd(&["show", &lost]).code, 1);
    let before = text(&restored["restored"]["kept"]);
    json(&project, &["ledger", "restore", &before, "--yes"]);
    assert_eq!(project.bd(&["show", &lost]).code, 0, "what a restore replaced is kept too");
    let again = project.gt(&["ledger", "backup", &backup]);
    assert!(again.code == 4 && again.err.contains("already"), "{again:#?}");
}

#[test]
fn what_is_no_sound_copy_is_not_restored() {
    let project = Project::new();
    let id = project.q(&["Here"]);
    let backup = text(&json(&project, &["ledger", "backup"])["backup"]["path"]);
    let bytes = std::fs::read(&backup).unwrap();
    let torn = project.folder().join("torn.db");
    let mut middle = bytes.clone();
    let from = middle.len() / 4;
    middle[from..from * 3].fill(0x5a);
    let foreign = project.folder().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let newer = project.folder().join("newer.db");
    write(&newer, &bytes);
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 9999).unwrap();
    for (content, said) in [(&b"no database"[..], "not a database"), (&bytes[..bytes.len() / 2], ""), (&middle[..], "")]
    {
        write(&torn, content);
        let refused = project.gt(&["ledger", "restore", "torn.db", "--yes"]);
        assert!(refused.code != 0 && refused.err.contains(said), "{refused:#?}");
    }
    for (file, said) in [("foreign.db", "another program"), ("newer.db", "newer gt"), ("missing.db", "no ledger at")] {
        let refused = project.gt(&["ledger", "restore", file, "--yes"]);
        assert!(refused.code != 0 && refused.err.contains(said), "{file}: {refused:#?}");
    }
    assert_eq!(project.bd(&["show", &id]).code, 0, "nothing was changed");
    assert_eq!(project.gt(&["ledger", "check"]).code, 0);
}

#[test]
fn an_older_ledger_is_copied_before_it_is_brought_up_to_date() {
    let project = Project::new();
    let db = project.folder().join(".beads/gt.db");
    // As the first gt left it.
    std::fs::remove_file(&db).unwrap();
    let old = rusqlite::Connection::open(&db).unwrap();
    old.execute_batch(include_str!("../../../gt-town/src/ledger/migrations/001_kernel.sql")).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    drop(old);
    project.ok(&["list"]);
    let copy = rusqlite::Connection::open(project.folder().join(".beads/backups/gt-schema-1.db")).unwrap();
    assert_eq!(copy.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[test]
fn a_ledger_that_cant_be_written_says_why() {
    use std::os::unix::fs::PermissionsExt;
    let project = Project::new();
    let id = project.q(&["Here"]);
    let db = project.folder().join(".beads/gt.db");
    write(&db, "rubbish rubbish rubbish");
    let broken = project.bd(&["show", &id]);
    assert!(broken.code == 1 && broken.err.contains("hint: move it aside and copy a backup"), "{broken:#?}");
    if rustix::process::geteuid().is_root() {
        return;
    }
    std::fs::set_permissions(&db, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(project.bd(&["create", "X"]).code, 1);
}

#[test]
fn vacuum_keeps_everything() {
    let project = Project::new();
    for n in 0..5 {
        project.q(&[&format!("Bead {n}"), "-d", &"words ".repeat(2000)]);
    }
    let before = project.ok(&["export"]);
    let done = json(&project, &["ledger", "vacuum"]);
    assert!(done["vacuum"]["bytes_after"].as_u64().unwrap() > 0);
    assert_eq!(project.ok(&["export"]), before);
}

fn line(id: &str) -> String {
    let time = "2026-01-01T00:00:00Z";
    let bead = serde_json::json!({ "id": id, "title": id, "priority": 2, "created_at": time, "updated_at": time });
    format!("{bead}\n")
}

#[test]
fn a_town_of_the_go_gas_town_comes_in_with_its_rigs() {
    let town = Town::new();
    let old = town.folder().join("old");
    write(&old.join(".beads/issues.jsonl"), line("hq-1"));
    let routes = [("gt-", "gastown/mayor/rig"), ("ev-", "../../evil"), ("ab-", "/etc"), ("no-", "nowhere")];
    let routes: String =
        routes.iter().map(|(prefix, path)| format!("{{\"prefix\":\"{prefix}\",\"path\":\"{path}\"}}\n")).collect();
    write(&old.join(".beads/routes.jsonl"), &(routes + "not json\n"));
    write(&old.join("gastown/mayor/rig/.beads/issues.jsonl"), &(line("gt-1") + &line("gt-2")));
    write(&old.join("beads/.beads/redirect"), "mayor/rig/.beads\n");
    write(&old.join("beads/mayor/rig/.beads/issues.jsonl"), line("bd-1"));
    write(&old.join("beads/mayor/rig/.beads/beads.db"), "a database");
    write(&old.join("dolted/.beads/dolt/x"), "a database");
    write(&town.folder().join("evil/.beads/issues.jsonl"), line("ev-1"));
    let rigs = r#"{"version":1,"rigs":{"gastown":{"git_url":"https://example.org/gt.git","beads":{"prefix":"gt"}},
        "beads":{"git_url":"https://example.org/bd.git","beads":{"prefix":"bd"}},"dolted":{},"../up":{}}}"#;
    write(&old.join("mayor/rigs.json"), rigs);
    let folder = old.display().to_string();
    let dry = town.json(&["import", "beads", &folder, "--dry-run"]);
    let files = dry["found"]["files"].as_array().unwrap();
    assert_eq!(files.iter().map(|file| file["beads"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 1], "{dry:#}");
    assert_eq!(town.json(&["bead", "count"])["count"], 0, "a rehearsal leaves nothing");
    let said = town.ok(&["import", "beads", &folder]);
    assert!(said.contains("gt rig add gastown https://example.org/gt.git --prefix gt"), "{said}");
    assert!(said.contains("has a database but no issues.jsonl"), "{said}");
    assert_eq!(town.json(&["bead", "count"])["count"], 4);
    assert_eq!(town.gt(&["bead", "show", "ev-1"]).code, 3, "a route leads nowhere outside");
    let again = town.json(&["import", "beads", &folder]);
    assert_eq!(again["found"]["files"][1]["imported"]["kept"], 2, "once more changes nothing");

    write(&old.join("gastown/mayor/rig/.beads/issues.jsonl"), &(line("gt-3") + "<<<<<<< ours\n"));
    write(&old.join(".beads/issues.jsonl"), line("hq-2"));
    let refused = town.gt(&["import", "beads", &folder]);
    assert!(refused.code == 4 && refused.err.contains("gastown/mayor/rig"), "{refused:#?}");
    assert_eq!(town.json(&["bead", "count"])["count"], 4, "one bad line in one file: nothing of any");
    town.ok(&["import", "beads", &folder, "--salvage"]);
    assert_eq!(town.json(&["bead", "count"])["count"], 6);
    let nothing = town.gt(&["import", "beads", &town.folder().join("home").display().to_string()]);
    assert!(nothing.code == 4 && nothing.err.contains("no issues.jsonl"), "{nothing:#?}");
}
