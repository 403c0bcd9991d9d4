//! Rigs that are broken, removed or added again.

use super::*;

#[test]
fn a_broken_rig_stops_no_other() {
    let mut scene = scene(TOWN, &["app", "lib"]);
    let (broken, other) = (scene.bead_of("app", "One"), scene.bead_of("lib", "Two"));
    scene.sling("app", &[broken.clone()]);
    scene.sling("lib", &[other.clone()]);
    set_rig(&scene.town, "app", "garbage = [");
    scene.look();
    assert_eq!(scene.bead(&other).status, Status::InProgress);
    let patrol = scene.town.ledger.read(|view| Ok::<_, Error>(view.condition("patrol", "app")?)).unwrap().unwrap();
    assert!(patrol.text.contains("rig.toml"), "{}", patrol.text);
    for path in scene.world.live_sessions() {
        assert!(scene.world.kill(&path));
    }
    set_rig(&scene.town, "app", RIG);
    scene.look();
    assert_eq!((scene.bead(&broken).status, scene.conditions()), (Status::InProgress, Vec::new()));
    assert_eq!(scene.world.live_sessions().len(), 2);
}
