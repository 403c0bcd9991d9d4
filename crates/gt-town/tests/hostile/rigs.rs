//! Rigs that are broken, removed or added again.

use super::*;
use gt_model::condition::ConditionKind;

#[test]
fn a_broken_rig_stops_no_other() {
    let mut scene = scene(TOWN, &["app", "lib"]);
    let (broken, other) = (scene.bead_of("app", "One"), scene.bead_of("lib", "Two"));
    scene.sling("app", std::slice::from_ref(&broken));
    scene.sling("lib", std::slice::from_ref(&other));
    set_rig(&scene.town, "app", "garbage = [");
    scene.look();
    assert_eq!(scene.bead(&other).status, Status::InProgress);
    let patrol =
        scene.town.ledger.read(|view| Ok::<_, Error>(view.condition(ConditionKind::Patrol, "app")?)).unwrap().unwrap();
    assert!(patrol.text.contains("rig.toml"), "{}", patrol.text);
    for path in scene.world.live_sessions() {
        assert!(scene.world.kill(&path));
    }
    set_rig(&scene.town, "app", RIG);
    scene.look();
    assert_eq!((scene.bead(&broken).status, scene.conditions()), (Status::InProgress, Vec::new()));
    assert_eq!(scene.world.live_sessions().len(), 2);
}

#[test]
fn a_bead_is_not_slung_to_a_rig_that_was_just_removed() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.bead_of("app", "One");
    let seen_before = scene.rig("app");
    rig::remove(&scene.town, &Caller::overseer(), &seen_before, false).unwrap();
    // The formula and the settings were read before the removal.
    scene.world.disk().write(&seen_before.layout.settings(), RIG.as_bytes()).unwrap();
    let slung = sling::sling(
        &scene.town,
        &Caller::overseer(),
        std::slice::from_ref(&bead),
        &seen_before,
        &SlingOptions::default(),
    );
    assert!(matches!(slung, Err(Error::UnknownRig { .. })), "{slung:?}");
    scene.look();
    assert_eq!((scene.bead(&bead).status, scene.attempts(&bead).len()), (Status::Open, 0));
}

#[test]
fn a_rig_that_is_added_again_has_no_state_of_the_removed_one() {
    let mut scene = scene(TOWN, &["app"]);
    for round in 0..2 {
        let bead = scene.bead_of("app", "One");
        scene.sling("app", std::slice::from_ref(&bead));
        scene.look();
        scene.work(&bead, &format!("{round}.txt"));
        for _ in 0..30 {
            scene.look();
        }
        refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
        assert_eq!(scene.bead(&bead).status, Status::Closed);
        assert!(scene.conditions().is_empty(), "{:?}", scene.conditions());
        if round == 0 {
            rig::remove(&scene.town, &Caller::overseer(), &scene.rig("app"), false).unwrap();
            add_rig(&scene.town, "app");
        }
    }
    for _ in 0..60 {
        scene.look();
    }
    assert!(scene.conditions().is_empty(), "{:?}", scene.conditions());
}

#[test]
fn a_rig_whose_gates_cannot_be_run_is_added_and_held() {
    let scene = scene(TOWN, &[]);
    scene.world.add_remote(&remote("app"), "main", &[("test.sh", "exit 0\n")]);
    scene.world.fail_next("run", "no shell");
    let new = NewRig { name: "app".to_owned(), source: remote("app"), ..NewRig::default() };
    let added = rig::add(&scene.town, &Caller::overseer(), &new).unwrap();
    assert!(added.held.is_some_and(|why| why.contains("no shell")));
    assert_eq!(scene.rig("app").settings.gate.len(), 1);
}
