//! A convoy's state follows from its beads, whatever changes them.

use gt_model::convoy::ConvoyState;
use gt_model::jsonl::{self, Record};
use gt_town::work::convoy;

use super::*;

impl Scene {
    fn convoy(&self, title: &str, beads: &[&BeadId]) -> BeadId {
        let beads: Vec<BeadId> = beads.iter().map(|id| (*id).clone()).collect();
        convoy::create(&self.town, &Caller::overseer(), title, &beads, false).unwrap().id
    }

    /// Returns a convoy's derived and stored states.
    fn state(&self, convoy: &BeadId) -> (ConvoyState, Status) {
        (convoy::show(&self.town, convoy).unwrap().state, self.bead(convoy).status)
    }

    /// Returns the overseer's mails about convoys, without ids, sorted.
    fn told(&self) -> Vec<String> {
        let mail = gt_town::mail::post::inbox(&self.town, &gt_model::address::Address::Overseer, false).unwrap();
        let of_convoys = mail.iter().filter(|mail| mail.subject.starts_with("Convoy"));
        let titles = of_convoys.filter_map(|mail| mail.subject.rsplit_once(" (")).map(|(title, _)| title.to_owned());
        let mut told: Vec<String> = titles.collect();
        told.sort();
        told
    }

    fn land(&mut self, bead: &BeadId, file: &str) {
        self.sling("app", std::slice::from_ref(bead));
        self.look();
        self.work(bead, file);
        self.look();
        refinery::run_round(&self.town, &self.rig("app")).unwrap();
        assert_eq!(self.bead(bead).status, Status::Closed);
    }

    fn close(&self, bead: &BeadId, reason: &str) {
        beads::close(&self.town, &Caller::overseer(), bead, Some(reason), false).unwrap();
    }

    fn delete(&self, bead: &BeadId) {
        beads::delete(&self.town, &Caller::overseer(), bead, None).unwrap();
    }

    fn reopen(&self, bead: &BeadId) {
        beads::reopen(&self.town, &Caller::overseer(), bead, None).unwrap();
    }
}

const LANDED: (ConvoyState, Status) = (ConvoyState::Landed, Status::Closed);
const CLOSED: (ConvoyState, Status) = (ConvoyState::Closed, Status::Closed);
const ON_ITS_WAY: (ConvoyState, Status) = (ConvoyState::OnItsWay, Status::Open);
const EMPTY: (ConvoyState, Status) = (ConvoyState::Empty, Status::Open);

#[test]
fn a_convoy_of_landed_beads_has_landed_and_is_open_again_when_a_bead_is_reopened() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.bead_of("app", "One");
    scene.land(&bead, "one.txt");
    let own = scene.attempts(&bead)[0].convoy.clone().unwrap();
    let late = scene.convoy("Late", &[&bead]);
    assert_eq!((scene.state(&own), scene.state(&late)), (LANDED, LANDED));
    assert_eq!(scene.told(), ["Convoy landed: Late", "Convoy landed: One"]);

    scene.reopen(&bead);
    assert_eq!((scene.state(&own), scene.state(&late)), (ON_ITS_WAY, ON_ITS_WAY));
    scene.land(&bead, "two.txt");
    assert_eq!((scene.state(&own), scene.state(&late)), (LANDED, LANDED));
    let landed = scene.told().iter().filter(|told| *told == "Convoy landed: Late").count();
    assert_eq!(landed, 2, "once for each time: {:?}", scene.told());
    scene.look();
    assert_eq!(scene.told().len(), 6);
}

#[test]
fn deleted_beads_do_not_count_in_a_convoy() {
    let mut scene = scene(TOWN, &["app"]);
    let (one, two) = (scene.bead_of("app", "One"), scene.bead_of("app", "Two"));
    let (nothing, alone) = (scene.convoy("Nothing", &[]), scene.convoy("Alone", &[&one]));
    let both = scene.convoy("Both", &[&one, &two]);
    assert_eq!(scene.state(&nothing), EMPTY);
    scene.delete(&one);
    assert_eq!((scene.state(&alone), scene.state(&both)), (EMPTY, ON_ITS_WAY));
    scene.land(&two, "two.txt");
    assert_eq!((scene.state(&alone), scene.state(&both)), (EMPTY, LANDED));
    assert_eq!(scene.told(), ["Convoy landed: Both"]);
    scene.delete(&two);
    assert_eq!(scene.state(&both), EMPTY);
    scene.reopen(&one);
    assert_eq!((scene.state(&alone), scene.state(&both)), (ON_ITS_WAY, ON_ITS_WAY));
}

#[test]
fn a_convoy_tells_closed_and_reported_beads_from_landed_ones() {
    let mut scene = scene(TOWN, &["app"]);
    let [by_hand, found, lied] = ["By hand", "Found", "Lied"].map(|title| scene.bead_of("app", title));
    let [first, second, third] = [&by_hand, &found, &lied].map(|bead| scene.convoy(bead.as_str(), &[bead]));
    scene.close(&by_hand, "not worth it");
    assert_eq!(scene.state(&first), CLOSED);
    scene.sling("app", std::slice::from_ref(&found));
    scene.look();
    scene.done(&found, Exit::NoCode).unwrap();
    assert_eq!(scene.state(&second), LANDED);
    let agent = Caller::role(scene.attempts(&found)[0].address());
    for reason in ["reported", "merged as 0123456789abcdef"] {
        let refused = beads::close(&scene.town, &agent, &lied, Some(reason), false);
        assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    }
    assert_eq!(scene.state(&third), ON_ITS_WAY);
    assert_eq!(scene.told().iter().filter(|told| told.starts_with("Convoy closed")).count(), 1);
}

#[test]
fn adding_and_removing_beads_updates_a_convoy() {
    let scene = scene(TOWN, &["app"]);
    let (one, two) = (scene.bead_of("app", "One"), scene.bead_of("app", "Two"));
    let both = scene.convoy("Both", &[&one, &two]);
    let caller = Caller::overseer();
    scene.close(&one, "merged as 0123456789abcdef");
    beads::remove_dependency(&scene.town, &caller, &both, &two).unwrap();
    assert_eq!(scene.state(&both), LANDED);
    beads::add_dependency(&scene.town, &caller, &both, &two, &DepType::Tracks).unwrap();
    assert_eq!(scene.state(&both), ON_ITS_WAY);
    beads::remove_dependency(&scene.town, &caller, &both, &two).unwrap();
    beads::remove_dependency(&scene.town, &caller, &both, &one).unwrap();
    assert_eq!(scene.state(&both), EMPTY);
}

#[test]
fn an_import_that_closes_beads_closes_their_convoys() {
    let scene = scene(TOWN, &["app"]);
    let one = scene.bead_of("app", "One");
    let alone = scene.convoy("Alone", &[&one]);
    let import = |bead: Bead| {
        let later = scene.bead(&one).updated_at.at + Duration::from_secs(60);
        let record = Record::Bead(Box::new(Bead { updated_at: later.into(), ..bead }));
        let text = jsonl::write(&[record]);
        gt_town::sync::port::import(
            &scene.town,
            &Caller::overseer(),
            text.as_bytes(),
            gt_town::sync::port::ImportOptions::default(),
        )
        .unwrap();
    };
    let closed_at = Some(scene.bead(&one).updated_at);
    let reason = Some("merged as 0123456789abcdef".to_owned());
    import(Bead { status: Status::Closed, closed_at, close_reason: reason, ..scene.bead(&one) });
    assert_eq!(scene.state(&alone), LANDED);
    import(Bead { status: Status::Open, closed_at: None, close_reason: None, ..scene.bead(&one) });
    assert_eq!(scene.state(&alone), ON_ITS_WAY);
}

#[test]
fn a_closed_convoy_stays_closed_and_nested_convoys_follow() {
    let scene = scene(TOWN, &["app"]);
    let (one, two) = (scene.bead_of("app", "One"), scene.bead_of("app", "Two"));
    let inner = scene.convoy("Inner", &[&one]);
    let outer = scene.convoy("Outer", &[&inner, &two]);
    scene.close(&two, "reported");
    assert_eq!(scene.state(&outer), ON_ITS_WAY);
    scene.close(&one, "merged as 0123456789abcdef");
    assert_eq!((scene.state(&inner), scene.state(&outer)), (LANDED, LANDED));
    scene.reopen(&one);
    assert_eq!((scene.state(&inner), scene.state(&outer)), (ON_ITS_WAY, ON_ITS_WAY));
    beads::close(&scene.town, &Caller::overseer(), &inner, Some("enough"), true).unwrap();
    assert_eq!((scene.state(&inner), scene.state(&outer)), (CLOSED, CLOSED));
    scene.close(&one, "done elsewhere");
    assert_eq!(scene.bead(&inner).close_reason.as_deref(), Some("enough"));
}

#[test]
fn the_deacon_updates_convoys_that_an_older_gt_left() {
    let mut scene = scene(TOWN, &["app"]);
    let one = scene.bead_of("app", "One");
    let alone = scene.convoy("Alone", &[&one]);
    // A ledger opened without the code that updates convoys, as an older `gt` opens it.
    let bare = Ledger::open(&scene.folder.path().join("beads.db"), scene.town.outside.world.clone(), Faults::none());
    let change = |tx: &gt_ledger::Tx<'_>| {
        let before = tx.bead(&one)?.unwrap();
        let reason = Some("reported".to_owned());
        tx.change_bead("test", &before, &Bead { status: Status::Closed, close_reason: reason, ..before.clone() })
    };
    bare.unwrap().write("test", "test", change).unwrap();
    assert_eq!(scene.state(&alone), (ConvoyState::Landed, Status::Open), "what is asked is always true");
    scene.look();
    assert_eq!(scene.state(&alone), LANDED);
    assert_eq!(scene.told(), ["Convoy landed: Alone"]);
}
