//! Beads that a person takes back, and beads that the deacon slings by itself.

use super::*;

#[test]
fn the_deacon_does_not_sling_a_bead_that_was_taken_back() {
    let mut scene = scene(TOWN, &["app"]);
    let (bead, later) = (scene.bead_of("app", "One"), scene.bead_of("app", "Two"));
    beads::add_dependency(&scene.town, &Caller::overseer(), &later, &bead, &DepType::Blocks).unwrap();
    let convoy = scene.sling("app", std::slice::from_ref(&bead)).remove(0).convoy.unwrap();
    gt_town::work::convoy::add(&scene.town, &Caller::overseer(), &convoy, std::slice::from_ref(&later)).unwrap();
    scene.look();
    sling::unsling(&scene.town, &Caller::overseer(), &bead).unwrap();
    scene.look();
    assert_eq!((scene.bead(&bead).status, scene.attempts(&bead).len()), (Status::Open, 1));
    beads::close(&scene.town, &Caller::overseer(), &bead, Some("no"), false).unwrap();
    scene.look();
    assert_eq!(scene.attempts(&later).len(), 1, "what waited is fed");
}

#[test]
fn a_rig_that_cannot_be_fed_delays_no_other() {
    let mut scene = scene(TOWN, &["app", "lib"]);
    let mut later = Vec::new();
    for rig in ["app", "lib"] {
        let (first, second) = (scene.bead_of(rig, "One"), scene.bead_of(rig, "Two"));
        let convoy = scene.sling(rig, &[first]).remove(0).convoy.unwrap();
        gt_town::work::convoy::add(&scene.town, &Caller::overseer(), &convoy, std::slice::from_ref(&second)).unwrap();
        later.push(second);
    }
    set_rig(&scene.town, "app", &RIG.replace("agent = \"idle\"\n", ""));
    scene.look();
    let attempts = later.iter().map(|id| scene.attempts(id).len()).collect::<Vec<_>>();
    assert_eq!(attempts, [0, 1]);
    assert_eq!(scene.conditions(), ["feed:app"]);
    set_rig(&scene.town, "app", RIG);
    scene.look();
    assert_eq!(scene.attempts(&later[0]).len(), 1);
    assert!(scene.conditions().is_empty());
}

#[test]
fn a_convoy_lands_when_its_last_bead_is_closed_by_an_import() {
    let scene = scene(TOWN, &["app"]);
    let bead = scene.bead_of("app", "One");
    let caller = Caller::overseer();
    let convoy =
        gt_town::work::convoy::create(&scene.town, &caller, "Both", std::slice::from_ref(&bead), true).unwrap();
    scene.world.advance(Duration::from_secs(9));
    let (now, ours) = (scene.world.clock().now(), scene.bead(&bead));
    let closed = Bead { status: Status::Closed, closed_at: Some(now.into()), updated_at: now.into(), ..ours };
    let text = gt_model::jsonl::write(&[gt_model::jsonl::Record::Bead(Box::new(closed))]);
    gt_town::sync::port::import(&scene.town, &caller, text.as_bytes(), gt_town::sync::port::ImportOptions::default())
        .unwrap();
    assert_eq!(scene.bead(&convoy.id).status, Status::Closed);
}
