//! The ledger of beads: ready and blocked beads, search and queries, import and export.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use gt_ledger::{BeadFilter, Direction, Ledger, LedgerError, LedgerResult, ReadyFilter, ReadyOrder, View};
use gt_model::bead::{Bead, BeadType, DepType, Dependency, Rest, Stamp, Status};
use gt_model::id::BeadId;
use gt_model::jsonl::{self, Record};
use gt_model::query;
use gt_testkit::ledger::{Shape, jsonl as made_up};
use gt_testkit::sim::SimWorld;
use gt_town::Error;
use gt_town::sync::port::{self, ExportFilter, ImportOptions};
use gt_world::faults::Faults;
use gt_world::real::RealWorld;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;

const FIXTURES: [&str; 3] = [
    include_str!("../../../gt-model/tests/data/beads.jsonl"),
    include_str!("../../../gt-model/tests/data/gastown.jsonl"),
    include_str!("../../../gt-model/tests/data/conflict-markers.jsonl"),
];

fn ledger() -> Ledger {
    Ledger::in_memory(Arc::new(SimWorld::new())).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-06-01T00:00:00Z")
}

fn read<T>(ledger: &Ledger, question: impl FnOnce(&View<'_>) -> LedgerResult<T>) -> T {
    ledger.read(question).unwrap()
}

/// Builds a bead with these dependencies.
fn bead(id: &str, edges: &[(DepType, &str)]) -> Bead {
    let edge = |(kind, to): &(DepType, &str)| Dependency {
        issue_id: id.into(),
        depends_on_id: (*to).into(),
        kind: kind.clone(),
        created_at: None,
        rest: Rest::new(),
    };
    let dependencies = edges.iter().map(edge).collect();
    Bead { dependencies, ..Bead::new(id.into(), id, at("2026-01-01T00:00:00Z")) }
}

fn with(beads: &[Bead]) -> Ledger {
    let ledger = ledger();
    for bead in beads {
        put(&ledger, bead);
    }
    ledger
}

/// Adds a bead, or changes the existing one to this.
fn put(ledger: &Ledger, bead: &Bead) {
    ledger
        .write("test", "test", |tx| match tx.bead(&bead.id)? {
            None => tx.add_bead(bead),
            Some(before) => tx.change_bead("changed", &before, bead),
        })
        .unwrap();
}

fn ids(beads: &[Bead]) -> Vec<&str> {
    beads.iter().map(|bead| bead.id.as_str()).collect()
}

fn ready(ledger: &Ledger) -> Vec<String> {
    ids(&read(ledger, |view| view.ready(now(), None, None))).into_iter().map(str::to_owned).collect()
}

fn blocked(ledger: &Ledger) -> Vec<String> {
    ids(&read(ledger, |view| view.blocked(&BeadFilter::default()))).into_iter().map(str::to_owned).collect()
}

/// Changes a bead's status, with time and reason of its close.
fn set(ledger: &Ledger, id: &str, status: Status, reason: &str) {
    let before = read(ledger, |view| view.bead(&id.into())).unwrap();
    let closed_at = (status == Status::Closed).then(|| Stamp::from(now()));
    put(ledger, &Bead { status, closed_at, close_reason: Some(reason.to_owned()), ..before });
}

#[test]
fn only_blocking_dependencies_block() {
    let check = |kind: DepType, status: Status, reason: &str, is_ready: bool| {
        let ledger = with(&[bead("vt-b", &[(kind.clone(), "vt-a")]), bead("vt-a", &[])]);
        set(&ledger, "vt-a", status.clone(), reason);
        let shown = format!("{kind} {status} {reason}");
        assert_eq!(ready(&ledger).contains(&"vt-b".to_owned()), is_ready, "{shown}");
        assert_eq!(blocked(&ledger), if is_ready { vec![] } else { vec!["vt-b"] }, "{shown}");
        assert_eq!(read(&ledger, |view| view.is_held(now(), &"vt-b".into())), !is_ready, "{shown}");
    };
    check(DepType::Blocks, Status::Open, "", false);
    check(DepType::Blocks, Status::InProgress, "", false);
    check(DepType::Blocks, Status::Other("paused".into()), "", false);
    check(DepType::Blocks, Status::Closed, "", true);
    check(DepType::Blocks, Status::Tombstone, "", true);
    check(DepType::MergeBlocks, Status::Open, "", false);
    check(DepType::Related, Status::Open, "", true);
    check(DepType::Other("blocked-by".into()), Status::Open, "", true);
    check(DepType::ConditionalBlocks, Status::Open, "", false);
    check(DepType::ConditionalBlocks, Status::Closed, "done", false);
    check(DepType::ConditionalBlocks, Status::Closed, "Rejected by QA", true);
    check(DepType::ConditionalBlocks, Status::Tombstone, "", true);
    check(DepType::ParentChild, Status::Open, "", true);
    check(DepType::ParentChild, Status::Deferred, "", false);
    check(DepType::ParentChild, Status::Closed, "", true);
    let dangling = with(&[bead("vt-b", &[(DepType::Blocks, "gone-1")])]);
    assert_eq!(ready(&dangling), ["vt-b"]);
    assert_eq!(read(&dangling, |view| view.dangling()), [("vt-b".into(), "gone-1".into())]);
    put(&dangling, &bead("gone-1", &[]));
    assert_eq!(ready(&dangling), ["gone-1"]);
}

#[test]
fn a_bead_can_wait_for_the_children_of_another() {
    let waits = |gate: Option<&str>| {
        let mut waiter = bead("vt-w", &[(DepType::WaitsFor, "vt-p")]);
        let metadata = gate.map(|gate| serde_json::Value::from(format!("{{\"gate\":\"{gate}\"}}")).to_string());
        waiter.dependencies[0].rest = metadata.map(|raw| ("metadata".to_owned(), raw)).into_iter().collect();
        let child = |id: &str| bead(id, &[(DepType::ParentChild, "vt-p")]);
        with(&[waiter, bead("vt-p", &[]), child("vt-p.1"), child("vt-p.2")])
    };
    for (gate, after_one) in [(None, false), (Some("all-children"), false), (Some("any-children"), true)] {
        let ledger = waits(gate);
        let is_ready = |ledger: &Ledger| read(ledger, |view| view.is_ready(now(), &"vt-w".into()));
        assert!(!is_ready(&ledger));
        set(&ledger, "vt-p.1", Status::Closed, "");
        assert_eq!(is_ready(&ledger), after_one, "{gate:?}");
        set(&ledger, "vt-p.2", Status::Closed, "");
        assert!(is_ready(&ledger));
        put(&ledger, &bead("vt-p.3", &[(DepType::ParentChild, "vt-p")]));
        assert_eq!(is_ready(&ledger), after_one);
    }
}

#[test]
fn blockers_are_the_beads_that_hold_a_bead_back() {
    let check = |ledger: &Ledger, expected: &[&str]| {
        let found = read(ledger, |view| view.blockers(now(), &"vt-p.1".into()));
        assert_eq!(found.iter().map(|blocker| blocker.id.as_str()).collect::<Vec<_>>(), expected);
    };
    let child = bead("vt-p.1", &[(DepType::ParentChild, "vt-p"), (DepType::Blocks, "vt-a")]);
    let ledger = with(&[bead("vt-a", &[]), bead("vt-b", &[]), bead("vt-p", &[]), child]);
    check(&ledger, &["vt-a"]);
    put(&ledger, &bead("vt-p", &[(DepType::Blocks, "vt-b")]));
    check(&ledger, &["vt-a", "vt-p"]);
    set(&ledger, "vt-b", Status::Closed, "");
    check(&ledger, &["vt-a"]);
    let until = |text: &str| Bead { defer_until: Some(Stamp::from(at(text))), ..bead("vt-p", &[]) };
    put(&ledger, &until("2027-01-01T00:00:00Z"));
    check(&ledger, &["vt-a", "vt-p"]);
    put(&ledger, &until("2026-02-01T00:00:00Z"));
    check(&ledger, &["vt-a"]);
    set(&ledger, "vt-p", Status::Deferred, "");
    check(&ledger, &["vt-a", "vt-p"]);
}

#[test]
fn deferring_a_bead_holds_it_and_its_children_until_its_time() {
    let mut epic = bead("vt-e", &[]);
    epic.issue_type = BeadType::Epic;
    epic.defer_until = Some(Stamp::parse("2026-07-01T02:00:00+02:00").unwrap());
    let child = |id: &str, parent: &str| bead(id, &[(DepType::ParentChild, parent)]);
    let ledger = with(&[child("vt-e.1.1", "vt-e.1"), child("vt-e.1", "vt-e"), epic.clone()]);
    let ready_at = |time: &str| read(&ledger, |view| view.ready(at(time), None, None)).len();
    assert_eq!((ready_at("2026-06-30T23:59:59Z"), ready_at("2026-07-01T00:00:00Z")), (0, 2));
    assert_eq!(blocked(&ledger), [""; 0], "time alone is no blocker");
    epic.defer_until = None;
    put(&ledger, &epic);
    assert_eq!(ready_at("2026-01-02T00:00:00Z"), 2);
    let with_epics = ReadyFilter { epics: true, ..ReadyFilter::default() };
    assert_eq!(read(&ledger, |view| view.ready_by(now(), &with_epics)).len(), 3);
}

#[test]
fn ready_beads_can_be_sorted_in_each_order() {
    let made = |id: &str, priority: i64, created: &str| Bead {
        priority,
        created_at: Stamp::parse(created).unwrap(),
        ..bead(id, &[])
    };
    let ledger = with(&[
        made("vt-old", 3, "2026-01-01T00:00:00Z"),
        made("vt-older", 4, "2025-01-01T00:00:00Z"),
        made("vt-new", 2, "2026-05-31T00:00:00Z"),
        made("vt-newest", 0, "2026-05-31T12:00:00Z"),
    ]);
    let order = |order: ReadyOrder| {
        let filter = ReadyFilter { order, ..ReadyFilter::default() };
        ids(&read(&ledger, |view| view.ready_by(now(), &filter))).join(" ")
    };
    assert_eq!(order(ReadyOrder::Priority), "vt-newest vt-new vt-old vt-older");
    assert_eq!(order(ReadyOrder::Oldest), "vt-older vt-old vt-new vt-newest");
    assert_eq!(order(ReadyOrder::Hybrid), "vt-newest vt-new vt-older vt-old");
}

/// Computes the ready beads from the definition, by looking at all beads.
fn ready_by_definition(beads: &[Bead]) -> BTreeSet<String> {
    let by_id: BTreeMap<&BeadId, &Bead> = beads.iter().map(|bead| (&bead.id, bead)).collect();
    let over = |bead: &Bead| matches!(bead.status, Status::Closed | Status::Tombstone);
    let targets = |bead: &Bead, kind: DepType| -> Vec<&Bead> {
        bead.dependencies
            .iter()
            .filter(|d| d.kind == kind)
            .filter_map(|d| by_id.get(&d.depends_on_id).copied())
            .collect()
    };
    let is_child = |bead: &Bead, of: &Bead| targets(bead, DepType::ParentChild).iter().any(|parent| parent.id == of.id);
    let directly = |bead: &Bead| {
        targets(bead, DepType::Blocks).iter().any(|target| !over(target))
            || targets(bead, DepType::WaitsFor)
                .iter()
                .any(|of| beads.iter().any(|child| is_child(child, of) && !over(child)))
    };
    let later = |bead: &Bead| bead.defer_until.as_ref().is_some_and(|until| until.at > now());
    // Held back by itself, or by a parent at any depth.
    let mut held: BTreeSet<&BeadId> = BTreeSet::new();
    loop {
        let before = held.len();
        for bead in beads.iter().filter(|bead| !over(bead)) {
            let parent_holds = |p: &&Bead| !over(p) && (p.status == Status::Deferred || held.contains(&p.id));
            if directly(bead) || later(bead) || targets(bead, DepType::ParentChild).iter().any(parent_holds) {
                held.insert(&bead.id);
            }
        }
        if held.len() == before {
            break;
        }
    }
    let free = beads.iter().filter(|bead| bead.status == Status::Open && !held.contains(&bead.id));
    free.map(|bead| bead.id.0.clone()).collect()
}

const NAMES: [&str; 6] = ["vt-0", "vt-1", "vt-2", "vt-3", "vt-4", "vt-5"];

fn any_bead() -> impl Strategy<Value = Bead> {
    let kind = select(vec![DepType::Blocks, DepType::ParentChild, DepType::ParentChild, DepType::WaitsFor]);
    let edges = prop::collection::vec((kind, select(NAMES.to_vec())), 0..3);
    let status =
        select(vec![Status::Open, Status::Open, Status::Open, Status::Closed, Status::Deferred, Status::Tombstone]);
    let until = select(vec![None, None, Some("2026-05-01T00:00:00Z"), Some("2026-07-01T00:00:00Z")]);
    (select(NAMES.to_vec()), edges, status, until).prop_map(|(id, edges, status, until)| Bead {
        status,
        defer_until: until.map(|text| Stamp::parse(text).unwrap()),
        ..bead(id, &edges)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// The random changes include cycles and dependencies on beads that come later.
    #[test]
    fn ready_matches_its_definition_after_any_changes_in_any_order(changes in prop::collection::vec(any_bead(), 1..14)) {
        let ledger = ledger();
        let mut beads: BTreeMap<BeadId, Bead> = BTreeMap::new();
        for bead in changes {
            put(&ledger, &bead);
            beads.insert(bead.id.clone(), bead);
            let all: Vec<Bead> = beads.values().cloned().collect();
            let found: BTreeSet<String> = ready(&ledger).into_iter().collect();
            prop_assert_eq!(found, ready_by_definition(&all));
        }
        let kept = ready(&ledger);
        ledger.write("test", "test", |tx| tx.mend_holds()).unwrap();
        prop_assert_eq!(ready(&ledger), kept);
    }

    /// Any typed text is a query or a query error, and never an SQL error.
    #[test]
    fn any_query_can_be_asked(text in "(status|label|parent|owner|comment|created|title|ready|x)?[=~<>!, \"'%_a-z0-9()*:;-]{0,20}") {
        let ledger = with(&[bead("vt-a", &[])]);
        if let Ok(query) = query::parse(&text, &now().to_zoned(TimeZone::UTC)) {
            let filter = BeadFilter { query: Some(query), all: true, ..BeadFilter::default() };
            read(&ledger, |view| view.count(&filter));
        }
        read(&ledger, |view| view.search(&text, &BeadFilter::default()));
    }
}

#[test]
fn queries_find_the_beads_that_match() {
    let mut a = Bead { description: "The parser fails on É".into(), priority: 0, ..bead("vt-a", &[]) };
    a.labels = vec!["area/ui".into(), "urgent".into()];
    a.rest = vec![("owner".into(), "\"ann\"".into())];
    let mut b = Bead { assignee: Some("bob".into()), ..bead("vt-b", &[(DepType::ParentChild, "vt-a")]) };
    b.updated_at = Stamp::parse("2026-05-30T00:00:00Z").unwrap();
    let c = bead("vt-c", &[(DepType::Blocks, "vt-a")]);
    let ledger = ledger();
    ledger.write("test", "test", |tx| [&a, &b, &c].into_iter().try_for_each(|bead| tx.add_bead(bead))).unwrap();
    set(&ledger, "vt-c", Status::Closed, "100% done");
    let check = |text: &str, expected: &str| {
        let query = query::parse(text, &now().to_zoned(TimeZone::UTC)).unwrap_or_else(|error| panic!("{error}"));
        let filter = BeadFilter { query: Some(query), all: true, ..BeadFilter::default() };
        assert_eq!(ids(&read(&ledger, |view| view.beads(&filter))).join(" "), expected, "{text}");
    };
    check("status=open", "vt-a vt-b");
    check("status!=open", "vt-c");
    check("priority<1 or assignee=bob", "vt-a vt-b");
    check("label=urgent", "vt-a");
    check("label!=urgent", "vt-b vt-c");
    check("label~AREA", "vt-a");
    check("label=none status=open", "vt-b");
    check("parent=vt-a", "vt-b");
    check("depends_on=vt-a", "vt-b vt-c");
    check("assignee=none", "vt-a vt-c");
    check("assignee!=bob", "vt-a vt-c");
    check("not assignee~b", "vt-a vt-c");
    check("owner=ann", "vt-a");
    check("parser", "vt-a");
    check("pars e", "vt-a");
    check("\"é\" or nothing", "vt-a");
    check("reason~\"100%\"", "vt-c");
    check("reason~\"1%e\"", "");
    check("closed=none", "vt-a vt-b");
    check("closed!=none", "vt-c");
    check("not closed>1y", "vt-a vt-b");
    check("updated>7d updated<now", "vt-b");
    check("created<2026-01-02", "vt-a vt-b vt-c");
    check("created=2026-01-01 and id!=vt-a,vt-b", "vt-c");
    check("ready=true", "vt-a vt-b");
    check("blocked=true", "");
    check("id~\"'; DROP TABLE beads; --\"", "");
}

#[test]
fn search_finds_changed_texts_and_comments() {
    let mut found = Bead { notes: "quick brown".into(), ..bead("vt-a", &[]) };
    let ledger = with(&[found.clone(), Bead { title: "Brown fox".into(), ..bead("vt-b", &[]) }]);
    let search = |text: &str| ids(&read(&ledger, |view| view.search(text, &BeadFilter::default()))).join(" ");
    assert_eq!(search("brown"), "vt-b vt-a", "titles weigh no less");
    assert_eq!((search("bro qui").as_str(), search("vt-b").as_str(), search("nothing").as_str()), ("vt-a", "vt-b", ""));
    found.notes = "slow".into();
    put(&ledger, &found);
    assert_eq!((search("brown").as_str(), search("slow").as_str()), ("vt-b", "vt-a"));
    assert_eq!(search("\" OR * ( NEAR"), "");
    assert_eq!(search("--"), "");
}

/// The index of words takes new beads in batches of some dozens.
#[test]
fn search_finds_beads_in_the_index_and_beads_not_yet_in_it() {
    let id = |n: usize| format!("vt-{n:03}");
    let titled = |n: usize, title: &str| Bead { title: title.to_owned(), ..bead(&id(n), &[]) };
    let ledger = ledger();
    let mut titles = Vec::new();
    let check = |titles: &[String]| {
        for (n, title) in titles.iter().enumerate() {
            assert_eq!(ids(&read(&ledger, |view| view.search(title, &BeadFilter::default()))), [id(n)], "{title}");
        }
        let common = BeadFilter {
            query: Some(query::parse("common", &now().to_zoned(TimeZone::UTC)).unwrap()),
            ..BeadFilter::default()
        };
        assert_eq!(read(&ledger, |view| view.count(&common)), titles.len() as u64);
    };
    for n in 0..150 {
        titles.push(format!("word{n}x common"));
        put(&ledger, &titled(n, &titles[n]));
        if [0, 1, 62, 63, 64, 65, 127, 128, 149].contains(&n) {
            check(&titles);
        }
    }
    for n in [0, 63, 64, 127, 128, 149] {
        titles[n] = format!("changed{n}x common");
        put(&ledger, &titled(n, &titles[n]));
        assert!(read(&ledger, |view| view.search(&format!("word{n}x"), &BeadFilter::default())).is_empty());
    }
    check(&titles);
    // A search within an operation finds the state at that point.
    ledger
        .write("test", "test", |tx| {
            tx.add_bead(&titled(150, "quite new"))?;
            assert_eq!(ids(&tx.search("quite new", &BeadFilter::default())?), [id(150)]);
            Ok::<_, LedgerError>(())
        })
        .unwrap();
}

#[test]
fn cycles_are_found_and_trees_end() {
    let ledger = with(&[
        bead("vt-a", &[(DepType::Blocks, "vt-b")]),
        bead("vt-b", &[(DepType::Blocks, "vt-c"), (DepType::Related, "vt-d")]),
        bead("vt-c", &[(DepType::ParentChild, "vt-a")]),
        bead("vt-d", &[(DepType::Related, "vt-a")]),
        bead("vt-e", &[(DepType::Blocks, "vt-e")]),
    ]);
    let cycles: Vec<Vec<BeadId>> = vec![["vt-a", "vt-b", "vt-c"].map(BeadId::from).to_vec(), vec!["vt-e".into()]];
    assert_eq!(read(&ledger, |view| view.cycles()), cycles);
    let tree = |top: &str, direction, depth| {
        let nodes = read(&ledger, |view| view.tree(&top.into(), direction, depth));
        let mark = |cut: bool, again: bool| {
            if cut {
                "…"
            } else if again {
                "^"
            } else {
                ""
            }
        };
        nodes.iter().map(|n| format!("{}{}{}", n.depth, n.id, mark(n.cut, n.again))).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(tree("vt-a", Direction::Down, 9), "0vt-a 1vt-b 2vt-c 3vt-a^ 2vt-d 3vt-a^");
    assert_eq!(tree("vt-a", Direction::Down, 1), "0vt-a 1vt-b…");
    assert_eq!(tree("vt-b", Direction::Up, 9), "0vt-b 1vt-a 2vt-c 3vt-b^ 2vt-d 3vt-b^");
    assert_eq!(blocked(&ledger), ["vt-a", "vt-b", "vt-c", "vt-e"]);
}

#[test]
fn a_parent_waits_for_its_children_to_be_closed() {
    let child = |id: &str, kind, on: &str| bead(id, &[(DepType::ParentChild, "vt-p"), (kind, on)]);
    let circles = |beads: &[Bead]| read(&with(beads), |view| view.cycles());
    let way = |ids: &[&str]| vec![ids.iter().map(|id| BeadId::from(*id)).collect::<Vec<_>>()];

    let waits_for_parent = [bead("vt-p", &[]), child("vt-c", DepType::Blocks, "vt-p")];
    assert_eq!(circles(&waits_for_parent), way(&["vt-c", "vt-p"]));
    let waits_for_child = [bead("vt-p", &[(DepType::Blocks, "vt-c")]), child("vt-c", DepType::Related, "vt-p")];
    assert_eq!(circles(&waits_for_child), way(&["vt-c", "vt-p"]));
    // Through a grandchild, and a bead for which that one waits.
    let by_grandchild = [
        bead("vt-p", &[]),
        bead("vt-c", &[(DepType::ParentChild, "vt-p")]),
        bead("vt-g", &[(DepType::ParentChild, "vt-c"), (DepType::Blocks, "vt-x")]),
        bead("vt-x", &[(DepType::Blocks, "vt-p")]),
    ];
    assert_eq!(circles(&by_grandchild), way(&["vt-c", "vt-g", "vt-x", "vt-p"]));
    let in_order = [
        bead("vt-p", &[(DepType::Blocks, "vt-x")]),
        bead("vt-x", &[]),
        child("vt-a", DepType::Related, "vt-p"),
        child("vt-b", DepType::Blocks, "vt-a"),
        child("vt-d", DepType::WaitsFor, "vt-a"),
    ];
    assert_eq!(circles(&in_order), Vec::<Vec<BeadId>>::new());

    let ledger = with(&in_order);
    let round = |from: &str, to: &str, kind: &DepType| {
        let way = read(&ledger, |view| view.way_round(&from.into(), &to.into(), kind));
        way.map(|way| way.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(round("vt-a", "vt-p", &DepType::Blocks).as_deref(), Some("vt-p vt-a"));
    assert_eq!(round("vt-p", "vt-b", &DepType::Blocks).as_deref(), Some("vt-b vt-p"));
    assert_eq!(round("vt-x", "vt-p", &DepType::ParentChild).as_deref(), Some("vt-p vt-x"));
    assert_eq!(round("vt-x", "vt-b", &DepType::Blocks).as_deref(), Some("vt-b vt-p vt-x"));
    assert_eq!(round("vt-a", "vt-p", &DepType::Related), None);
    assert_eq!(round("vt-a", "vt-x", &DepType::Blocks), None);
}

/// A depth beyond any import. Code that recurses, or compares all pairs, does not finish here.
const DEEP: usize = 100_000;

/// Returns the n-th bead of a chain.
fn link(n: usize) -> BeadId {
    BeadId(format!("vt-{n:06}"))
}

/// Creates a ledger with a chain in which each bead depends on the one before by this kind of dependency.
fn chain(kind: &str) -> Ledger {
    let time = "2026-01-01T00:00:00Z";
    let line = |n: usize| {
        let edge = |before: usize| {
            format!(
                r#","dependencies":[{{"issue_id":"{}","depends_on_id":"{}","type":"{kind}"}}]"#,
                link(n),
                link(before)
            )
        };
        let edge = n.checked_sub(1).map(edge).unwrap_or_default();
        let id = link(n);
        format!(r#"{{"id":"{id}","title":"T","priority":2,"created_at":"{time}","updated_at":"{time}"{edge}}}"#) + "\n"
    };
    let ledger = ledger();
    let text: String = (0..DEEP).map(line).collect();
    port::import_into(&ledger, "test", text.as_bytes(), ImportOptions::default()).unwrap();
    ledger
}

#[test]
fn deep_chains_of_parents_are_handled_in_time() {
    let ledger = chain("parent-child");
    let count = |view: &View<'_>| view.count_ready(now(), None);
    assert_eq!(read(&ledger, count), DEEP as u64);
    set(&ledger, "vt-000000", Status::Deferred, "");
    assert_eq!(read(&ledger, count), 0);
    set(&ledger, "vt-000000", Status::Open, "");
    assert_eq!(read(&ledger, count), DEEP as u64);
    let (top, end) = (link(DEEP - 1), link(0));
    let parent = DepType::ParentChild;
    assert_eq!(read(&ledger, |view| view.way_round(&end, &top, &parent)).map(|way| way.len()), Some(DEEP));
    assert_eq!(read(&ledger, |view| view.cycles()), Vec::<Vec<BeadId>>::new());
    assert!(read(&ledger, |view| view.tree(&top, Direction::Down, usize::MAX)).len() > 5000);
}

#[test]
fn deep_chains_of_dependencies_are_handled_in_time() {
    let ledger = chain("blocks");
    let (first, second, last) = (link(0), link(1), link(DEEP - 1));
    assert_eq!(ready(&ledger), [first.as_str()]);
    assert_eq!(read(&ledger, |view| view.count_blocked()), DEEP as u64 - 1);
    assert_eq!(read(&ledger, |view| view.blockers(now(), &last)).len(), 1);
    assert!(read(&ledger, |view| view.is_held(now(), &last)));
    assert!(read(&ledger, |view| view.tree(&first, Direction::Up, usize::MAX)).len() > 5000);
    assert_eq!(read(&ledger, |view| view.cycles()), Vec::<Vec<BeadId>>::new());
    set(&ledger, first.as_str(), Status::Closed, "done");
    assert_eq!(ready(&ledger), [second.as_str()], "closing one frees one");
    // Bent into a circle, as only an import can do: it is reported as one cycle, and no walk loops forever.
    let before = read(&ledger, |view| view.bead(&second)).unwrap();
    put(&ledger, &Bead { dependencies: bead("vt-000001", &[(DepType::Blocks, last.as_str())]).dependencies, ..before });
    let cycles = read(&ledger, |view| view.cycles());
    assert_eq!(cycles.iter().map(Vec::len).collect::<Vec<_>>(), [DEEP - 1]);
    assert_eq!(ready(&ledger), Vec::<String>::new());
    assert!(read(&ledger, |view| view.tree(&last, Direction::Down, usize::MAX)).len() > 5000);
    ledger.write("test", "test", |tx| tx.mend_holds()).unwrap();
    assert_eq!(ready(&ledger), Vec::<String>::new());
}

#[test]
fn a_ledger_is_not_kept_on_a_disk_of_another_machine() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("beads.db");
    let world = Arc::new(SimWorld::new());
    world.set_network(Some("NFS"));
    let refused = Ledger::create(&path, world.clone()).unwrap_err();
    assert!(matches!(refused, LedgerError::Network { kind: "NFS", .. }), "{refused}");
    assert!(!path.exists(), "nothing was made");
    let shown = Error::from(refused);
    assert!(shown.to_string().contains("is on a network file system (NFS)"), "{shown}");
    assert!(shown.hint().unwrap().contains("on a local disk"), "{:?}", shown.hint());
    world.set_network(None);
    drop(Ledger::create(&path, world.clone()).unwrap());
    world.set_network(Some("SMB"));
    let refused = Ledger::open(&path, world, Faults::none()).unwrap_err();
    assert!(matches!(refused, LedgerError::Network { kind: "SMB", .. }), "{refused}");
}

/// Returns all records of a file, sorted like an export.
fn sorted(text: &str) -> String {
    let parsed = jsonl::parse(text.as_bytes());
    jsonl::write(&parsed.records)
}

#[test]
fn real_files_are_imported_and_exported_completely() {
    let all = ExportFilter { wisps: true, ..ExportFilter::default() };
    for text in &FIXTURES[..2] {
        let ledger = ledger();
        let done = port::import_into(&ledger, "test", text.as_bytes(), ImportOptions::default()).unwrap();
        assert_eq!((done.updated, done.kept, done.bad_lines.len()), (0, 0, 0));
        let went = ledger.read(|view| port::export(view, &all)).unwrap();
        assert_eq!(went, sorted(text));
        let again = self::ledger();
        port::import_into(&again, "test", went.as_bytes(), ImportOptions::default()).unwrap();
        assert_eq!(again.read(|view| port::export(view, &all)).unwrap(), went);
    }
}

#[test]
fn a_broken_file_changes_nothing_unless_salvaged() {
    let text = FIXTURES[2].as_bytes();
    let ledger = ledger();
    let refused = port::import_into(&ledger, "test", text, ImportOptions::default()).unwrap_err();
    assert!(refused.to_string().starts_with("3 lines can't be read, so nothing was imported:\nline 1: a git conflict"));
    assert_eq!(read(&ledger, |view| view.count(&BeadFilter { all: true, ..BeadFilter::default() })), 0);
    let done =
        port::import_into(&ledger, "test", text, ImportOptions { salvage: true, ..ImportOptions::default() }).unwrap();
    let lines: Vec<&str> = done.bad_lines.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(lines, ["line 1", "line 21", "line 41"]);
    let ids: BTreeSet<String> = jsonl::parse(text)
        .records
        .iter()
        .filter_map(|record| match record {
            Record::Bead(bead) => Some(bead.id.0.clone()),
            Record::Other { .. } => None,
        })
        .collect();
    assert_eq!(done.added, ids.len());
}

#[test]
fn doubled_edges_foreign_owners_and_records_are_kept() {
    let time = r#""created_at":"0001-01-01T00:00:00Z","updated_at":"9999-12-31T00:00:00Z""#;
    let edge = r#"{"issue_id":"vt-9","depends_on_id":"vt-2","type":"blocks"}"#;
    let text = format!(
        "{{\"_type\":\"memory\",\"key\":1}}\n{{\"id\":\"../../x\",\"title\":\"-rf\",\"status\":\"open\",\"priority\":2,\
         \"issue_type\":\"task\",{time},\"dependencies\":[{edge},{edge}]}}\n"
    );
    let ledger = ledger();
    port::import_into(&ledger, "test", text.as_bytes(), ImportOptions::default()).unwrap();
    assert_eq!(ledger.read(|view| port::export(view, &ExportFilter::default())).unwrap(), text);
}

#[test]
fn a_large_import_updates_derived_data_like_many_small_ones() {
    let text = made_up(Shape { beads: 1500, dependencies: 2500, chain: false });
    let (large, small) = (ledger(), ledger());
    port::import_into(&large, "test", text.as_bytes(), ImportOptions::default()).unwrap();
    for line in text.lines() {
        port::import_into(&small, "test", line.as_bytes(), ImportOptions::default()).unwrap();
    }
    assert_eq!(ready(&large), ready(&small));
    assert_eq!(blocked(&large), blocked(&small));
    let exported = large.read(|view| port::export(view, &ExportFilter::default())).unwrap();
    assert_eq!(exported, text);
    let statistics = read(&large, |view| view.statistics(now()));
    assert_eq!(statistics, read(&small, |view| view.statistics(now())));
    assert_eq!((statistics.total, statistics.ready), (1500, ready(&large).len() as u64));
    assert_eq!(statistics.blocked, blocked(&large).len() as u64);
    for words in ["login", "retr queu", "cache1"] {
        let found = |ledger: &Ledger| {
            let all = BeadFilter { all: true, ..BeadFilter::default() };
            let found = read(ledger, |view| view.search(words, &all));
            found.into_iter().map(|bead| bead.id).collect::<BTreeSet<_>>()
        };
        assert_eq!(found(&large), found(&small));
        let in_text = |bead: &Bead| {
            let text = format!("{} {}", bead.title, bead.description);
            words.split(' ').all(|word| text.split_whitespace().any(|own| own.starts_with(word)))
        };
        let beads = read(&large, |view| view.beads(&BeadFilter { all: true, ..BeadFilter::default() }));
        assert_eq!(found(&large), beads.into_iter().filter(in_text).map(|bead| bead.id).collect::<BTreeSet<_>>());
    }
}

#[test]
fn a_failing_operation_updates_no_derived_data() {
    let ledger = with(&[bead("vt-a", &[]), bead("vt-b", &[(DepType::Blocks, "vt-a")])]);
    let failed: Result<(), Error> = ledger.write("test", "test", |tx| {
        let before = tx.bead(&"vt-a".into())?.unwrap();
        tx.change_bead("changed", &before, &Bead { status: Status::Closed, ..before.clone() })?;
        assert!(tx.is_ready(now(), &"vt-b".into())?, "it is mended at once");
        Err(Error::from(LedgerError::Busy(std::time::Duration::ZERO)))
    });
    assert!(failed.is_err());
    assert_eq!(ready(&ledger), ["vt-a"]);
}

/// The query plan of each statement whose cost must not grow with the ledger.
#[test]
fn queries_of_constant_cost_use_their_indexes() {
    let ledger = ledger();
    let text = made_up(Shape { beads: 300, dependencies: 400, chain: false });
    port::import_into(&ledger, "test", text.as_bytes(), ImportOptions::default()).unwrap();
    let ready =
        ReadyFilter { filter: BeadFilter { limit: Some(10), ..BeadFilter::default() }, ..ReadyFilter::default() };
    let of_prefix = BeadFilter { prefix: Some("vt".into()), ..ready.filter.clone() };
    let plans = read(&ledger, |view| {
        Ok([
            view.plan_of_ready(now(), &ready)?,
            view.plan_of_ready(now(), &ReadyFilter { filter: of_prefix, ..ready.clone() })?,
            view.plan_of_blocked(&ready.filter)?,
            view.plan_of_list(&ready.filter)?,
        ])
    });
    for (plan, index) in plans.iter().zip(["beads_ready", "beads_ready_of", "beads_blocked", "beads_listed"]) {
        assert!(plan.contains(&format!("USING INDEX {index}")), "{plan}");
        assert!(!plan.contains("B-TREE"), "{plan}");
    }
}

/// The tables before beads had numbers.
const BEFORE_NUMBERS: [&str; 4] = [
    include_str!("../../../gt-ledger/src/migrations/001_kernel.sql"),
    include_str!("../../../gt-ledger/src/migrations/002_slots.sql"),
    include_str!("../../../gt-ledger/src/migrations/003_runtime.sql"),
    include_str!("../../../gt-ledger/src/migrations/004_retention.sql"),
];

#[test]
fn an_older_ledger_is_migrated_completely() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("beads.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(&BEFORE_NUMBERS.concat()).unwrap();
    let bead = |id: &str, status: &str| {
        format!(
            "INSERT INTO beads VALUES ('{id}', 'vt', 'Title {id}', 'words', '', '', '', '{status}', 2, 'task', NULL,
               '2026-01-01T00:00:00Z', 0, NULL, '2026-01-01T00:00:00Z', 0, NULL, NULL, NULL, NULL, 0, 0, 0, '[]');"
        )
    };
    old.execute_batch(&format!(
        "{}{} INSERT INTO dependencies VALUES ('vt-b', 'vt-a', 'blocks', 0, NULL, '[]');
         INSERT INTO labels VALUES ('vt-b', 0, 'urgent');
         INSERT INTO comments VALUES ('vt-b', 0, '1', 'ann', 'remarkable', 'once', '[]');
         INSERT INTO deliveries (mail, recipient, sent_at) VALUES ('vt-a', 'mayor', '2026-01-01T00:00:00Z');
         PRAGMA user_version = 4;",
        bead("vt-a", "open"),
        bead("vt-b", "open"),
    ))
    .unwrap();
    drop(old);
    let world = Arc::new(RealWorld::new(PathBuf::new()));
    let ledger = Ledger::open(&path, world, Faults::none()).unwrap();
    assert!(folder.path().join("backups/beads-schema-4.db").exists(), "a copy of it was made before");
    assert_eq!((ready(&ledger), blocked(&ledger)), (vec!["vt-a".to_owned()], vec!["vt-b".to_owned()]));
    let kept = read(&ledger, |view| view.bead(&"vt-b".into())).unwrap();
    assert_eq!((kept.labels.len(), kept.dependencies.len(), kept.comments.len()), (1, 1, 1));
    assert_eq!(ids(&read(&ledger, |view| view.search("remark", &BeadFilter::default()))), ["vt-b"]);
    assert_eq!(read(&ledger, |view| view.count_with_prefix("vt")), 2);
    assert_eq!(read(&ledger, |view| view.all_mail()).len(), 1);
    assert_eq!(ledger.integrity().unwrap(), [""; 0]);
}

#[test]
fn a_closed_ledger_is_complete_in_its_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("beads.db");
    let world = Arc::new(RealWorld::new(PathBuf::new()));
    drop(Ledger::create(&path, world.clone()).unwrap());
    let open = |path: &std::path::Path| Ledger::open(path, world.clone(), Faults::none()).unwrap();
    port::import_into(
        &open(&path),
        "ann",
        made_up(Shape { beads: 50, dependencies: 0, chain: false }).as_bytes(),
        ImportOptions::default(),
    )
    .unwrap();
    assert_eq!(
        std::fs::metadata(folder.path().join("beads.db-wal")).unwrap().len(),
        0,
        "its log is emptied, and stays"
    );
    let alone = folder.path().join("alone.db");
    std::fs::copy(&path, &alone).unwrap();
    assert_eq!(read(&open(&alone), |view| view.count_with_prefix("vt")), 50);
}

#[test]
fn a_bead_that_is_twice_in_a_large_file_is_imported_once() {
    let ledger = ledger();
    let text = made_up(Shape { beads: 1000, dependencies: 0, chain: false });
    let again = text.lines().nth(7).unwrap().replace("\"updated_at\":\"2026-01-", "\"updated_at\":\"2026-02-");
    let again = again.replace("\"title\":\"", "\"title\":\"Later: ");
    port::import_into(&ledger, "ann", format!("{text}{again}\n").as_bytes(), ImportOptions::default()).unwrap();
    let id = gt_testkit::ledger::id(7);
    let events = read(&ledger, |view| view.events(0, Some(&id.as_str().into()), 10));
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].after.as_ref().unwrap()["title"].as_str().unwrap().starts_with("Later: "));
    assert_eq!(
        ids(&read(&ledger, |view| view.search("later", &BeadFilter { all: true, ..BeadFilter::default() }))),
        [id]
    );
}

#[test]
fn f16_a_ledger_that_was_replaced_while_it_is_open_is_not_written() {
    let set = |ledger: &Ledger, value: &str| ledger.write("test", "test", |tx| tx.set_meta("key", value));
    type Change = fn(&std::path::Path);
    let check = |name: &str, change: Change, replaced: bool| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("beads.db");
        let ledger = Ledger::create(&path, Arc::new(RealWorld::new(PathBuf::from("gt")))).unwrap();
        set(&ledger, "before").unwrap();
        change(&path);
        assert_eq!(ledger.is_replaced(), replaced, "{name}");
        let written = set(&ledger, "after");
        assert_eq!(written.is_err(), replaced, "{name}: {written:?}");
    };
    check("untouched", |_| (), false);
    check("read by others", |path| drop(std::fs::read(path).unwrap()), false);
    check("deleted", |path| std::fs::remove_file(path).unwrap(), true);
    check(
        "its folder moved",
        |path| {
            let folder = path.parent().unwrap();
            std::fs::rename(folder, folder.with_extension("elsewhere")).unwrap();
        },
        true,
    );
    check(
        "made anew at once",
        |path| {
            std::fs::remove_file(path).unwrap();
            Ledger::create(path, Arc::new(RealWorld::new(PathBuf::from("gt")))).unwrap();
        },
        true,
    );
    check(
        "moved, with a link in its place",
        |path| {
            let to = path.with_extension("moved");
            std::fs::rename(path, &to).unwrap();
            std::os::unix::fs::symlink(&to, path).unwrap();
        },
        false,
    );
    assert!(!ledger().is_replaced(), "one in memory has no file");
}

/// An agent may write the ledger's folder: a link that it puts in place of the ledger, or of a copy, leads to no other
/// file.
#[test]
fn a_ledger_that_is_a_link_is_not_opened() {
    let world = Arc::new(RealWorld::new(PathBuf::new()));
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    std::fs::create_dir(at("real")).unwrap();
    Ledger::create(&at("real/beads.db"), world.clone()).unwrap();
    std::os::unix::fs::symlink(at("real"), at("own")).unwrap();
    let open = |path: &std::path::Path| Ledger::open(path, world.clone(), Faults::none()).map(drop);
    open(&at("own/beads.db")).expect("a person's own link above it is followed");
    std::fs::create_dir(at("planted")).unwrap();
    std::os::unix::fs::symlink(at("real/beads.db"), at("planted/beads.db")).unwrap();
    assert!(open(&at("planted/beads.db")).is_err());
    assert!(Ledger::open_read_only(&at("planted/beads.db"), world.clone()).is_err());
    // A link to a missing file creates no file there.
    std::os::unix::fs::symlink(at("new.db"), at("planted/other.db")).unwrap();
    assert!(Ledger::create(&at("planted/other.db"), world.clone()).is_err());
    assert!(!at("new.db").exists());
    let ledger = Ledger::open(&at("real/beads.db"), world, Faults::none()).unwrap();
    std::os::unix::fs::symlink(at("victim"), at("real/copy.db.making")).unwrap();
    ledger.copy_to(&at("real/copy.db")).unwrap();
    assert!(!at("victim").exists() && at("real/copy.db").is_file());
}
