//! A town has one ledger, found by `GT_TOWN` or in a folder above; opening never creates one.

use crate::town::{Town, text, write};

const VERBS: &[&[&str]] = &[
    &["status"],
    &["up"],
    &["down"],
    &["doctor"],
    &["bead", "list"],
    &["bead", "create", "Lost"],
    &["rig", "add", "app", "."],
    &["sling", "ap-1", "app"],
    &["mail", "inbox"],
    &["log"],
    &["deacon", "run"],
];

#[test]
fn f08_opening_never_creates() {
    let town = Town::nowhere();
    let here = town.folder().join("here");
    std::fs::create_dir(&here).unwrap();
    let missing = town.folder().join("missing").display().to_string();
    let before = town.listing(town.folder());
    for verb in VERBS {
        let by_flag = [*verb, &["--town", &missing]].concat();
        let calls = [
            town.gt_with(&here, &[], verb),
            town.gt_with(&here, &[("GT_TOWN", &missing)], verb),
            town.gt_with(&here, &[], &by_flag),
            town.gt_with(&here, &[("GT_TOWN", &here.display().to_string())], verb),
        ];
        for (at, call) in calls.iter().enumerate() {
            assert_eq!(call.code, 3, "{verb:?} {at}: {call:?}");
            assert!(call.err.contains("is not a town"), "{verb:?} {at}: {call:?}");
            assert!(
                call.err.contains("hint: change to a town's folder, set GT_TOWN, or create a town"),
                "{verb:?} {call:?}"
            );
        }
    }
    assert_eq!(town.listing(town.folder()), before);
}

#[test]
fn f08_the_database_of_another_tool_is_not_used() {
    let town = Town::empty();
    let foreign = town.folder().join("foreign");
    for file in ["beads.db", "issues.jsonl", "metadata.json"] {
        write(&foreign.join(".beads").join(file), "somebody else's");
        write(&town.root().join("mayor/.beads").join(file), "somebody else's");
    }
    let before = town.listing(&foreign);
    let outside = town.gt_with(&foreign, &[], &["bead", "create", "Lost"]);
    assert_eq!((outside.code, outside.err.contains("is not a town")), (3, true), "{outside:?}");
    assert_eq!(town.listing(&foreign), before);
    let inside = town.gt_with(&town.root().join("mayor"), &[], &["bead", "create", "Found", "--quiet"]);
    assert_eq!(inside.code, 0, "{inside:?}");
    assert_eq!(town.ask("SELECT title FROM beads"), ["Found"]);
    assert_eq!(std::fs::read(foreign.join(".beads/beads.db")).unwrap(), b"somebody else's");
}

#[test]
fn f08_gt_finds_a_town_above_and_gt_town_takes_precedence() {
    let town = Town::new();
    town.gt_with(town.folder(), &[], &["install", "other"]);
    let other = town.folder().join("other");
    town.ok(&["bead", "create", "Here"]);
    let titles = |output: crate::town::Output| {
        assert_eq!(output.code, 0, "{output:?}");
        let beads: serde_json::Value = serde_json::from_str(&output.out).unwrap();
        beads.as_array().unwrap().iter().map(|bead| text(&bead["title"])).collect::<Vec<_>>()
    };
    let list = ["bead", "list", "--json"];
    assert_eq!(titles(town.gt_with(&town.rig().join(".repo.git/refs"), &[], &list)), ["Here"]);
    let other_root = other.display().to_string();
    assert_eq!(titles(town.gt_with(&town.rig(), &[("GT_TOWN", &other_root)], &list)), Vec::<String>::new());
    let by_flag = [&list[..], &["--town", "../town"]].concat();
    assert_eq!(titles(town.gt_with(&other, &[("GT_TOWN", &other_root)], &by_flag)), ["Here"]);
}
