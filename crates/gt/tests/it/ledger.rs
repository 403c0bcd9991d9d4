//! The ledger as a file: backups, checks, and imports.

use serde_json::Value;

use crate::bd::Project;
use crate::town::{Town, text, write};

/// Calls `gt --json`, which must exit with 0.
#[track_caller]
fn json(project: &Project, args: &[&str]) -> Value {
    let output = project.gt(&[args, &["--json"]].concat());
    assert_eq!(output.code, 0, "gt {args:?}: {output:#?}");
    serde_json::from_str(&output.out).unwrap()
}

#[test]
fn a_backup_is_sound_and_restores_the_ledger() {
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
fn a_damaged_copy_is_not_restored() {
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
fn an_older_ledger_is_backed_up_before_it_is_migrated() {
    let project = Project::new();
    let db = project.folder().join(".beads/gt.db");
    // The ledger as the first `gt` left it.
    std::fs::remove_file(&db).unwrap();
    let old = rusqlite::Connection::open(&db).unwrap();
    old.execute_batch(include_str!("../../../gt-ledger/src/migrations/001_kernel.sql")).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    drop(old);
    project.ok(&["list"]);
    let copy = rusqlite::Connection::open(project.folder().join(".beads/backups/gt-schema-1.db")).unwrap();
    assert_eq!(copy.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[test]
fn an_unwritable_ledger_is_reported_with_the_reason() {
    use std::os::unix::fs::PermissionsExt;
    let project = Project::new();
    let id = project.q(&["Here"]);
    let db = project.folder().join(".beads/gt.db");
    write(&db, "rubbish rubbish rubbish");
    let broken = project.bd(&["show", &id]);
    assert!(
        broken.code == 1
            && broken.err.contains("hint: restore a backup (they are in backups/ beside it): gt ledger restore"),
        "{broken:#?}"
    );
    if rustix::process::geteuid().is_root() {
        return;
    }
    std::fs::set_permissions(&db, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(project.bd(&["create", "X"]).code, 1);
}

/// Ways a file stops being a ledger.
fn ruins(sound: &[u8]) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let mut header = sound.to_vec();
    header[..100].fill(0);
    vec![
        ("no header", Some(header)),
        ("half of it", Some(sound[..sound.len() / 2].to_vec())),
        ("other text", Some(b"this is no database any more".to_vec())),
        ("nothing in it", Some(Vec::new())),
        ("not there", None),
    ]
}

fn ruin(db: &std::path::Path, content: Option<&[u8]>) {
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", db.display()));
    }
    match content {
        Some(bytes) => write(db, bytes),
        None => std::fs::remove_file(db).unwrap(),
    }
}

#[test]
fn restoring_a_ruined_ledger_keeps_what_is_left_of_it() {
    let town = Town::new();
    let kept = town.bead("Kept");
    let backup = text(&town.json(&["ledger", "backup"])["backup"]["path"]);
    let db = town.root().join(".beads/beads.db");
    let sound = std::fs::read(&db).unwrap();
    for (what, content) in ruins(&sound) {
        ruin(&db, content.as_deref());
        let broken = town.gt(&["bead", "show", &kept]);
        assert!(broken.code != 0 && broken.err.contains("beads.db"), "{what}: {broken:#?}");
        assert!(broken.err.contains("gt ledger restore"), "{what}: {broken:#?}");
        let unasked = town.gt(&["ledger", "restore", &backup]);
        assert!(unasked.code == 4 && unasked.err.contains("--yes"), "{what}: {unasked:#?}");
        let unsound = town.gt(&["ledger", "restore", "town.toml", "--yes"]);
        assert!(unsound.code != 0, "{what}: {unsound:#?}");
        assert_eq!(std::fs::read(&db).ok(), content, "{what}: what is no backup changes nothing");
        let agent = town.gt_with(&town.root(), &[("GT_INCARNATION", "x.y")], &["ledger", "restore", &backup, "--yes"]);
        assert_eq!(agent.code, 4, "{what}: {agent:#?}");
        let restored = town.json(&["ledger", "restore", &backup, "--yes"])["restored"].clone();
        assert_eq!(restored["beads"], 1, "{what}");
        let left = restored["kept"].as_str().map(|path| std::fs::read(path).unwrap());
        assert_eq!(left, content, "{what}: kept as it was found");
        assert_eq!(town.status_of(&kept), "open", "{what}");
        assert_eq!(town.gt(&["ledger", "check"]).code, 0, "{what}");
        assert_eq!(town.gt(&["doctor"]).code, 0, "{what}");
    }
    // A ledger outside of any town, given by its name.
    let project = Project::new();
    let id = project.q(&["Kept"]);
    let backup = text(&json(&project, &["ledger", "backup"])["backup"]["path"]);
    let db = project.folder().join(".beads/gt.db");
    for (what, content) in ruins(&std::fs::read(&db).unwrap()) {
        ruin(&db, content.as_deref());
        let restored = project.gt(&["ledger", "restore", &backup, "--yes", "--db", ".beads/gt.db"]);
        assert_eq!(restored.code, 0, "{what}: {restored:#?}");
        assert_eq!(project.bd(&["show", &id]).code, 0, "{what}");
    }
}

#[test]
fn restoring_is_refused_while_the_town_is_up() {
    let town = Town::empty();
    let backup = text(&town.json(&["ledger", "backup"])["backup"]["path"]);
    town.ok(&["up"]);
    let db = town.root().join(".beads/beads.db");
    let refused = town.gt(&["ledger", "restore", &backup, "--yes"]);
    assert!(refused.code == 4 && refused.err.contains("the town is up"), "{refused:#?}");
    town.ok(&["down"]);
    // The same if the ledger can't be read: the lock of the deacon shows that it runs.
    ruin(&db, Some(b"rubbish"));
    let lock = town.root().join("deacon/locks/deacon.lock");
    let lock = std::fs::File::options().create(true).truncate(false).write(true).open(lock).unwrap();
    lock.lock().unwrap();
    let refused = town.gt(&["ledger", "restore", &backup, "--yes"]);
    assert!(refused.code == 4 && refused.err.contains("the process `deacon` of this town is running"), "{refused:#?}");
    assert_eq!(std::fs::read(&db).unwrap(), b"rubbish");
    drop(lock);
    town.ok(&["ledger", "restore", &backup, "--yes"]);
    assert_eq!(town.gt(&["ledger", "check"]).code, 0);
}

#[test]
fn a_lost_ledger_is_rebuilt_from_the_exported_files() {
    let town = Town::new();
    let (own, of_rig) =
        (text(&town.json(&["bead", "create", "Of the town", "--id", "hq-own"])["id"]), town.bead("Of the rig"));
    town.ok(&["bead", "update", &of_rig, "--notes", "precious", "--add-label", "urgent"]);
    town.ok(&["bead", "comment", &of_rig, "said"]);
    let blocked = town.bead_after("Waits", &of_rig);
    let taken = town.bead("Somebody's");
    town.ok(&["bead", "update", &taken, "--claim", "--actor", "ann"]);
    let gone = town.bead("Deleted");
    town.ok(&["bead", "delete", &gone, "--yes"]);
    write(&town.folder().join("odd.jsonl"), "{\"_type\":\"memory\",\"key\":1}\n");
    town.ok(&["bead", "import", &town.folder().join("odd.jsonl").display().to_string()]);
    // The deacon writes the files; when it has ended, they are complete.
    town.ok(&["up"]);
    town.ok(&["down"]);
    let (before, rigs) = (town.ok(&["bead", "export"]), town.ask("SELECT name || prefix || remote || trunk FROM rigs"));
    let id = town.ask("SELECT value FROM meta WHERE key = 'town_id'");
    let db = town.root().join(".beads/beads.db");
    let export = town.rig().join(".beads/issues.jsonl");
    let exported = std::fs::read_to_string(&export).unwrap();
    assert!(exported.contains("precious") && exported.contains("\"Waits\""), "{exported}");
    for with_git in [true, false] {
        ruin(&db, Some(b"rubbish"));
        if with_git {
            // The checkpoint adds what a file lacks or has in an older version.
            let older =
                |line: &str| line.replace("precious", "old").replace("\"updated_at\":\"20", "\"updated_at\":\"19");
            let lines = exported.lines().filter(|line| !line.contains("\"Waits\""));
            write(&export, lines.map(|line| older(line) + "\n").collect::<String>());
        } else {
            write(&export, &exported);
            std::fs::remove_dir_all(town.root().join(".git")).unwrap();
            assert!(town.gt(&["ledger", "rebuild", "--from", "git", "--yes"]).code != 0);
        }
        assert_eq!(town.gt(&["ledger", "rebuild", "--from", "jsonl"]).code, 4, "it asks");
        let rebuilt = town.json(&["ledger", "rebuild", "--from", "jsonl", "--yes"])["rebuilt"].clone();
        assert_eq!((&rebuilt["beads"], rebuilt["commit"].is_string()), (&5.into(), with_git), "{rebuilt}");
        assert_eq!(rebuilt["files"].as_array().unwrap().len(), 2);
        assert_eq!(std::fs::read(text(&rebuilt["kept"])).unwrap(), b"rubbish");
        assert_eq!(town.ok(&["bead", "export"]), before, "all that is portable is there again");
        assert_eq!(town.ask("SELECT name || prefix || remote || trunk FROM rigs"), rigs);
        assert_eq!(town.ask("SELECT value FROM meta WHERE key = 'town_id'"), id);
        assert_eq!(town.gt(&["ledger", "check"]).code, 0);
    }
    // The town works again.
    town.ok(&["up"]);
    town.ok(&["sling", &of_rig, crate::town::RIG]);
    town.wait_closed(&of_rig);
    town.wait_quiet();
    assert_eq!(town.landings(&of_rig), 1);
    assert_eq!(
        (town.status_of(&own), town.status_of(&blocked), town.status_of(&taken)),
        ("open".into(), "open".into(), "in_progress".into())
    );
    town.ok(&["down"]);
    // Without any file, `gt` can't rebuild the ledger.
    for file in [".beads/issues.jsonl", ".beads/town.json", "app/.beads/issues.jsonl"] {
        std::fs::remove_file(town.root().join(file)).unwrap();
    }
    let _ = std::fs::remove_dir_all(town.root().join(".git"));
    let refused = town.gt(&["ledger", "rebuild", "--from", "jsonl", "--yes"]);
    assert!(refused.code == 4 && refused.err.contains("no exported files"), "{refused:#?}");
    assert_eq!(town.status_of(&own), "open", "and what is there stays");
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
fn a_town_of_the_go_gas_town_is_imported_with_its_rigs() {
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
