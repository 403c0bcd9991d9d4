use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::bead::{BeadType, DepType};

pub(super) fn at(text: &str) -> Stamp {
    Stamp::parse(text).unwrap()
}

pub(super) fn bead(id: &str) -> Bead {
    Bead::new(id.into(), "T", at("2026-01-01T00:00:00Z").at)
}

/// Checks the merge of two sides' changes of one bead, in both orders of the sides.
fn check(ours: impl Fn(&mut Bead), theirs: impl Fn(&mut Bead), expected: impl Fn(&mut Bead), lost: &[(&str, &str)]) {
    check_from(|_| {}, ours, theirs, expected, lost);
}

fn check_from(
    start: impl Fn(&mut Bead),
    ours: impl Fn(&mut Bead),
    theirs: impl Fn(&mut Bead),
    expected: impl Fn(&mut Bead),
    lost: &[(&str, &str)],
) {
    let mut base = bead("vt-1");
    start(&mut base);
    let changed = |change: &dyn Fn(&mut Bead), time: &str| {
        let mut bead = base.clone();
        change(&mut bead);
        if bead != base {
            bead.updated_at = at(time);
        }
        bead
    };
    let (one, other) = (changed(&ours, "2026-01-02T00:00:00Z"), changed(&theirs, "2026-01-03T00:00:00Z"));
    let mut should = base.clone();
    should.updated_at = later(&one.updated_at, &other.updated_at).clone();
    expected(&mut should);
    let (merged, losses) = merge_bead(Some(&base), Some(&one), Some(&other));
    assert_eq!(merged, Some(should));
    let told: Vec<(&str, &str)> = losses.iter().map(|loss| (loss.key.as_str(), loss.lost.as_str())).collect();
    assert_eq!(told, lost);
    let swapped = merge_bead(Some(&base), Some(&other), Some(&one));
    assert_eq!((swapped.0, swapped.1), (merged, losses));
}

fn close(bead: &mut Bead) {
    bead.status = Status::Closed;
    bead.closed_at = Some(at("2026-01-02T00:00:00Z"));
    bead.close_reason = Some("done".to_owned());
}

#[test]
fn the_side_that_changed_wins_else_the_later_one() {
    check(|b| b.priority = 0, |b| b.title = "New".into(), |b| (b.priority, b.title) = (0, "New".into()), &[]);
    check(|b| b.title = "A".into(), |b| b.title = "B".into(), |b| b.title = "B".into(), &[("title", "A")]);
    check(|b| b.priority = 1, |b| b.priority = 1, |b| b.priority = 1, &[]);
    let key = |raw: &str| ("x".to_owned(), raw.to_owned());
    check(|b| b.rest.push(key("1")), |b| b.rest.push(key("2")), |b| b.rest.push(key("2")), &[("x", "1")]);
    let other = ("y".to_owned(), "[ 1.0]".to_owned());
    check(|b| b.rest.push(key("1")), |b| b.rest.push(other.clone()), |b| b.rest = vec![key("1"), other.clone()], &[]);
}

#[test]
fn a_tie_goes_by_value() {
    let base = bead("vt-1");
    let named = |title: &str| Bead { title: title.to_owned(), ..base.clone() };
    for (ours, theirs) in [("A", "B"), ("B", "A")] {
        let (merged, losses) = merge_bead(Some(&base), Some(&named(ours)), Some(&named(theirs)));
        assert_eq!((merged.unwrap().title.as_str(), losses[0].lost.as_str()), ("B", "A"));
    }
}

#[test]
fn labels_and_edges_are_sets_with_removals() {
    let labels = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    check_from(
        |b| b.labels = labels(&["keep", "theirs", "ours"]),
        |b| b.labels = labels(&["keep", "theirs", "z"]),
        |b| b.labels = labels(&["keep", "ours", "a"]),
        |b| b.labels = labels(&["keep", "a", "z"]),
        &[],
    );
    let edge = |to: &str| Dependency {
        issue_id: "vt-1".into(),
        depends_on_id: to.into(),
        kind: DepType::Blocks,
        created_at: None,
        rest: Rest::new(),
    };
    let noted = Dependency { created_at: Some("now".to_owned()), ..edge("a") };
    check_from(
        |b| b.dependencies = vec![edge("a"), edge("b")],
        |b| b.dependencies = vec![edge("c")],
        |b| b.dependencies = vec![noted.clone(), edge("b")],
        |b| b.dependencies = vec![edge("c"), noted.clone()],
        &[],
    );
}

#[test]
fn remarks_are_never_lost() {
    let remark = |id: &str, text: &str, time: &str| Comment {
        id: id.to_owned(),
        author: "ann".to_owned(),
        text: text.to_owned(),
        created_at: time.to_owned(),
        rest: Rest::new(),
    };
    let (old, same) = (remark("1", "old", "2026-01-01T00:00:00Z"), remark("1", "old", "2026-01-01T01:00:00+01:00"));
    let (a, b) = (remark("2", "a", "2026-01-02T00:00:00Z"), remark("2", "b", "2026-01-02T00:00:00Z"));
    check_from(
        |bead| bead.comments = vec![old.clone()],
        |bead| bead.comments = vec![old.clone(), a.clone()],
        |bead| bead.comments = vec![same.clone(), b.clone()],
        |bead| bead.comments = vec![same.clone(), a.clone(), b.clone()],
        &[],
    );
    // A comment that one side removes comes back, even from a side that changed nothing.
    check_from(|b| b.comments = vec![old.clone()], |b| b.comments.clear(), |_| {}, |_| {}, &[]);
}

#[test]
fn notes_are_joined() {
    let note = |text: &'static str| move |bead: &mut Bead| bead.notes = text.to_owned();
    check(note("mine"), note("yours"), note("mine\n\nyours"), &[]);
    check_from(note("was"), note("was\nmine"), note("was\nyours"), note("was\nmine\n\nyours"), &[]);
    check(note("one and more"), note("one"), note("one and more"), &[]);
}

#[test]
fn closed_beats_open_unless_opened_again_later() {
    let status = |status: Status| move |bead: &mut Bead| bead.status = status.clone();
    check(close, status(Status::InProgress), close, &[("status", "in_progress")]);
    check(status(Status::InProgress), close, close, &[("status", "in_progress")]);
    let reopen = |bead: &mut Bead| (bead.status, bead.closed_at, bead.close_reason) = (Status::Open, None, None);
    let reason = |bead: &mut Bead| bead.close_reason = Some("better".to_owned());
    check_from(close, reopen, |_| {}, reopen, &[]);
    check_from(close, reason, reopen, reopen, &[("status", "closed 2026-01-02T00:00:00Z better")]);
    check_from(close, reopen, reason, reason, &[("status", "open")]);
}

#[test]
fn a_reason_is_kept_though_the_other_side_closed_later() {
    let closed = |day: u8, reason: Option<&'static str>| {
        move |bead: &mut Bead| {
            bead.status = Status::Closed;
            bead.closed_at = Some(at(&format!("2026-01-0{day}T00:00:00Z")));
            bead.close_reason = reason.map(str::to_owned);
        }
    };
    let lost = &[("closed_at", "2026-01-02T00:00:00Z")];
    check(closed(2, Some("Fixed in abc")), closed(3, None), closed(3, Some("Fixed in abc")), lost);
    check(closed(2, None), closed(3, Some("Fixed in abc")), closed(3, Some("Fixed in abc")), lost);
    check(closed(2, Some("Fixed in abc")), closed(3, Some("Closed")), closed(3, Some("Fixed in abc")), lost);
    check(closed(2, Some("mine")), closed(3, Some("yours")), closed(3, Some("mine\n\nyours")), lost);
    check(closed(2, Some("Closed")), closed(3, None), closed(3, Some("Closed")), lost);
    // If only one side improved the reason, that reason wins.
    let better = |bead: &mut Bead| bead.close_reason = Some("better".to_owned());
    check_from(
        closed(2, Some("good")),
        better,
        |bead| bead.priority = 0,
        |bead| (better(bead), bead.priority = 0).1,
        &[],
    );
}

#[test]
fn an_edit_beats_a_deletion() {
    let key = ("deleted_by".to_owned(), "\"x\"".to_owned());
    let bury = |bead: &mut Bead| {
        bead.status = Status::Tombstone;
        bead.rest.push(key.clone());
    };
    let edit = |bead: &mut Bead| bead.title = "Edited".to_owned();
    check(bury, edit, edit, &[(DELETION, "tombstone")]);
    check(edit, bury, edit, &[(DELETION, "tombstone")]);
    check(bury, |_| {}, bury, &[]);
    let base = bead("vt-1");
    let mut edited = base.clone();
    edit(&mut edited);
    let (kept, losses) = merge_bead(Some(&base), None, Some(&edited));
    assert_eq!((kept, losses[0].lost.as_str()), (Some(edited), "gone"));
    assert_eq!(merge_bead(Some(&base), None, Some(&base)), (None, Vec::new()));
}

#[test]
fn without_a_base_the_later_of_deletion_and_bead_wins() {
    let live = bead("vt-1");
    let dead = |time: &str| Bead { status: Status::Tombstone, updated_at: at(time), ..live.clone() };
    let status = |dead: &Bead| merge_bead(None, Some(&live), Some(dead)).0.unwrap().status;
    assert_eq!(status(&dead("2026-02-01T00:00:00Z")), Status::Tombstone);
    assert_eq!(status(&dead("2025-02-01T00:00:00Z")), Status::Open);
}

fn rest(known: &'static [&'static str]) -> impl Strategy<Value = Rest> {
    let entry = (select(vec!["owner", "metadata", "thread_id", "x", "y"]), select(vec!["1", "2", "\"z\""]));
    vec(entry, 0..4).prop_map(move |entries| {
        let entries: BTreeMap<&str, &str> = entries.into_iter().collect();
        let mut rest: Rest = entries.into_iter().map(|(key, raw)| (key.to_owned(), raw.to_owned())).collect();
        jsonl::order_rest(&mut rest, known);
        rest
    })
}

fn word() -> impl Strategy<Value = String> {
    select(vec!["", "a", "b", "ab", "a\nb"]).prop_map(str::to_owned)
}

fn time() -> impl Strategy<Value = Stamp> {
    select(vec!["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-02T01:00:00+01:00"]).prop_map(at)
}

fn comment() -> impl Strategy<Value = Comment> {
    (select(vec!["1", "2"]), word(), time(), rest(jsonl::COMMENT_KEYS)).prop_map(|(id, text, time, rest)| Comment {
        id: id.to_owned(),
        author: "ann".to_owned(),
        text,
        created_at: time.text,
        rest,
    })
}

fn dependency(id: String) -> impl Strategy<Value = Dependency> {
    let kind = select(vec![DepType::Blocks, DepType::Related]);
    (select(vec!["vt-1", "vt-2"]), kind, proptest::option::of(word()), rest(jsonl::DEPENDENCY_KEYS)).prop_map(
        move |(to, kind, created_at, rest)| Dependency {
            issue_id: BeadId(id.clone()),
            depends_on_id: to.into(),
            kind,
            created_at: created_at.filter(|text| !text.is_empty()),
            rest,
        },
    )
}

prop_compose! {
    fn any_bead(id: String)(
        words in vec(word(), 3),
        status in select(vec![Status::Open, Status::InProgress, Status::Closed, Status::Tombstone]),
        priority in 0..2_i64,
        pinned: bool,
        times in (time(), time(), proptest::option::of(time())),
        labels in vec(word(), 0..3),
        dependencies in vec(dependency(id.clone()), 0..3),
        comments in vec(comment(), 0..3),
        rest in rest(jsonl::KEYS),
        id in Just(id),
    ) -> Bead {
        Bead {
            title: words[0].clone(),
            notes: words[1].clone(),
            assignee: Some(words[2].clone()).filter(|text| !text.is_empty()),
            status,
            priority,
            pinned,
            issue_type: BeadType::Task,
            created_at: times.0,
            updated_at: times.1,
            closed_at: times.2,
            labels,
            dependencies,
            comments,
            rest,
            ..bead(&id)
        }
    }
}

/// Generates ledgers with few ids, so that the sides often have the same. An id may occur twice.
fn ledger() -> impl Strategy<Value = Vec<Record>> {
    let other = select(vec!["{\"_type\":\"memory\",\"n\":1}", "{\"_type\":\"memory\",\"n\":2}"])
        .prop_map(|line| Record::Other { line: line.to_owned() });
    let id = select(vec!["vt-1", "vt-2", "vt-3"]).prop_map(str::to_owned);
    let record = prop_oneof![6 => id.prop_flat_map(any_bead).prop_map(|b| Record::Bead(Box::new(b))), 1 => other];
    vec(record, 0..5)
}

/// Generates a ledger and two that came from it. Each bead of a side is the base's own or another one.
pub(super) fn family() -> impl Strategy<Value = [Vec<Record>; 3]> {
    (ledger(), ledger(), ledger(), any::<[bool; 10]>()).prop_map(|(base, ours, theirs, keep)| {
        let mixed = |side: Vec<Record>, keep: &[bool]| {
            let kept = base.iter().zip(keep).filter(|(_, keep)| **keep).map(|(record, _)| record.clone());
            let changed = side.into_iter().filter(|record| matches!(record, Record::Other { .. }) || is_new(record));
            kept.chain(changed).collect::<Vec<_>>()
        };
        [base.clone(), mixed(ours, &keep[..5]), mixed(theirs, &keep[5..])]
    })
}

fn is_new(record: &Record) -> bool {
    matches!(record, Record::Bead(bead) if bead.priority == 0)
}

fn beads(records: &[Record]) -> impl Iterator<Item = &Bead> {
    records.iter().filter_map(|record| match record {
        Record::Bead(bead) => Some(bead.as_ref()),
        Record::Other { .. } => None,
    })
}

/// Returns a text as if separated beads still had the id that they shared.
fn with_old_ids(text: &str, renamed: &[Renamed]) -> String {
    renamed.iter().fold(text.to_owned(), |text, rename| text.replace(rename.to.as_str(), rename.from.as_str()))
}

/// Returns everything that a merge may never lose: each bead's comments with their authors.
fn remarks(records: &[Record]) -> BTreeSet<(String, String, String)> {
    let of = |bead: &Bead| {
        let id = bead.id.0.clone();
        let one = move |c: &Comment| (id.clone(), Stamp::parse(&c.created_at).unwrap().at.to_string(), c.text.clone());
        bead.comments.iter().map(one).collect::<Vec<_>>()
    };
    beads(records).flat_map(of).collect()
}

/// Returns labels, edges and keys of each bead, and lines of other kinds.
fn facts(records: &[Record]) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for record in records {
        match record {
            Record::Other { line } => _ = facts.insert(line.clone()),
            Record::Bead(bead) => {
                let id = &bead.id;
                facts.extend(bead.labels.iter().map(|label| format!("{id} label {label}")));
                facts.extend(bead.dependencies.iter().map(|d| format!("{id} {} {}", d.kind, d.depends_on_id)));
                facts.extend(bead.rest.iter().map(|(key, _)| format!("{id} key {key}")));
            }
        }
    }
    facts
}

fn held(town: char, since: &str) -> Bead {
    let mut held = bead("vt-a1");
    held.status = Status::Hooked;
    held.assignee = Some(foreign_assignee(&town.to_string().repeat(32), "vt/polecats/one"));
    held.updated_at = at(since);
    set_held_since(&mut held, Some(since));
    held
}

#[test]
fn of_two_claims_the_earlier_counts() {
    fn check(ours: &Bead, theirs: &Bead, expected: &Bead) {
        let base = bead("vt-a1");
        let (merged, losses) = merge_bead(Some(&base), Some(ours), Some(theirs));
        let merged = merged.unwrap();
        assert_eq!(claim(&merged), claim(expected));
        assert_eq!(merged.status, Status::Hooked);
        let told = losses.iter().any(|loss| loss.key == "assignee");
        assert_eq!(told, ours.assignee != theirs.assignee, "{losses:?}");
        assert_eq!((Some(merged), losses), merge_bead(Some(&base), Some(theirs), Some(ours)));
    }
    let (early, late) = (held('b', "2026-01-02T00:00:00Z"), held('a', "2026-01-03T00:00:00Z"));
    check(&early, &late, &early);
    let tie = held('a', "2026-01-02T00:00:00Z");
    check(&early, &tie, &tie);
    let again = held('b', "2026-01-04T00:00:00Z");
    check(&early, &again, &again);
}

#[test]
fn a_claim_given_up_stays_given_up() {
    let base = held('a', "2026-01-02T00:00:00Z");
    let mut free = bead("vt-a1");
    free.updated_at = at("2026-01-03T00:00:00Z");
    let (merged, losses) = merge_bead(Some(&base), Some(&free), Some(&base));
    assert_eq!((merged, losses.len()), (Some(free), 0));
    // A claim that was made after that counts, although the one that was given up was earlier.
    let next = held('b', "2026-01-04T00:00:00Z");
    let (merged, _) = merge_bead(Some(&base), Some(&next), Some(&base));
    assert_eq!(merged, Some(next));
}

#[test]
fn only_a_towns_own_words_are_a_claim() {
    assert_eq!(split_assignee("alice"), None);
    assert_eq!(split_assignee("team:alice"), None);
    let town = "0".repeat(32);
    assert_eq!(split_assignee(&format!("{town}:a:b")), Some((town.as_str(), "a:b")));
    assert_eq!(split_assignee(&format!("{}:x", "A".repeat(32))), None);
    let mut unsaid = held('a', "2026-01-02T00:00:00Z");
    set_held_since(&mut unsaid, Some("yesterday"));
    assert_eq!(claim(&unsaid), None);
}

#[test]
fn what_one_side_lost_is_given_back_and_what_is_deleted_is_not() {
    let live = bead("vt-a1");
    let dead = Bead { status: Status::Tombstone, ..bead("vt-a2") };
    let records =
        |beads: &[&Bead]| beads.iter().map(|bead| Record::Bead(Box::new((*bead).clone()))).collect::<Vec<_>>();
    let (base, ours, theirs) = (records(&[&live, &dead]), records(&[&live, &dead]), Vec::new());
    assert_eq!(merge(&base, &ours, &theirs).records, Vec::new());
    let base = base_without_lost(&base, &ours, &theirs);
    assert_eq!(merge(&base, &ours, &theirs).records, records(&[&live]));
    assert_eq!(merge(&base, &theirs, &ours).records, records(&[&live]));
}

proptest! {
    #[test]
    fn it_does_not_matter_whose_side_is_whose([base, ours, theirs] in family()) {
        prop_assert_eq!(merge(&base, &ours, &theirs), merge(&base, &theirs, &ours));
    }

    #[test]
    fn merging_the_same_or_nothing_new_changes_nothing([base, ours, _] in family()) {
        let tidy = |side: &[Record]| merge(side, side, side).records;
        let (base, ours) = (tidy(&base), tidy(&ours));
        prop_assert_eq!(merge(&base, &ours, &ours), Merged { records: ours.clone(), ..Merged::default() });
        let merged = merge(&base, &ours, &base).records;
        prop_assert_eq!(&merge(&base, &merged, &merged).records, &merged);
        // When the other side continues from the merged ledger, it has nothing to add.
        prop_assert_eq!(merge(&ours, &merged, &ours).records, merged);
    }

    #[test]
    fn nothing_is_lost_that_a_side_did_not_take_away(sides in family()) {
        // If one file has a bead twice, that file alone decides its value.
        let [base, ours, theirs] = sides.each_ref().map(|side| merge(side, side, side).records);
        let Merged { records: merged, renamed, .. } = merge(&base, &ours, &theirs);
        let alive: BTreeSet<&str> = beads(&merged).map(|bead| bead.id.as_str()).collect();
        // A whole bead goes if one side deleted it and the other left it unchanged.
        let of_living = |facts: BTreeSet<String>| -> BTreeSet<String> {
            let lives = |fact: &String| fact.starts_with('{') || alive.contains(fact.split(' ').next().unwrap());
            facts.into_iter().filter(lives).map(|fact| with_old_ids(&fact, &renamed)).collect()
        };
        let all = |side: &[Record]| -> BTreeSet<String> {
            facts(side).iter().map(|fact| with_old_ids(fact, &renamed)).collect()
        };
        let (went, before) = (all(&merged), all(&base));
        let said_of = |records: &[Record]| -> BTreeSet<(String, String, String)> {
            let said = remarks(records).into_iter().filter(|(id, ..)| alive.contains(id.as_str()));
            said.map(|(id, at, text)| (with_old_ids(&id, &renamed), at, text)).collect()
        };
        for (one, other) in [(&ours, &theirs), (&theirs, &ours)] {
            let (had, others) = (facts(one), all(other));
            for fact in of_living(had) {
                prop_assert!(went.contains(&fact) || (before.contains(&fact) && !others.contains(&fact)), "{fact}");
            }
            prop_assert!(said_of(one).is_subset(&said_of(&merged)));
        }
    }

    #[test]
    fn what_is_merged_is_written_and_read_alike([base, ours, theirs] in family()) {
        let merged = merge(&base, &ours, &theirs).records;
        let text = jsonl::write(&merged);
        prop_assert_eq!(jsonl::parse(text.as_bytes()).records, merged);
    }

    #[test]
    fn two_towns_converge_in_any_order(
        [base, first, second] in family(),
        later in (ledger(), ledger()),
        order in vec(any::<bool>(), 0..6),
    ) {
        let tidy = |side: &[Record]| merge(side, side, side).records;
        let mut remote = tidy(&base);
        let mut towns = [(remote.clone(), tidy(&first)), (remote.clone(), tidy(&second))];
        let mut edits = [Some(later.0), Some(later.1)];
        // The towns sync in the given order, and each edits once more after its first sync. At the end both sync twice.
        for town in order.into_iter().chain([false, true, false, true]).map(usize::from) {
            sync(&mut towns[town], &mut remote);
            if let Some(edit) = edits[town].take() {
                let edited = merge(&[], &towns[town].1, &edit).records;
                towns[town].1 = edited;
            }
        }
        sync(&mut towns[0], &mut remote);
        sync(&mut towns[1], &mut remote);
        sync(&mut towns[0], &mut remote);
        prop_assert_eq!(&towns[0].1, &remote);
        prop_assert_eq!(&towns[1].1, &remote);
    }
}

/// Does what `gt sync` does: merges the remote's ledger with the local changes since the last sync, and pushes the result.
fn sync(town: &mut (Vec<Record>, Vec<Record>), remote: &mut Vec<Record>) {
    let merged = merge(&town.0, &town.1, remote).records;
    *town = (merged.clone(), merged.clone());
    *remote = merged;
}
