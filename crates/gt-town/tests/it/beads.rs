//! Acts of people on beads: claim, defer, delete, comment, templates, epics.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use gt_ledger::{BeadChange, Ledger};
use gt_model::bead::{Bead, BeadType, DepType, Status};
use gt_model::id::BeadId;
use gt_testkit::sim::SimWorld;
use gt_town::work::beads::{self, NewBead};
use gt_town::{Caller, Error, Outside, Town};
use gt_world::World;
use gt_world::faults::Faults;
use jiff::Timestamp;

fn town() -> Town {
    let world = SimWorld::new();
    world.disk().write(Path::new("/town/town.toml"), b"version = 1\n").unwrap();
    let world: Arc<dyn World> = Arc::new(world);
    let outside = Outside {
        build: "test".to_owned(),
        world: world.clone(),
        env: BTreeMap::new(),
        gt: "/bin/gt".into(),
        presets: Default::default(),
        prices: Default::default(),
        entropy: Arc::new(|| [7; 16]),
        faults: Faults::none(),
    };
    Town::with_ledger(Path::new("/town"), outside, Ledger::in_memory(world).unwrap()).unwrap()
}

fn me() -> Caller {
    Caller::overseer()
}

fn new(title: &str) -> NewBead {
    NewBead { prefix: "my-app".to_owned(), title: title.to_owned(), ..NewBead::default() }
}

fn make(town: &Town, new: &NewBead) -> BeadId {
    beads::create(town, &me(), new).unwrap().id
}

fn part_of(parent: &BeadId, title: &str) -> NewBead {
    NewBead { parent: Some(parent.clone()), ..new(title) }
}

fn is_ready(town: &Town, id: &BeadId, at: Timestamp) -> bool {
    town.ledger.read(|view| Ok::<_, Error>(view.is_ready(at, id)?)).unwrap()
}

fn refusal(result: Result<Bead, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_claimed_bead_is_refused_to_others() {
    let town = town();
    let id = make(&town, &new("A"));
    assert_eq!(beads::claim(&town, &me(), &id).unwrap().status, Status::InProgress);
    assert_eq!(beads::claim(&town, &me(), &id).unwrap().assignee, Some(me().name()));
    let mayor = Caller::role(gt_model::address::Address::Mayor);
    assert_eq!(refusal(beads::claim(&town, &mayor, &id)), format!("{id} is held by {}", me().name()));
    let closed = make(&town, &new("B"));
    beads::close(&town, &me(), &closed, None, false).unwrap();
    assert_eq!(refusal(beads::claim(&town, &me(), &closed)), format!("{closed} is closed"));
}

#[test]
fn a_bead_can_be_deferred_and_undeferred() {
    let town = town();
    let id = make(&town, &new("A"));
    let (now, later) = (town.world().clock().now(), "2099-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
    beads::defer(&town, &me(), &id, Some(later)).unwrap();
    assert!(!is_ready(&town, &id, now) && is_ready(&town, &id, later), "it is ready by itself then");
    assert_eq!(beads::defer(&town, &me(), &id, None).unwrap().status, Status::Deferred);
    assert!(!is_ready(&town, &id, later));
    let back = beads::undefer(&town, &me(), &id).unwrap();
    assert_eq!((back.status, back.defer_until), (Status::Open, None));
    assert!(is_ready(&town, &id, now));
}

#[test]
fn a_deleted_bead_leaves_a_tombstone_and_can_be_restored() {
    let town = town();
    let id = make(&town, &NewBead { issue_type: Some(BeadType::Bug), ..new("A") });
    let waiting = make(&town, &NewBead { dependencies: vec![(DepType::Blocks, id.clone())], ..new("B") });
    let gone = beads::delete(&town, &me(), &id, Some("twice there")).unwrap();
    assert_eq!(gone.status, Status::Tombstone);
    let keys: Vec<&str> = gone.rest.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["deleted_at", "deleted_by", "delete_reason", "original_type"]);
    assert!(is_ready(&town, &waiting, town.world().clock().now()));
    assert!(refusal(beads::delete(&town, &me(), &id, None)).ends_with("is deleted already"));
    let back = beads::reopen(&town, &me(), &id, Some("a mistake")).unwrap();
    assert_eq!(
        (back.status, back.rest.len(), back.comments[0].text.as_str()),
        (Status::Open, 0, "Reopened: a mistake")
    );
    assert!(!is_ready(&town, &waiting, town.world().clock().now()));
    assert!(refusal(beads::reopen(&town, &me(), &id, None)).ends_with("is open, not closed"));
}

#[test]
fn comments_are_numbered_and_limited_in_size() {
    let town = town();
    let id = make(&town, &new("A"));
    beads::comment(&town, &me(), &id, "one").unwrap();
    let bead = beads::comment(&town, &me(), &id, "two").unwrap();
    let told: Vec<(&str, &str)> = bead.comments.iter().map(|c| (c.id.as_str(), c.text.as_str())).collect();
    assert_eq!(told, [("1", "one"), ("2", "two")]);
    for bad in ["", " \n", "a\0b", &"x".repeat(beads::COMMENT_LIMIT + 1)] {
        assert!(beads::comment(&town, &me(), &id, bad).is_err());
    }
}

#[test]
fn children_are_numbered_and_epics_close_with_them() {
    let town = town();
    let epic = |title: &str| NewBead { issue_type: Some(BeadType::Epic), ..new(title) };
    let top = make(&town, &epic("Top"));
    let inner = make(&town, &NewBead { issue_type: Some(BeadType::Epic), ..part_of(&top, "Inner") });
    let leaf = make(&town, &part_of(&inner, "Leaf"));
    make(&town, &epic("Empty"));
    assert_eq!((inner.0.clone(), leaf.0.clone()), (format!("{top}.1"), format!("{top}.1.1")));
    assert_eq!(beads::close_done_epics(&town, &me()).unwrap(), []);
    beads::close(&town, &me(), &leaf, None, false).unwrap();
    let closed: Vec<BeadId> = beads::close_done_epics(&town, &me()).unwrap().into_iter().map(|bead| bead.id).collect();
    assert_eq!(closed, [inner, top.clone()]);
    assert_eq!(make(&town, &part_of(&top, "More")).0, format!("{top}.2"));
}

#[test]
fn a_template_creates_its_parts_and_their_dependencies() {
    let town = town();
    let top = make(&town, &new("Release"));
    let build = make(&town, &part_of(&top, "Build"));
    let ship = NewBead { dependencies: vec![(DepType::Blocks, build)], ..part_of(&top, "Ship") };
    make(&town, &ship);
    assert!(beads::pour_template(&town, &me(), &top, "Release 7").is_err(), "it is none yet");
    let change = BeadChange { is_template: Some(true), ..BeadChange::default() };
    beads::update(&town, &me(), &top, &change).unwrap();
    let made = beads::pour_template(&town, &me(), &top, "Release 7").unwrap();
    let titles: Vec<&str> = made.iter().map(|bead| bead.title.as_str()).collect();
    assert_eq!(titles, ["Release 7", "Build", "Ship"]);
    assert!(made.iter().all(|bead| bead.id != top && !bead.is_template));
    let waits: Vec<(&DepType, &BeadId)> = made[2].dependencies.iter().map(|d| (&d.kind, &d.depends_on_id)).collect();
    assert_eq!(waits, [(&DepType::Blocks, &made[1].id), (&DepType::ParentChild, &made[0].id)]);
}

#[test]
fn a_dependency_circle_is_refused_and_shown() {
    let town = town();
    let (a, b, c) = (make(&town, &new("A")), make(&town, &new("B")), make(&town, &new("C")));
    let add = |from: &BeadId, to: &BeadId, kind| beads::add_dependency(&town, &me(), from, to, &kind);
    add(&a, &b, DepType::Blocks).unwrap();
    add(&b, &c, DepType::ParentChild).unwrap();
    let circle = format!("that would be a circle: {c} -> {a} -> {b} -> {c}");
    assert_eq!(refusal(add(&c, &a, DepType::Blocks)), circle);
    let itself = format!("{a} cannot depend on itself: that would be a circle");
    assert_eq!(refusal(add(&a, &a, DepType::Blocks)), itself);
    add(&c, &a, DepType::Related).unwrap();
    let mut before = make(&town, &new("0"));
    let first = before.clone();
    for number in 1..60 {
        let next = make(&town, &new(&number.to_string()));
        add(&next, &before, DepType::Blocks).unwrap();
        before = next;
    }
    let long = refusal(add(&first, &before, DepType::Blocks));
    assert!(long.contains("-> (41 more) ->") && long.ends_with(first.as_str()), "{long}");
}

#[test]
fn closing_a_bead_reports_what_becomes_ready() {
    let town = town();
    let a = make(&town, &new("A"));
    let b = make(&town, &NewBead { dependencies: vec![(DepType::Blocks, a.clone())], ..new("B") });
    make(&town, &NewBead { dependencies: vec![(DepType::Related, a.clone())], ..new("C") });
    beads::close(&town, &me(), &a, None, false).unwrap();
    let now = town.world().clock().now();
    let freed = town.ledger.read(|view| beads::freed_by(view, now, &a)).unwrap();
    assert_eq!(freed.into_iter().map(|bead| bead.id).collect::<Vec<_>>(), [b]);
}

#[test]
fn abbreviations_are_found_without_reading_all_ids() {
    let town = town();
    let text: String = ["vt-a1", "vt-a1.1", "vt-a1b", "vt-b2", "my-app-c3", "vt-wisp-d4", "vt-é5", "plain"]
        .map(|id| format!("{{\"id\":\"{id}\",\"title\":\"T\"}}\n"))
        .concat();
    gt_town::sync::port::import(&town, &me(), text.as_bytes(), gt_town::sync::port::ImportOptions::default()).unwrap();
    let check = |text: &str, expected: &str| {
        let found = town.ledger.read(|view| beads::resolve(view, text));
        assert_eq!(found.map_or_else(|error| error.to_string(), |id| id.0), expected, "{text}");
    };
    check("vt-a1", "vt-a1");
    check("a1", "vt-a1");
    check("a1.", "vt-a1.1");
    check("vt-b", "vt-b2");
    check("c", "my-app-c3");
    check("app-c", "my-app-c3");
    check("app", "my-app-c3");
    check("wis", "vt-wisp-d4");
    check("d4", "vt-wisp-d4");
    check("é", "vt-é5");
    check("pl", "plain");
    check("a", "`a` could be my-app-c3, vt-a1, vt-a1.1, vt-a1b");
    check("t-a1", "no bead `t-a1`");
    check("%", "no bead `%`");
}
