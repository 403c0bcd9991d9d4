use proptest::prelude::*;
use proptest::sample::Index;

use super::super::tests::at;
use super::super::{Merged, merge};
use super::*;
use crate::bead::{DepType, Dependency, Rest, Status};

fn made(id: &str, title: &str, at: &str, by: Option<&str>) -> Bead {
    let at = super::super::tests::at(at);
    let mut bead = Bead::new(id.into(), title, at.at);
    bead.created_by = by.map(str::to_owned);
    (bead.created_at, bead.updated_at) = (at.clone(), at);
    bead
}

fn refers(mut bead: Bead, to: &str) -> Bead {
    let kind = DepType::Blocks;
    let (issue_id, depends_on_id) = (bead.id.clone(), to.into());
    bead.dependencies.push(Dependency { issue_id, depends_on_id, kind, created_at: None, rest: Rest::new() });
    bead
}

fn side(beads: &[&Bead]) -> Vec<Record> {
    beads.iter().map(|bead| Record::Bead(Box::new((*bead).clone()))).collect()
}

fn titles(records: &[Record]) -> Vec<(String, String)> {
    beads(records).map(|bead| (bead.id.0.clone(), bead.title.clone())).collect()
}

const MORNING: &str = "2026-01-01T08:00:00.123456789Z";
const NOON: &str = "2026-01-01T12:00:00.5Z";

#[test]
fn beads_are_apart_by_title_and_by_when_and_whom_they_were_made() {
    let one = made("x-1", "One", MORNING, Some("ann"));
    let check = |title, at, by, expected| {
        let other = made("x-1", title, at, by);
        assert_eq!((are_apart(&one, &other), are_apart(&other, &one)), (expected, expected), "{title} {at} {by:?}");
    };
    check("Two", NOON, Some("ann"), true);
    check("Two", NOON, None, true);
    check("One", NOON, Some("bob"), false);
    check("Two", MORNING, Some("bob"), false);
    check("Two", "2026-01-01T09:00:00.123456789+01:00", Some("ann"), false);
    // Tools with less precise times write these.
    check("Two", "2026-01-01T08:00:00Z", Some("ann"), false);
    check("Two", "2026-01-01T08:00:00.123457Z", Some("ann"), false);
    check("Two", "2026-01-01T08:00:01Z", Some("ann"), false);
    check("Two", "2026-01-01T08:00:02Z", Some("ann"), true);
    check("Two", "0001-01-01T00:00:00Z", Some("ann"), false);
    check("(deleted)", NOON, Some("ann"), false);
    let whole = |by| made("x-1", if by == "ann" { "A" } else { "B" }, "2026-01-01T08:00:00Z", Some(by));
    assert!(are_apart(&whole("ann"), &whole("bob")), "made in the same second by two");
}

#[test]
fn the_earlier_bead_keeps_the_id_and_references_follow_the_other() {
    let (early, late) = (made("x-1", "Early", MORNING, None), made("x-1", "Late", NOON, None));
    let of_early = refers(made("x-2", "Of early", MORNING, None), "x-1");
    let of_late = refers(made("x-3", "Of late", NOON, None), "x-1");
    let (ours, theirs) = (side(&[&early, &of_early]), side(&[&late, &of_late]));
    let merged = merge(&[], &ours, &theirs);
    assert_eq!(merged, merge(&[], &theirs, &ours));
    let Merged { records, losses, renamed } = merged;
    assert_eq!((losses.as_slice(), renamed.len()), (&[][..], 1), "nothing is lost");
    let new = &renamed[0].to;
    assert_eq!((renamed[0].from.as_str(), new.prefix()), ("x-1", "x"));
    let expected = [("x-1", "Early"), ("x-2", "Of early"), ("x-3", "Of late"), (new.as_str(), "Late")];
    let mut expected = expected.map(|(id, title)| (id.to_owned(), title.to_owned()));
    expected.sort();
    assert_eq!(titles(&records), expected);
    let waits_for = |id: &str| beads(&records).find(|bead| bead.id.as_str() == id).unwrap().dependencies[0].clone();
    assert_eq!((waits_for("x-2").depends_on_id, waits_for("x-3").depends_on_id), ("x-1".into(), new.clone()));
}

#[test]
fn what_one_side_renamed_long_ago_is_renamed_on_the_other_with_all_that_it_made_since() {
    let (early, late) = (made("x-1", "Early", MORNING, None), made("x-1", "Late", NOON, None));
    let base = side(&[&late]);
    let met = merge(&[], &side(&[&early]), &base).records;
    let mut edited = late.clone();
    edited.title = "Late and edited".to_owned();
    edited.updated_at = at("2026-01-02T00:00:00Z");
    let since = refers(made("x-4", "Since", NOON, None), "x-1");
    let merged = merge(&base, &side(&[&edited, &since]), &met);
    let new = Renamed::of(&late).to;
    let found: Vec<_> = titles(&merged.records);
    assert!(found.contains(&("x-1".to_owned(), "Early".to_owned())), "{found:?}");
    assert!(found.contains(&(new.0.clone(), "Late and edited".to_owned())), "{found:?}");
    assert_eq!(found.len(), 3);
    let since = beads(&merged.records).find(|bead| bead.id.as_str() == "x-4").unwrap();
    assert_eq!(since.dependencies[0].depends_on_id, new);
}

#[test]
fn a_bead_that_both_sides_know_is_one_bead_whatever_was_edited() {
    let base = made("x-1", "Was", MORNING, None);
    let ours = Bead { title: "Ours".to_owned(), ..base.clone() };
    let theirs = Bead { created_at: at(NOON), title: "Theirs".to_owned(), ..base.clone() };
    let merged = merge(&side(&[&base]), &side(&[&ours]), &side(&[&theirs]));
    assert_eq!((merged.records.len(), merged.renamed.len()), (1, 0));
}

#[test]
fn a_file_that_says_two_beads_with_one_id_keeps_both() {
    let (early, late) = (made("x-1.1", "Early", MORNING, None), made("x-1.1", "Late", NOON, None));
    let doubled = side(&[&late, &early]);
    let merged = merge(&[], &doubled, &[]);
    assert_eq!(merged.records.len(), 2);
    assert!(merged.renamed[0].to.as_str().starts_with("x-1.x"), "{:?}", merged.renamed);
    assert_eq!(merged, merge(&[], &[], &doubled));
}

#[test]
fn a_deleted_bead_is_told_apart_too() {
    let early = made("x-1", "Early", MORNING, None);
    let dead = Bead { status: Status::Tombstone, ..made("x-1", "Late", NOON, None) };
    let merged = merge(&[], &side(&[&early]), &side(&[&dead])).records;
    let status = |title: &str| beads(&merged).find(|bead| bead.title == title).unwrap().status.clone();
    assert_eq!((status("Early"), status("Late")), (Status::Open, Status::Tombstone));
}

/// A town: its current ledger, and its ledger when it last synced.
type Town = (Vec<Record>, Vec<Record>);

fn meet(town: &mut Town, remote: &mut Vec<Record>) {
    let merged = merge(&town.1, &town.0, remote).records;
    (town.0, town.1) = (merged.clone(), merged.clone());
    *remote = merged;
}

proptest! {
    /// Towns that each created beads with the same ids, and edges among them, and sync in any order with work in between.
    #[test]
    fn three_towns_converge_and_keep_every_bead(
        order in proptest::collection::vec((any::<Index>(), any::<bool>()), 0..8),
        seconds in proptest::collection::vec(1_u32..50, 9),
    ) {
        let mut towns: Vec<Town> = (0..3).map(|town| {
            let made = |at: usize| {
                let (second, id) = (seconds[town * 3 + at], format!("x-{at}"));
                let time = format!("2026-01-01T00:00:{second:02}.{town}{at}5Z");
                refers(made(&id, &format!("{town} {at}"), &time, None), &format!("x-{}", (at + 1) % 3))
            };
            (side(&[&made(0), &made(1), &made(2)]), Vec::new())
        }).collect();
        let mut remote = Vec::new();
        let all_in_turn = (0..3).chain(0..3).map(|at| (at, false));
        let chosen = order.iter().map(|(index, edits)| (index.index(3), *edits));
        for (at, edits) in chosen.chain(all_in_turn) {
            if edits {
                for record in &mut towns[at].0 {
                    if let Record::Bead(bead) = record {
                        bead.description.push('!');
                    }
                }
            }
            meet(&mut towns[at], &mut remote);
        }
        prop_assert!(towns.iter().all(|town| town.0 == remote));
        let mut found: Vec<String> = beads(&remote).map(|bead| bead.title.clone()).collect();
        found.sort();
        let all: Vec<String> = (0..3).flat_map(|town| (0..3).map(move |at| format!("{town} {at}"))).collect();
        prop_assert_eq!(found, all, "every bead is there once");
        // Each bead still waits for the next one of its own town.
        let title = |id: &BeadId| beads(&remote).find(|bead| bead.id == *id).unwrap().title.clone();
        for bead in beads(&remote) {
            let (town, at) = bead.title.split_once(' ').unwrap();
            let next = (at.parse::<usize>().unwrap() + 1) % 3;
            let waits_for: Vec<String> = bead.dependencies.iter().map(|dep| title(&dep.depends_on_id)).collect();
            prop_assert_eq!(waits_for, [format!("{town} {next}")]);
        }
    }
}
