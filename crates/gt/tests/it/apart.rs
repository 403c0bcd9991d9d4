//! Towns can create different beads with the same id. These tests check that sync gives one of them a new id and
//! updates references.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::bd::Project;
use crate::sync::{Meeting, beads, create, sync};
use crate::town::{RIG, Town, text, write};

fn make(town: &Town, id: &str, title: &str) {
    town.ok(&["bead", "create", title, "--id", id]);
}

fn all(town: &Town) -> Vec<Value> {
    beads(town).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn id_of(town: &Town, title: &str) -> String {
    let found: Vec<Value> = all(town).into_iter().filter(|bead| bead["title"] == title).collect();
    assert_eq!(found.len(), 1, "{title}: {found:#?}");
    text(&found[0]["id"])
}

/// Returns the titles of the beads that block the bead with this title.
fn waits_for(town: &Town, title: &str) -> BTreeSet<String> {
    let shown = town.json(&["bead", "show", &id_of(town, title)]);
    shown[0]["dependencies"].as_array().into_iter().flatten().map(|bead| text(&bead["title"])).collect()
}

#[test]
fn sync_keeps_both_beads_with_one_id_in_either_order() {
    for order in [[0, 1, 0, 1], [1, 0, 1, 0]] {
        let at = Meeting::new();
        let towns = [Town::empty(), Town::empty()];
        for (town, name) in towns.iter().zip(["one", "other"]) {
            make(town, "hq-abc", &format!("Made by {name}"));
            let waits = create(town, &format!("Waits at {name}"));
            town.ok(&["bead", "dep", "add", &waits, "hq-abc"]);
            town.ok(&["bead", "comment", "hq-abc", &format!("Said at {name}")]);
        }
        let mut renamed = Vec::new();
        for who in order {
            let said = sync(&towns[who], &at);
            renamed.extend(said["pulled"]["renamed"].as_array().unwrap().clone());
            assert_eq!(said["pulled"]["losses"].as_array().unwrap().len(), 0, "{said}");
        }
        assert_eq!(beads(&towns[0]), beads(&towns[1]), "{order:?}");
        for town in &towns {
            assert_eq!(id_of(town, "Made by one"), "hq-abc", "it was made first");
            assert_eq!(text(&renamed[0]["to"]), id_of(town, "Made by other"));
            for name in ["one", "other"] {
                assert_eq!(waits_for(town, &format!("Waits at {name}")), [format!("Made by {name}")].into());
                let shown = town.json(&["bead", "show", &id_of(town, &format!("Made by {name}"))]);
                assert_eq!(text(&shown[0]["comments"][0]["text"]), format!("Said at {name}"));
            }
        }
        let head = sync(&towns[0], &at)["commit"].clone();
        assert_eq!(sync(&towns[1], &at)["commit"], head, "nothing is left to be told apart");
    }
}

#[test]
fn three_towns_give_the_same_new_ids_to_beads_and_children() {
    let (left, right) = (Meeting::new(), Meeting::new());
    let towns = [Town::empty(), Town::empty(), Town::empty()];
    make(&towns[0], "hq-epic", "Epic");
    for (town, at) in [(&towns[0], &left), (&towns[1], &left), (&towns[1], &right), (&towns[2], &right)] {
        sync(town, at);
    }
    // All three make the epic's first child, and a bead of the same id.
    for (town, name) in towns.iter().zip(["a", "b", "c"]) {
        let child = town.json(&["bead", "create", &format!("Child of {name}"), "--parent", "hq-epic"]);
        assert_eq!(text(&child["id"]), "hq-epic.1");
        make(town, "hq-abc", &format!("Bead of {name}"));
        town.ok(&["bead", "dep", "add", "hq-epic.1", "hq-abc"]);
    }
    let row = [(0, &left), (2, &right), (1, &left), (1, &right), (1, &left), (0, &left), (2, &right)];
    for (who, at) in row {
        sync(&towns[who], at);
    }
    for town in &towns {
        assert_eq!(beads(town), beads(&towns[0]));
        assert_eq!(all(town).len(), 7);
        for name in ["a", "b", "c"] {
            let waits = waits_for(town, &format!("Child of {name}"));
            assert_eq!(waits, ["Epic".to_owned(), format!("Bead of {name}")].into());
            assert!(id_of(town, &format!("Child of {name}")).starts_with("hq-epic."));
        }
    }
}

#[test]
fn work_on_a_bead_continues_under_its_new_id() {
    let at = Meeting::new();
    let (one, other) = (Town::new(), Town::new());
    let prefix = one.bead("Any").split_once('-').unwrap().0.to_owned();
    let id = format!("{prefix}-abc");
    make(&one, &id, "Made first");
    make(&other, &id, "Worked on");
    other.ok(&["sling", &id, RIG]);
    sync(&one, &at);
    let said = sync(&other, &at);
    let new = text(&said["pulled"]["renamed"][0]["to"]);
    assert_eq!(other.ask("SELECT bead FROM attempts WHERE ended_at IS NULL"), [new.as_str()]);
    assert_eq!((other.status_of(&new), other.status_of(&id)), ("hooked".into(), "open".into()));
    assert!(other.events(&new).contains(&"bead-renamed".to_owned()));
    let branch = other.ask("SELECT branch FROM attempts").remove(0);
    assert!(branch.contains(&id), "its branch keeps its name: {branch}");
    sync(&one, &at);
    assert!(text(&one.json(&["bead", "show", &new])[0]["assignee"]).contains(RIG), "it is held there");
    other.ok(&["unsling", &new]);
    assert_eq!(other.status_of(&new), "open");
    sync(&other, &at);
    sync(&one, &at);
    assert_eq!(beads(&one), beads(&other));
}

#[test]
fn an_import_gives_a_new_id_to_another_bead_with_the_same_id() {
    let (ours, theirs) = (Project::new(), Project::new());
    ours.ok(&["create", "Ours", "--id", "vt-abc"]);
    for (project, title) in [(&theirs, "Theirs"), (&theirs, "Of theirs")] {
        project.ok(&["create", title, "--id", if title == "Theirs" { "vt-abc" } else { "vt-aaa" }]);
    }
    theirs.ok(&["dep", "add", "vt-aaa", "vt-abc"]);
    write(&ours.folder().join("theirs.jsonl"), theirs.ok(&["export"]));
    let said = ours.ok(&["import", "theirs.jsonl"]);
    assert!(said.contains("has this id now"), "{said}");
    let shown = ours.json(&["show", "vt-abc", "vt-aaa"]);
    assert_eq!(text(&shown[0]["title"]), "Ours", "it was made first");
    let waits_for = text(&shown[1]["dependencies"][0]["id"]);
    assert_eq!(text(&ours.json(&["show", &waits_for])[0]["title"]), "Theirs");
    let whole = ours.ok(&["export"]);
    ours.ok(&["import", "theirs.jsonl"]);
    assert_eq!(ours.ok(&["export"]), whole, "once more changes nothing");

    // In the other direction the bead that is already here gets the new id. Both directions end with the same beads.
    write(&theirs.folder().join("ours.jsonl"), &whole);
    theirs.ok(&["import", "ours.jsonl"]);
    assert_eq!(theirs.ok(&["export"]), whole);
}

#[test]
fn the_merge_driver_of_git_gives_a_new_id_to_another_bead_with_the_same_id() {
    let project = Project::bare();
    let line = |title: &str, hour: u8, rest: &str| {
        format!(
            "{{\"id\":\"x-1\",\"title\":\"{title}\",\"created_at\":\"2026-01-01T0{hour}:00:00Z\",\
             \"updated_at\":\"2026-01-02T00:00:00Z\"{rest}}}\n"
        )
    };
    for (file, text) in [("O", ""), ("A", &line("Late", 2, "")), ("B", &line("Early", 1, ",\"labels\":[\"l\"]"))] {
        write(&project.folder().join(file), text);
    }
    let merged = project.gt(&["ledger", "merge-driver", "O", "A", "B"]);
    assert!(merged.code == 0 && merged.err.contains("has this id now"), "{merged:#?}");
    let merged = std::fs::read_to_string(project.folder().join("A")).unwrap();
    let merged: Vec<Value> = merged.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let titles: BTreeSet<String> = merged.iter().map(|bead| text(&bead["title"])).collect();
    let ids: BTreeSet<String> = merged.iter().map(|bead| text(&bead["id"])).collect();
    assert_eq!((titles.len(), ids.len()), (2, 2), "{merged:#?}");
}

#[test]
fn ids_are_longer_in_a_ledger_that_others_share() {
    let length = |id: &str| id.rsplit_once('-').unwrap().1.len();
    let at = Meeting::new();
    let town = Town::empty();
    assert_eq!(length(&create(&town, "Alone")), 3);
    sync(&town, &at);
    assert_eq!(length(&create(&town, "Synced")), 6);

    let project = Project::bare();
    project.ok(&["init", "--prefix", "vt"]);
    assert_eq!(length(&project.q(&["Alone"])), 3);
    project.git_at(&project.folder(), &["init", "--quiet"]);
    assert_eq!(length(&project.q(&["In git"])), 6);
}
