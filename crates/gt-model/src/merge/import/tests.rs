use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::tests::{at, bead, family};
use super::*;
use crate::bead::DepType;
use crate::jsonl::Record;

const OLDER: &str = "2025-12-31T00:00:00Z";
const SAME: &str = "2026-01-01T00:00:00Z";
const NEWER: &str = "2026-01-02T00:00:00Z";

fn version(time: &str, change: impl Fn(&mut Bead)) -> Bead {
    let mut version = bead("vt-1");
    version.updated_at = at(time);
    change(&mut version);
    version
}

fn edge(to: &str) -> Dependency {
    let kind = DepType::Blocks;
    Dependency { issue_id: "vt-1".into(), depends_on_id: to.into(), kind, created_at: None, rest: Rest::new() }
}

fn remark(text: &str) -> Comment {
    let (id, author, created_at) = ("1".to_owned(), "ann".to_owned(), SAME.to_owned());
    Comment { id, author, text: text.to_owned(), created_at, rest: Rest::new() }
}

fn told(losses: &[Loss]) -> Vec<(&str, &str, &str)> {
    losses.iter().map(|loss| (loss.key.as_str(), loss.kept.as_str(), loss.lost.as_str())).collect()
}

#[test]
fn what_is_only_here_stays_when_a_newer_version_is_taken_in() {
    let only_here = |bead: &mut Bead| {
        bead.labels = vec!["mine".to_owned()];
        bead.dependencies = vec![edge("vt-2")];
        bead.comments = vec![remark("only here")];
        bead.assignee = Some("ann".to_owned());
        bead.description = "Much to do".to_owned();
        bead.rest = vec![("x".to_owned(), "1".to_owned())];
    };
    let ours = version(SAME, only_here);
    let theirs = version(NEWER, |bead| bead.priority = 0);
    let Import { bead, kept, replaced } = import_bead(&ours, &theirs, &TakenAway::default());
    assert_eq!(bead, version(NEWER, |bead| (only_here(bead), bead.priority = 0).1));
    assert_eq!((told(&kept), told(&replaced)), (vec![], vec![("priority", "0", "2")]));
}

#[test]
fn labels_edges_and_remarks_of_both_versions_are_there_afterwards() {
    let parts = |word: &'static str| {
        move |bead: &mut Bead| {
            bead.labels = vec!["both".to_owned(), word.to_owned()];
            bead.dependencies = vec![edge(word)];
            bead.comments = vec![remark(word)];
        }
    };
    for time in [OLDER, SAME, NEWER] {
        let bead = import_bead(&version(SAME, parts("z")), &version(time, parts("a")), &TakenAway::default()).bead;
        assert_eq!(bead.labels, ["both", "z", "a"], "{time}");
        assert_eq!(bead.dependencies, [edge("z"), edge("a")], "{time}");
        assert_eq!(bead.comments, [remark("z"), remark("a")], "{time}");
    }
}

#[test]
fn a_value_is_that_of_the_later_version_and_at_equal_times_ours() {
    let titled = |time, title: &'static str| version(time, |bead| bead.title = title.to_owned());
    let check = |time: &'static str, title: &str, kept: &[(&str, &str, &str)], replaced: &[(&str, &str, &str)]| {
        let done = import_bead(&titled(SAME, "Ours"), &titled(time, "Theirs"), &TakenAway::default());
        assert_eq!((done.bead.title.as_str(), told(&done.kept).as_slice()), (title, kept), "{time}");
        assert_eq!(told(&done.replaced), replaced, "{time}");
    };
    check(OLDER, "Ours", &[("title", "Ours", "Theirs")], &[]);
    check(SAME, "Ours", &[("title", "Ours", "Theirs")], &[]);
    check(NEWER, "Theirs", &[], &[("title", "Theirs", "Ours")]);
}

#[test]
fn a_newer_version_opens_closes_and_deletes() {
    let state = |time, status: Status, closed: Option<&'static str>| {
        version(time, |bead| {
            bead.status = status.clone();
            bead.closed_at = closed.map(|_| at(OLDER));
            bead.close_reason = closed.map(str::to_owned).filter(|reason| !reason.is_empty());
            if status == Status::Tombstone {
                bead.rest = vec![("deleted_by".to_owned(), "\"ann\"".to_owned())];
            }
        })
    };
    let (open, closed) = ((Status::Open, None), (Status::Closed, Some("done")));
    let dead = (Status::Tombstone, None);
    for ((old, old_reason), (new, new_reason)) in
        [(&open, &closed), (&closed, &open), (&open, &dead), (&dead, &open)].map(|(a, b)| (a.clone(), b.clone()))
    {
        let (older, newer) = (state(SAME, old, old_reason), state(NEWER, new, new_reason));
        assert_eq!(import_bead(&older, &newer, &TakenAway::default()).bead, newer);
        let kept = import_bead(&newer, &older, &TakenAway::default());
        assert_eq!((kept.bead, kept.kept.len()), (newer, 1));
    }
    let unsaid = state(NEWER, Status::Closed, Some(""));
    let known = state(SAME, Status::Closed, Some("done"));
    let bead = import_bead(&known, &unsaid, &TakenAway::default()).bead;
    assert_eq!(bead.close_reason.as_deref(), Some("done"), "the newer version does not say why");
}

#[test]
fn what_was_taken_away_here_comes_back_only_with_a_version_written_after_that() {
    let ours = version(SAME, |_| {});
    let away = TakenAway {
        labels: [("gone".to_owned(), at(SAME).at)].into(),
        edges: [(("blocks".to_owned(), "vt-2".into()), at(SAME).at)].into(),
    };
    let theirs = |time| {
        version(time, |bead| {
            bead.labels = vec!["gone".to_owned(), "other".to_owned()];
            bead.dependencies = vec![edge("vt-2"), edge("vt-3")];
        })
    };
    let older = import_bead(&ours, &theirs(OLDER), &away);
    assert_eq!((older.bead.labels, older.bead.dependencies), (vec!["other".to_owned()], vec![edge("vt-3")]));
    assert_eq!(told(&older.kept), [("labels", "", "gone"), ("dependencies", "", "blocks vt-2")]);
    let newer = import_bead(&ours, &theirs(NEWER), &away);
    assert_eq!((newer.bead.labels.len(), newer.bead.dependencies.len()), (2, 2));
}

/// Returns the labels, edges and comments of a bead as texts.
fn parts(bead: &Bead) -> BTreeSet<String> {
    let labels = bead.labels.iter().map(|label| format!("label {label}"));
    let edges = bead.dependencies.iter().map(|dep| format!("{} {} {}", dep.issue_id, dep.kind, dep.depends_on_id));
    let remarks = bead.comments.iter().map(|remark| format!("remark {:?}", comment_key(remark)));
    labels.chain(edges).chain(remarks).collect()
}

fn first(records: &[Record]) -> Option<Bead> {
    records.iter().find_map(|record| match record {
        Record::Bead(bead) => Some((**bead).clone()),
        Record::Other { .. } => None,
    })
}

proptest! {
    #[test]
    fn taking_in_a_version_again_changes_nothing_and_loses_nothing([_, ours, theirs] in family()) {
        let (Some(ours), Some(theirs)) = (first(&ours), first(&theirs)) else { return Ok(()) };
        let none = TakenAway::default();
        let same = import_bead(&ours, &ours, &none);
        prop_assert_eq!(same, Import { bead: ours.clone(), kept: vec![], replaced: vec![] });
        let once = import_bead(&ours, &theirs, &none).bead;
        let twice = import_bead(&once, &theirs, &none);
        prop_assert_eq!((&twice.bead, twice.replaced), (&once, vec![]));
        prop_assert_eq!(parts(&once), parts(&ours).into_iter().chain(parts(&theirs)).collect());
    }

    #[test]
    fn it_does_not_matter_for_sets_in_which_order_files_are_taken_in([one, ours, other] in family()) {
        let all = (first(&one), first(&ours), first(&other));
        let (Some(one), Some(ours), Some(other)) = all else { return Ok(()) };
        let after = |files: [&Bead; 2]| {
            let none = TakenAway::default();
            parts(&files.iter().fold(ours.clone(), |ours, file| import_bead(&ours, file, &none).bead))
        };
        prop_assert_eq!(after([&one, &other]), after([&other, &one]));
    }
}
